"""Postal's webhooks."""

from collections.abc import Mapping
from functools import lru_cache
from typing import ClassVar, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

from rapport.activity import ActivityType, BounceCode
from rapport.capture.bounce_codes import bounce_code
from rapport.capture.errors import InvalidHook, InvalidPayload, RefusedRequest
from rapport.capture.event import Event, derived_identity, event_identity
from rapport.capture.json_record import JsonRecord, decode_json, texts
from rapport.capture.webhooks.provider import Credentials, Provider, WebhookRequest
from rapport.capture.webhooks.signatures import decode_base64, explain_mismatch, require_keys

_SHA256_SIGNATURE: Final = "x-postal-signature-256"
_SHA1_SIGNATURE: Final = "x-postal-signature"


class Postal(Provider):
    """Postal: one event per request, signed with the installation's RSA key."""

    name: ClassVar[str] = "postal"
    title: ClassVar[str] = "Postal"
    events: ClassVar[Mapping[str, ActivityType | None]] = {
        "MessageSent": ActivityType.EM_SENDS,
        "MessageDelayed": None,
        "MessageHeld": None,
        "MessageDeliveryFailed": ActivityType.EM_BOUNCES,
        "MessageBounced": ActivityType.EM_BOUNCES,
        "MessageLoaded": ActivityType.EM_OPENS,
        "MessageLinkClicked": ActivityType.EM_CLICKS,
        "SendLimitApproaching": None,
        "SendLimitExceeded": None,
        "DomainDNSError": None,
    }
    key_name: ClassVar[str | None] = "public key"
    steps: ClassVar[tuple[str, ...]] = (
        "Open the mail server → Webhooks → Add a new webhook, enter {url} and select the events.",
        "The hook's key is the installation's public key.",
        "If the key changes, run `rapport hook update {hook} --key KEY`.",
        "It is what follows p= in `postal default-dkim-record`, or the key in /.well-known/jwks.json.",
    )

    def check_credentials(self, credentials: Credentials) -> None:
        """Check that each key is a public key."""
        super().check_credentials(credentials)
        for key in require_keys(credentials.keys, "public key"):
            _load_key(key)

    def authenticate(self, request: WebhookRequest, credentials: Credentials) -> None:
        """Check the signature of the body, by SHA-256 if there is one, else by SHA-1."""
        strong = request.headers.get(_SHA256_SIGNATURE)
        signature = decode_base64(strong or request.headers.get(_SHA1_SIGNATURE, ""))
        if not signature:
            raise RefusedRequest("no signature", "the header X-Postal-Signature-256 or X-Postal-Signature is needed")
        keys = [_load_key(key) for key in require_keys(credentials.keys, "public key")]

        def matches(body: bytes) -> bool:
            return any(_verify(key, signature, body, is_strong=bool(strong)) for key in keys)

        if not matches(request.body):
            raise explain_mismatch(request.body, matches)

    def read(self, item: object, settings: Mapping[str, str]) -> list[Event]:  # noqa: ARG002 - the same for all hooks
        """Return the event; none for what concerns the server or incoming mail."""
        event = JsonRecord(item)
        name = event.text("event") or ""
        activity_type = self.find_type(name)
        payload = event.record("payload")
        if name.startswith(("SendLimit", "DomainDNS")):
            return []
        message = payload.record("original_message" if "original_message" in payload else "message")
        if message.text("direction") == "incoming":
            return []
        identifier, url, recipient = event.text("uuid"), payload.text("url"), message.text("to")
        message_id = message.text("message_id", "token", "id")
        return [
            Event(
                name=name,
                type=activity_type,
                created_time=event.time("timestamp"),
                event_id=derived_identity(self.name, message_id, name, event.text("timestamp"), recipient, url)
                if identifier is None
                else event_identity(self.name, identifier),
                recipient=recipient,
                message_id=message_id,
                link_url=url if activity_type is ActivityType.EM_CLICKS else None,
                bounce_code=_bounce_code(payload) if activity_type is ActivityType.EM_BOUNCES else None,
                user_agent=payload.text("user_agent"),
                ip_address=payload.text("ip_address"),
                is_delivery=name == "MessageSent",
                subject=message.text("subject"),
                tags=texts(message.value("tag")),
            )
        ]


def _bounce_code(payload: JsonRecord) -> BounceCode:
    text = " ".join(filter(None, (payload.text("output"), payload.text("details"))))
    if "suppression list" in text.lower():
        return BounceCode.S
    return bounce_code(None, text or payload.record("bounce").text("subject"))


@lru_cache(maxsize=1_000)
def _load_key(key: str) -> RSAPublicKey:
    text = key.strip()
    try:
        if text.startswith("{"):
            return _load_jwk(text)
        if text.startswith("-----"):
            loaded = load_pem_public_key(text.encode())
        else:
            loaded = load_der_public_key(decode_base64("".join(text.split())) or b"")
    except (ValueError, InvalidPayload) as exc:
        raise InvalidHook("the public key can't be read; it must be PEM, base64 (after p=) or a JWK") from exc
    if not isinstance(loaded, RSAPublicKey):
        raise InvalidHook("the public key isn't an RSA key; it must be that of the Postal installation")
    return loaded


def _load_jwk(text: str) -> RSAPublicKey:
    jwk = JsonRecord(decode_json(text, "the public key"))
    if "keys" in jwk:
        jwk = JsonRecord(next(iter(jwk.items("keys")), None))
    modulus, exponent = (_decode_integer(jwk.text(name)) for name in ("n", "e"))
    return RSAPublicNumbers(exponent, modulus).public_key()


def _decode_integer(text: str | None) -> int:
    decoded = decode_base64((text or "").replace("-", "+").replace("_", "/") + "=" * (-len(text or "") % 4))
    return int.from_bytes(decoded or b"")


def _verify(key: RSAPublicKey, signature: bytes, body: bytes, *, is_strong: bool) -> bool:
    try:
        # SHA-1 is what Postal signs with before version 3.
        key.verify(signature, body, PKCS1v15(), SHA256() if is_strong else SHA1())  # noqa: S303
    except InvalidSignature:
        return False
    return True
