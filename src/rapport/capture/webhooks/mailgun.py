"""Mailgun's webhooks."""

from collections.abc import Mapping
from typing import ClassVar, Final

from rapport.activity import ActivityType, BounceCode
from rapport.capture.bounce_codes import bounce_code
from rapport.capture.errors import InvalidPayload, RefusedRequest
from rapport.capture.event import Event, derived_identity
from rapport.capture.json_record import JsonRecord, decode_json, texts
from rapport.capture.webhooks.provider import Credentials, Provider, WebhookRequest
from rapport.capture.webhooks.signatures import check_age, matches_hmac, read_seconds, require_keys
from rapport.instant import HOUR

_MAX_AGE: Final = 9 * HOUR
"""Mailgun tries for eight hours."""

_SUPPRESSED: Final = frozenset({"suppress-bounce", "suppress-complaint", "suppress-unsubscribe"})
_SUPPRESSED_CODES: Final = frozenset({"605", "606", "607"})


class Mailgun(Provider):
    """Mailgun: one event per request. The signature covers a token, not the body, so that a token is valid once."""

    name: ClassVar[str] = "mailgun"
    title: ClassVar[str] = "Mailgun"
    events: ClassVar[Mapping[str, ActivityType | None]] = {
        "accepted": ActivityType.EM_SENDS,
        "delivered": None,
        "opened": ActivityType.EM_OPENS,
        "clicked": ActivityType.EM_CLICKS,
        "failed": ActivityType.EM_BOUNCES,
        "rejected": ActivityType.EM_BOUNCES,
        "unsubscribed": ActivityType.EM_OPTOUTS,
        "complained": ActivityType.EM_OPTOUTS,
        "stored": None,
    }
    complaints: ClassVar[frozenset[str]] = frozenset({"complained"})
    key_name: ClassVar[str | None] = "HTTP webhook signing key"
    steps: ClassVar[tuple[str, ...]] = (
        "Open Sending → Webhooks, choose the domain, and add {url} for each event.",
        "The hook's key is the HTTP webhook signing key, not the API key.",
        "If the key changes, run `rapport hook update {hook} --key KEY`.",
    )
    refused_status: ClassVar[int] = 406

    def check_credentials(self, credentials: Credentials) -> None:
        """Check that there is a key."""
        super().check_credentials(credentials)
        require_keys(credentials.keys, "HTTP webhook signing key")

    def authenticate(self, request: WebhookRequest, credentials: Credentials) -> None:
        """Check the signature of timestamp and token. The recorder accepts each token once: see `token`."""
        keys = [key.encode() for key in require_keys(credentials.keys, "HTTP webhook signing key")]
        try:
            signature = JsonRecord(decode_json(request.body)).record("signature")
        except InvalidPayload as exc:
            raise RefusedRequest(
                "no signature", "the body isn't JSON; Mailgun's legacy webhooks (form data) aren't supported"
            ) from exc
        timestamp, token, hexadecimal = (signature.text(name) or "" for name in ("timestamp", "token", "signature"))
        if not (timestamp and token and hexadecimal):
            raise RefusedRequest("no signature", "the body has no `signature` with timestamp, token and signature")
        message = f"{timestamp}{token}".encode("utf-8", "surrogatepass")
        try:
            presented = bytes.fromhex(hexadecimal)
        except ValueError:
            raise RefusedRequest("no signature", "`signature.signature` isn't hexadecimal") from None
        if not matches_hmac(keys, message, [presented], "sha256"):
            raise RefusedRequest(
                "the signature doesn't match", "the key is another one; the API key isn't the signing key"
            )
        signed = read_seconds(timestamp)
        if signed is None:
            raise RefusedRequest("no signature", "`signature.timestamp` isn't a number of seconds")
        check_age(signed, request.received_time, _MAX_AGE)

    def token(self, item: object) -> str | None:
        """Return the token that was signed."""
        return JsonRecord(item).record("signature").text("token")

    def read(self, item: object, settings: Mapping[str, str]) -> list[Event]:  # noqa: ARG002 - the same for all hooks
        """Return the event."""
        event = JsonRecord(item).record("event-data")
        name = event.text("event") or ""
        activity_type = self.find_type(name)
        if name == "failed" and event.text("severity") == "temporary":
            activity_type = None
        headers = event.record("message", "headers")
        created_time = event.time("timestamp")
        client = event.record("client-info")
        recipient = event.text("recipient") or (headers.text("to") if name == "rejected" else None)
        message_id = headers.text("message-id")
        identifier = event.text("id")
        # Mailgun's ids are unique within a day only.
        content = (identifier,) if identifier else (message_id, recipient, name, event.text("url"))
        return [
            Event(
                name=name,
                type=activity_type,
                created_time=created_time,
                event_id=derived_identity(self.name, *content, event.text("timestamp")),
                recipient=recipient,
                message_id=message_id,
                link_url=event.text("url"),
                bounce_code=_bounce_code(event) if activity_type is ActivityType.EM_BOUNCES else None,
                opt_out_reason=self.opt_out_reason(name),
                user_agent=client.text("user-agent"),
                ip_address=event.text("ip"),
                machine=client.text("bot"),
                is_delivery=name == "delivered",
                subject=headers.text("subject"),
                tags=texts(event.value("tags")),
                metadata=event.record("user-variables").flat(),
            )
        ]


def _bounce_code(event: JsonRecord) -> BounceCode:
    status = event.record("delivery-status")
    if event.text("reason") in _SUPPRESSED or status.text("code") in _SUPPRESSED_CODES:
        return BounceCode.S
    if event.text("event") == "rejected":
        return bounce_code(None, event.record("reject").text("reason"))
    if status.text("code") in {"498", "499"}:
        return BounceCode.B if "no mx" in (status.text("message") or "").lower() else BounceCode.D
    return bounce_code(
        status.text("enhanced-code"), " ".join(filter(None, (status.text("message"), status.text("description"))))
    )
