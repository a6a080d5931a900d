"""Mailjet's event API."""

from collections.abc import Mapping
from typing import ClassVar, Final

from rapport.activity import ActivityType, BounceCode
from rapport.capture.bounce_codes import bounce_code
from rapport.capture.event import Event, derived_identity
from rapport.capture.json_record import JsonRecord, decode_metadata, texts
from rapport.capture.webhooks.provider import MIB, SecretProvider

_ERRORS: Final = {
    "user unknown": BounceCode.B,
    "invalid domain": BounceCode.B,
    "no mail host": BounceCode.B,
    "typofix": BounceCode.B,
    "quota exceeded": BounceCode.F,
    "greylisted": BounceCode.D,
    "connection issue": BounceCode.D,
    "protocol error": BounceCode.D,
    "preblocked": BounceCode.S,
    "mailbox inactive": BounceCode.S,
    "spam reporter": BounceCode.S,
    "duplicate in campaign": BounceCode.X,
    "size limit": BounceCode.X,
    "system issue": BounceCode.X,
    "template error": BounceCode.X,
    "blacklisted": BounceCode.Z,
    "sender blocked": BounceCode.Z,
    "content blocked": BounceCode.Z,
    "spam content": BounceCode.Z,
    "policy issue": BounceCode.Z,
    "relay/access denied": BounceCode.Z,
    "authentication required": BounceCode.Z,
}


class Mailjet(SecretProvider):
    """Mailjet: an event, or an array of them if events are grouped; not signed."""

    name: ClassVar[str] = "mailjet"
    title: ClassVar[str] = "Mailjet"
    events: ClassVar[Mapping[str, ActivityType | None]] = {
        # The receiving server accepted the message: sent and delivered at once.
        "sent": ActivityType.EM_SENDS,
        "open": ActivityType.EM_OPENS,
        "click": ActivityType.EM_CLICKS,
        "bounce": ActivityType.EM_BOUNCES,
        "blocked": ActivityType.EM_BOUNCES,
        "spam": ActivityType.EM_OPTOUTS,
        "unsub": ActivityType.EM_OPTOUTS,
    }
    complaints: ClassVar[frozenset[str]] = frozenset({"spam"})
    steps: ClassVar[tuple[str, ...]] = (
        "Open Account → Event notifications (webhooks).",
        "Enter {url} for each event and turn Group events on. The secret is part of the URL, so don't publish it.",
    )
    max_body_bytes: ClassVar[int] = 16 * MIB

    def read(self, item: object, settings: Mapping[str, str]) -> list[Event]:  # noqa: ARG002 - the same for all hooks
        """Return the event."""
        event = JsonRecord(item)
        name = event.text("event") or ""
        activity_type = self.find_type(name)
        error = (event.text("error") or "").lower()
        if name == "bounce" and error == "greylisted" and not event.is_true("hard_bounce"):
            # Mailjet keeps trying.
            activity_type = None
        message_id, recipient, url = event.text("MessageID"), event.text("email"), event.text("url")
        metadata = decode_metadata(event.text("Payload"))
        custom_id = event.text("CustomID")
        if custom_id is not None:
            metadata.setdefault("CustomID", custom_id)
        return [
            Event(
                name=name,
                type=activity_type,
                created_time=event.time("time"),
                event_id=derived_identity(self.name, message_id, name, event.text("time"), recipient, url),
                recipient=recipient,
                message_id=message_id,
                link_url=url if activity_type is ActivityType.EM_CLICKS else None,
                bounce_code=bounce_code(None, event.text("comment") or error, _ERRORS.get(error))
                if activity_type is ActivityType.EM_BOUNCES
                else None,
                opt_out_reason=self.opt_out_reason(name),
                user_agent=event.text("agent"),
                ip_address=event.text("ip"),
                is_delivery=name == "sent",
                tags=texts(event.value("customcampaign")),
                metadata=metadata,
            )
        ]
