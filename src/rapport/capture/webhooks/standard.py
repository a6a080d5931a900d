"""Signatures by the Standard Webhooks specification, which Svix and Resend use as well."""

from typing import Final

from rapport.capture.errors import InvalidHook, RefusedRequest
from rapport.capture.webhooks.provider import WebhookRequest
from rapport.capture.webhooks.signatures import check_age, decode_base64, explain_mismatch, matches_hmac, read_seconds
from rapport.instant import MINUTE

MAX_AGE: Final = 5 * MINUTE
"""Every attempt has a timestamp of its own, so that old ones can only be replays."""

_PREFIXES: Final = ("webhook-", "svix-")
_KEY_PREFIX: Final = "whsec_"
_MIN_KEY_BYTES: Final = 8


def decode_key(key: str) -> bytes:
    """Return the bytes of a key: base64 after `whsec_`. Raises InvalidHook."""
    decoded = decode_base64(key.removeprefix(_KEY_PREFIX))
    if decoded is None or len(decoded) < _MIN_KEY_BYTES:
        raise InvalidHook(
            f"the signing key must be base64 of {_MIN_KEY_BYTES} bytes at least, with or without 'whsec_' before it"
        )
    return decoded


def message_id(request: WebhookRequest) -> str:
    """Return the id of the message, which stays the same when it is sent again; '' if there is none."""
    return next((request.headers[prefix + "id"] for prefix in _PREFIXES if prefix + "id" in request.headers), "")


def check_signature(request: WebhookRequest, keys: tuple[str, ...]) -> None:
    """Check the signature and its age. Raises RefusedRequest."""
    identifier, timestamp, signature = (
        next((request.headers[prefix + name] for prefix in _PREFIXES if prefix + name in request.headers), "")
        for name in ("id", "timestamp", "signature")
    )
    if not (identifier and timestamp and signature):
        raise RefusedRequest(
            "no signature", "the headers webhook-id, webhook-timestamp and webhook-signature are needed"
        )
    decoded = [decode_key(key) for key in keys]
    signatures = [decode_base64(part[3:]) for part in signature.split() if part.startswith("v1,")]
    start = f"{identifier}.{timestamp}.".encode("utf-8", "surrogatepass")

    def matches(body: bytes) -> bool:
        return matches_hmac(decoded, start + body, signatures, "sha256")

    if not matches(request.body):
        raise explain_mismatch(request.body, matches)
    signed = read_seconds(timestamp)
    if signed is None:
        raise RefusedRequest("no signature", "webhook-timestamp isn't a number of seconds")
    check_age(signed, request.received_time, MAX_AGE)
