"""Mandrill's (Mailchimp Transactional's) webhooks."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final
from urllib.parse import parse_qsl

from rapport.activity import ActivityType, BounceCode
from rapport.capture.bounce_codes import bounce_code
from rapport.capture.errors import InvalidPayload, RefusedRequest
from rapport.capture.event import Event, derived_identity
from rapport.capture.json_record import JsonRecord, decode_json, texts
from rapport.capture.webhooks.provider import MIB, Credentials, HookSetting, Provider, WebhookRequest
from rapport.capture.webhooks.signatures import decode_base64, matches_hmac, require_keys

_FIELD: Final = "mandrill_events"
_MAX_FIELDS: Final = 100
_DESCRIPTIONS: Final = {
    "bad_mailbox": BounceCode.B,
    "invalid_domain": BounceCode.B,
    "mailbox_full": BounceCode.F,
    "general": BounceCode.D,
    "spam": BounceCode.Z,
    "blocked": BounceCode.Z,
    "other": BounceCode.X,
}


class Mandrill(Provider):
    """Mandrill: up to 1000 events in a form field, signed with HMAC over the URL and the fields."""

    name: ClassVar[str] = "mandrill"
    title: ClassVar[str] = "Mandrill"
    events: ClassVar[Mapping[str, ActivityType | None]] = {
        "send": ActivityType.EM_SENDS,
        "delivered": None,
        "open": ActivityType.EM_OPENS,
        "click": ActivityType.EM_CLICKS,
        "hard_bounce": ActivityType.EM_BOUNCES,
        "soft_bounce": ActivityType.EM_BOUNCES,
        "reject": ActivityType.EM_BOUNCES,
        "unsub": ActivityType.EM_OPTOUTS,
        "spam": ActivityType.EM_OPTOUTS,
        "deferral": None,
    }
    complaints: ClassVar[frozenset[str]] = frozenset({"spam"})
    key_name: ClassVar[str | None] = "webhook key"
    settings: ClassVar[tuple[HookSetting, ...]] = (
        HookSetting("url", "The URL as entered at Mandrill, if it isn't the one that `rapport hook create` prints."),
    )
    steps: ClassVar[tuple[str, ...]] = (
        "Open Settings → Webhooks → Add a webhook, enter {url} and select the events.",
        "The hook's key is the key of the webhook.",
        "If the key changes, run `rapport hook update {hook} --key KEY`.",
        "Mandrill signs the URL too: if it is written in another way there, pass it with `--set url=…`.",
    )
    max_body_bytes: ClassVar[int] = 16 * MIB

    def check_credentials(self, credentials: Credentials) -> None:
        """Check that there is a key."""
        super().check_credentials(credentials)
        require_keys(credentials.keys, "webhook key")

    def authenticate(self, request: WebhookRequest, credentials: Credentials) -> None:
        """Check the signature of the URL and the form's fields. An empty list of events needs none: it is a test."""
        fields = _form(request.body)
        if dict(fields).get(_FIELD) == "[]":
            # Mandrill tests the URL before it has shown the key.
            return
        keys = [key.encode() for key in require_keys(credentials.keys, "webhook key")]
        signature = decode_base64(request.headers.get("x-mandrill-signature", ""))
        if not signature:
            raise RefusedRequest("no signature", "the header X-Mandrill-Signature is needed")
        ending = "".join(name + value for name, value in sorted(fields))
        url = credentials.settings.get("url") or request.url

        def matches(variant: str) -> bool:
            return matches_hmac(keys, (variant + ending).encode("utf-8", "surrogatepass"), [signature], "sha1")

        if matches(url):
            return
        for variant in (f"{url}/", url.replace("http://", "https://", 1), url.replace("https://", "http://", 1)):
            if matches(variant):
                raise RefusedRequest("the URL is another one", f"Mandrill was given {variant}; this hook has {url}")
        raise RefusedRequest("the signature doesn't match", f"the key is another one, or Mandrill wasn't given {url}")

    def split(self, request: WebhookRequest) -> Sequence[object]:
        """Return the events in the form field."""
        try:
            fields = dict(_form(request.body))
        except RefusedRequest as exc:
            raise InvalidPayload(str(exc)) from exc
        events = decode_json(fields.get(_FIELD, ""), _FIELD)
        return events if isinstance(events, list) else [events]

    def read(self, item: object, settings: Mapping[str, str]) -> list[Event]:  # noqa: ARG002 - the same for all hooks
        """Return the event; none for a change of Mandrill's own lists of addresses."""
        event = JsonRecord(item)
        if "event" not in event and event.text("type") in {"blacklist", "whitelist", "allowlist", "denylist"}:
            return []
        name = event.text("event") or ""
        activity_type = self.find_type(name)
        message = event.record("msg")
        message_id, url = event.text("_id") or message.text("_id"), event.text("url")
        return [
            Event(
                name=name,
                type=activity_type,
                created_time=event.time("ts"),
                event_id=derived_identity(self.name, message_id, name, event.text("ts"), url),
                recipient=message.text("email"),
                message_id=message_id,
                link_url=url if activity_type is ActivityType.EM_CLICKS else None,
                bounce_code=_bounce_code(message, name) if activity_type is ActivityType.EM_BOUNCES else None,
                opt_out_reason=self.opt_out_reason(name),
                user_agent=event.text("user_agent"),
                ip_address=event.text("ip"),
                is_delivery=name == "delivered",
                subject=message.text("subject"),
                tags=texts(message.value("tags")),
                metadata=message.record("metadata").flat(),
            )
        ]


def _form(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True, max_num_fields=_MAX_FIELDS)
    except ValueError as exc:
        raise RefusedRequest("no signature", f"the body isn't a form with the field {_FIELD}") from exc


def _bounce_code(message: JsonRecord, name: str) -> BounceCode:
    if name == "reject":
        return BounceCode.S
    label = _DESCRIPTIONS.get((message.text("bounce_description") or "").lower())
    return bounce_code(None, message.text("diag"), label)
