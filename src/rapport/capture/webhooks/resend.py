"""Resend's webhooks, which Svix delivers."""

from collections.abc import Mapping, Sequence
from email.utils import parseaddr
from typing import ClassVar, Final

from rapport.activity import ActivityType, BounceCode
from rapport.capture.bounce_codes import bounce_code, code_from_status, find_status
from rapport.capture.event import Event, event_identity
from rapport.capture.json_record import JsonRecord, as_text, decode_json, texts
from rapport.capture.webhooks import standard
from rapport.capture.webhooks.provider import Credentials, Provider, WebhookRequest
from rapport.capture.webhooks.signatures import require_keys

_MESSAGE_ID: Final = "message_id"
_SUPPRESSED: Final = frozenset({"suppressed", "onaccountsuppressionlist"})


class Resend(Provider):
    """Resend: one event per request, signed by the Standard Webhooks specification."""

    name: ClassVar[str] = "resend"
    title: ClassVar[str] = "Resend"
    events: ClassVar[Mapping[str, ActivityType | None]] = {
        "email.sent": ActivityType.EM_SENDS,
        "email.scheduled": None,
        "email.delivered": None,
        "email.opened": ActivityType.EM_OPENS,
        "email.clicked": ActivityType.EM_CLICKS,
        "email.bounced": ActivityType.EM_BOUNCES,
        "email.failed": ActivityType.EM_BOUNCES,
        "email.suppressed": ActivityType.EM_BOUNCES,
        "email.complained": ActivityType.EM_OPTOUTS,
        "email.delivery_delayed": None,
        "email.received": None,
        "contact.created": None,
        "contact.updated": ActivityType.EM_OPTOUTS,
        "contact.deleted": None,
        "domain.created": None,
        "domain.updated": None,
        "domain.deleted": None,
    }
    complaints: ClassVar[frozenset[str]] = frozenset({"email.complained"})
    key_name: ClassVar[str | None] = "signing secret"
    steps: ClassVar[tuple[str, ...]] = (
        "Open Webhooks → Add webhook, enter {url} and select the events.",
        "The hook's key is the signing secret of the webhook, which begins with whsec_.",
        "If the key changes, run `rapport hook update {hook} --key KEY`.",
    )
    kept_headers: ClassVar[tuple[str, ...]] = ("svix-id", "webhook-id")

    def check_credentials(self, credentials: Credentials) -> None:
        """Check that each key is a signing key."""
        super().check_credentials(credentials)
        for key in require_keys(credentials.keys, "signing secret"):
            standard.decode_key(key)

    def authenticate(self, request: WebhookRequest, credentials: Credentials) -> None:
        """Check the signature of id, timestamp and body."""
        standard.check_signature(request, require_keys(credentials.keys, "signing secret"))

    def split(self, request: WebhookRequest) -> Sequence[object]:
        """Return the event together with its id, which is in a header."""
        return [{_MESSAGE_ID: standard.message_id(request), "event": decode_json(request.body)}]

    def read(self, item: object, settings: Mapping[str, str]) -> list[Event]:  # noqa: ARG002 - the same for all hooks
        """Return the event. It has no recipient if the message had several: it doesn't say which of them."""
        event = JsonRecord(item).record("event")
        name = event.text("type") or ""
        activity_type = self.find_type(name)
        if not name.startswith("email.") and activity_type is None:
            return []
        data, click = event.record("data"), event.record("data", "click")
        if name == "contact.updated" and not data.is_true("unsubscribed"):
            activity_type = None
        recipients = texts(data.value("to")) or texts(data.value("email"))
        return [
            Event(
                name=name,
                type=activity_type,
                created_time=click.time("timestamp") if click.text("timestamp") else event.time("created_at"),
                event_id=event_identity(self.name, JsonRecord(item).text(_MESSAGE_ID) or ""),
                recipient=parseaddr(recipients[0])[1] or None if len(recipients) == 1 else None,
                message_id=data.text("email_id"),
                link_url=click.text("link"),
                bounce_code=_bounce_code(data, name) if activity_type is ActivityType.EM_BOUNCES else None,
                opt_out_reason=self.opt_out_reason(name),
                user_agent=click.text("userAgent"),
                ip_address=click.text("ipAddress"),
                is_delivery=name == "email.delivered",
                subject=data.text("subject"),
                tags=tuple(_tags(data).values()),
                metadata=_headers(data) | _tags(data),
            )
        ]


def _tags(data: JsonRecord) -> dict[str, str]:
    """Return the tags: an object in newer events, an array of names and values in older ones."""
    tags = data.value("tags")
    if isinstance(tags, list):
        pairs = ((JsonRecord(tag).text("name"), JsonRecord(tag).text("value")) for tag in tags)
        return {name: value for name, value in pairs if name is not None and value is not None}
    return data.record("tags").flat()


def _headers(data: JsonRecord) -> dict[str, str]:
    headers = ((JsonRecord(header).text("name"), JsonRecord(header).value("value")) for header in data.items("headers"))
    fields = {name.lower().removeprefix("x-").replace("-", "_"): as_text(value) for name, value in headers if name}
    return {name: value for name, value in fields.items() if name.startswith("rapport_") and value is not None}


def _bounce_code(data: JsonRecord, name: str) -> BounceCode:
    bounce = data.record("bounce")
    message = bounce.text("message") or ""
    bounce_type, subtype = (bounce.text("type") or "").lower(), (bounce.text("subType") or "").lower()
    if name == "email.suppressed" or subtype in _SUPPRESSED or "suppress" in message.lower():
        return BounceCode.S
    if name == "email.failed":
        # It was never sent: the account's quota, a domain that isn't verified, and the like.
        return BounceCode.X
    text = " ".join((*texts(bounce.value("diagnosticCode")), message))
    code = code_from_status(find_status(text), text)
    if code is not None:
        return code
    if bounce_type == "transient":
        return BounceCode.F if subtype == "mailboxfull" else BounceCode.D
    if bounce_type == "permanent" or "hard bounce" in message.lower():
        return BounceCode.B
    return bounce_code(None, text)
