"""Postmark's webhooks."""

from collections.abc import Mapping
from typing import ClassVar, Final

from rapport.activity import ActivityType, BounceCode
from rapport.capture.bounce_codes import bounce_code
from rapport.capture.event import Event, derived_identity, event_identity
from rapport.capture.json_record import JsonRecord, texts
from rapport.capture.webhooks.provider import SecretProvider

_TEMPORARY: Final = frozenset({"Transient", "DnsError", "Subscribe"})
_COMPLAINT_TYPES: Final = frozenset({"SpamComplaint", "SpamNotification"})
_TYPES: Final = {
    "HardBounce": BounceCode.B,
    "BadEmailAddress": BounceCode.B,
    "SMTPApiError": BounceCode.D,
    "ManuallyDeactivated": BounceCode.S,
    "Unsubscribe": BounceCode.S,
    "AutoResponder": BounceCode.V,
    "AddressChange": BounceCode.V,
    "ChallengeVerification": BounceCode.V,
    "Unknown": BounceCode.X,
    "VirusNotification": BounceCode.X,
    "Unconfirmed": BounceCode.X,
    "InboundError": BounceCode.X,
    "OpenRelayTest": BounceCode.X,
    "TemplateRenderingFailed": BounceCode.X,
    "Blocked": BounceCode.Z,
    "DMARCPolicy": BounceCode.Z,
}


class Postmark(SecretProvider):
    """Postmark: one event per request, not signed."""

    name: ClassVar[str] = "postmark"
    title: ClassVar[str] = "Postmark"
    events: ClassVar[Mapping[str, ActivityType | None]] = {
        "Delivery": None,
        "Open": ActivityType.EM_OPENS,
        "Click": ActivityType.EM_CLICKS,
        "Bounce": ActivityType.EM_BOUNCES,
        "SpamComplaint": ActivityType.EM_OPTOUTS,
        "SubscriptionChange": ActivityType.EM_OPTOUTS,
        "SMTPApiError": ActivityType.EM_BOUNCES,
    }
    steps: ClassVar[tuple[str, ...]] = (
        "Open the server's message stream → Webhooks → Add webhook.",
        "Enter {url} and select the events. The secret is part of the URL, so don't publish it.",
    )

    def read(self, item: object, settings: Mapping[str, str]) -> list[Event]:  # noqa: ARG002 - the same for all hooks
        """Return the event."""
        event = JsonRecord(item)
        name = event.text("RecordType") or ""
        activity_type = self.find_type(name)
        type_name = event.text("Type") or ""
        reason = None
        if name == "SpamComplaint" or (name == "Bounce" and type_name in _COMPLAINT_TYPES):
            activity_type, reason = ActivityType.EM_OPTOUTS, "complaint"
        elif name == "Bounce" and type_name in _TEMPORARY:
            activity_type = None
        elif name == "SubscriptionChange":
            suppression = event.text("SuppressionReason")
            if not event.is_true("SuppressSending") or suppression == "HardBounce":
                activity_type = None
            elif suppression == "SpamComplaint":
                reason = "complaint"
        recipient = event.text("Recipient", "Email")
        message_id, link = event.text("MessageID"), event.text("OriginalLink")
        times = ("ReceivedAt", "BouncedAt", "DeliveredAt", "ChangedAt")
        identifier = event.text("ID") if name in {"Bounce", "SpamComplaint"} else None
        client = event.record("Client")
        return [
            Event(
                name=f"{name}:{type_name}" if type_name and type_name != name else name,
                type=activity_type,
                created_time=event.time(*times),
                event_id=derived_identity(self.name, message_id, name, recipient, event.text(*times), link)
                if identifier is None
                else event_identity(self.name, identifier),
                recipient=recipient,
                message_id=message_id,
                link_url=link if activity_type is ActivityType.EM_CLICKS else None,
                bounce_code=_bounce_code(event, type_name) if activity_type is ActivityType.EM_BOUNCES else None,
                opt_out_reason=reason,
                user_agent=event.text("UserAgent"),
                ip_address=event.record("Geo").text("IP"),
                machine="gmail" if name == "Open" and client.text("Name") == "Gmail" else None,
                is_delivery=name == "Delivery",
                subject=event.text("Subject"),
                tags=texts(event.value("Tag")),
                metadata=event.record("Metadata").flat(),
            )
        ]


def _bounce_code(event: JsonRecord, type_name: str) -> BounceCode:
    details = event.text("Details", "Description")
    if "inactive" in (event.text("Description") or "").lower() and type_name == "Blocked":
        return BounceCode.S
    label = _TYPES.get(type_name)
    if label in (BounceCode.S, BounceCode.V):
        return label
    return bounce_code(None, details, label)
