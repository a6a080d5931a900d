"""Brevo's webhooks for transactional email."""

from collections.abc import Mapping
from typing import ClassVar, Final

from rapport.activity import ActivityType, BounceCode
from rapport.capture.bounce_codes import bounce_code
from rapport.capture.errors import InvalidPayload
from rapport.capture.event import Event, derived_identity
from rapport.capture.json_record import JsonRecord, decode_json, decode_metadata, texts
from rapport.capture.webhooks.provider import MIB, SecretProvider

_LABELS: Final = {"invalid_email": BounceCode.B, "blocked": BounceCode.S}
# `date` is in the account's time zone, which isn't in the event.
_TIMES: Final = ("ts_epoch", "ts_event", "ts")


class Brevo(SecretProvider):
    """Brevo: an event, or an array of them if the webhook is batched; not signed."""

    name: ClassVar[str] = "brevo"
    title: ClassVar[str] = "Brevo"
    events: ClassVar[Mapping[str, ActivityType | None]] = {
        "request": ActivityType.EM_SENDS,
        "delivered": None,
        "opened": ActivityType.EM_OPENS,
        # Sent instead of `opened` for the first open.
        "unique_opened": ActivityType.EM_OPENS,
        "proxy_open": ActivityType.EM_OPENS,
        "unique_proxy_open": ActivityType.EM_OPENS,
        "click": ActivityType.EM_CLICKS,
        "hard_bounce": ActivityType.EM_BOUNCES,
        "soft_bounce": ActivityType.EM_BOUNCES,
        "invalid_email": ActivityType.EM_BOUNCES,
        "blocked": ActivityType.EM_BOUNCES,
        "error": ActivityType.EM_BOUNCES,
        "unsubscribe": ActivityType.EM_OPTOUTS,
        "unsubscribed": ActivityType.EM_OPTOUTS,
        "spam": ActivityType.EM_OPTOUTS,
        "complaint": ActivityType.EM_OPTOUTS,
        "deferred": None,
    }
    complaints: ClassVar[frozenset[str]] = frozenset({"spam", "complaint"})
    steps: ClassVar[tuple[str, ...]] = (
        "Open Transactional → Settings → Webhook → Add a new webhook.",
        "Enter {url} and select the events. The secret is part of the URL, so don't publish it.",
    )
    max_body_bytes: ClassVar[int] = 16 * MIB
    retry_status: ClassVar[int] = 429
    """The only status after which Brevo tries again; it drops the events of every other one."""

    def read(self, item: object, settings: Mapping[str, str]) -> list[Event]:  # noqa: ARG002 - the same for all hooks
        """Return the event."""
        event = JsonRecord(item)
        name = event.text("event") or ""
        activity_type = self.find_type(name)
        message_id, recipient, url = event.text("message-id"), event.text("email"), event.text("link")
        created_time = event.time(*_TIMES)
        normalized_name = "opened" if name == "unique_opened" else name
        return [
            Event(
                name=name,
                type=activity_type,
                created_time=created_time,
                # `id` is the webhook's.
                event_id=derived_identity(self.name, message_id, normalized_name, created_time, recipient, url),
                recipient=recipient,
                message_id=message_id,
                link_url=url if activity_type is ActivityType.EM_CLICKS else None,
                bounce_code=_bounce_code(event, name) if activity_type is ActivityType.EM_BOUNCES else None,
                opt_out_reason=self.opt_out_reason(name),
                user_agent=event.text("user_agent"),
                machine="proxy" if name in {"proxy_open", "unique_proxy_open"} else None,
                is_delivery=name == "delivered",
                subject=event.text("subject"),
                tags=_tags(event),
                metadata=decode_metadata(event.text("X-Mailin-custom")),
            )
        ]


def _bounce_code(event: JsonRecord, name: str) -> BounceCode:
    label = _LABELS.get(name)
    if label is BounceCode.S:
        return label
    if name == "hard_bounce" and label is None:
        # The reason often has 5.5.0, which says nothing, before a sentence that does.
        return bounce_code(None, event.text("reason"))
    return bounce_code(None, event.text("reason"), label)


def _tags(event: JsonRecord) -> tuple[str, ...]:
    """Return the tags. `tag` is one tag, or a JSON array of them as text."""
    tags = texts(event.value("tags"))
    if tags:
        return tags
    tag = event.value("tag")
    if isinstance(tag, str) and tag.startswith("["):
        try:
            return texts(decode_json(tag))
        except InvalidPayload:
            return (tag,)
    return texts(tag)
