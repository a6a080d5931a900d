"""Postmark: webhooks, and the pages of its messages and bounces API."""

from collections.abc import Mapping, Sequence
from typing import Final

from rapport.recording.activity_codec import RawActivity
from rapport.recording.presets.base import Preset, Record, Skip, contact_from, first, first_text, nested

_TYPES: Final = {
    "Delivery": "em_sends",
    "Open": "em_opens",
    "Click": "em_clicks",
    "Bounce": "em_bounces",
    "SpamComplaint": "em_optouts",
    "SubscriptionChange": "em_optouts",
}
_BOUNCES: Final = {
    "HardBounce": "B",
    "BadEmailAddress": "B",
    "AddressChange": "B",
    "DnsError": "D",
    "Undeliverable": "D",
    "Transient": "D",
    "SoftBounce": "D",
    "AutoResponder": "V",
    "Blocked": "Z",
    "SpamNotification": "Z",
    "DMARCPolicy": "Z",
    "TemplateRenderingFailed": "X",
    "Unknown": "X",
    "VirusNotification": "Z",
}
_LISTS: Final = ("Opens", "Clicks", "Bounces", "Messages")


def _is_object(record: Record) -> bool:
    if not record.keys().isdisjoint(_LISTS) and "TotalCount" in record:
        return True
    return "MessageID" in record and not record.keys().isdisjoint(
        {"RecordType", "To", "FirstOpen", "BouncedAt", "OriginalLink"}
    )


def _convert_object(record: Record, skip: Skip) -> Sequence[RawActivity]:
    if "To" in record and "RecordType" not in record:
        return _convert_message(record)
    name = _record_type(record)
    type_name = _TYPES.get(name)
    if type_name is None or (name == "SubscriptionChange" and not record.get("SuppressSending")):
        skip(name or "without a RecordType")
        return ()
    address = first(record, "Recipient", "Email")
    line = RawActivity(
        contact_id=contact_from(address),
        campaign_activity_id=_campaign(record),
        tracking_activity_type=type_name,
        created_time=first(record, "ReceivedAt", "DeliveredAt", "BouncedAt", "ChangedAt"),
        email_address=address,
    )
    if type_name == "em_sends":
        line.event_id = first(record, "MessageID")
    elif type_name in {"em_opens", "em_clicks"}:
        platform = first(record, "Platform")
        line.device_type = None if platform == "Unknown" else platform
        line.link_url = first(record, "OriginalLink") if type_name == "em_clicks" else None
    elif type_name == "em_bounces":
        line.event_id = first_text(record.get("ID"))
        line.bounce_code = _BOUNCES.get(str(record.get("Type")), "X")
    else:
        line.opt_out_reason = "spam complaint" if name == "SpamComplaint" else first(record, "SuppressionReason")
    return (line,)


def _convert_message(record: Record) -> Sequence[RawActivity]:
    recipients = record["To"] if isinstance(record["To"], list) else []
    addresses = [recipient.get("Email") for recipient in recipients if isinstance(recipient, Mapping)]
    return [
        RawActivity(
            contact_id=contact_from(address),
            campaign_activity_id=_campaign(record),
            tracking_activity_type="em_sends",
            created_time=first(record, "ReceivedAt"),
            event_id=first(record, "MessageID"),
            email_address=address,
        )
        for address in addresses
    ]


def _record_type(record: Record) -> str:
    """Return the record's type; pages of lists leave it out in older versions."""
    if "RecordType" in record:
        return str(record["RecordType"])
    for key, name in (("BouncedAt", "Bounce"), ("OriginalLink", "Click"), ("FirstOpen", "Open")):
        if key in record:
            return name
    return ""


def _campaign(record: Record) -> str | None:
    """Return what groups the messages of a mailing: its metadata or its tag."""
    metadata = nested(record, "Metadata")
    return first_text(first(metadata, "campaign_activity_id", "campaign_id", "campaign")) or first_text(
        record.get("Tag")
    )


POSTMARK: Final = Preset(
    name="postmark",
    title="Postmark",
    is_object=_is_object,
    convert_object=_convert_object,
    lists=_LISTS,
)
