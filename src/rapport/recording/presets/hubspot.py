"""HubSpot: the pages of its email events API, and tables with the same columns."""

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Final

from rapport.recording.activity_codec import RawActivity
from rapport.recording.presets.base import Preset, Record, Row, Skip, contact_from, first, first_text, nested
from rapport.recording.times import TimeFormat

_TYPES: Final = {
    "SENT": "em_sends",
    "DELIVERED": "em_sends",
    "OPEN": "em_opens",
    "CLICK": "em_clicks",
    "BOUNCE": "em_bounces",
    "STATUSCHANGE": "em_optouts",
    "SPAMREPORT": "em_optouts",
    "FORWARD": "em_forwards",
}
_BOUNCES: Final = {
    "UNKNOWN_USER": "B",
    "MAILBOX_FULL": "F",
    "CONTENT": "Z",
    "SPAM": "Z",
    "POLICY": "Z",
    "MAILBOX_MISCONFIGURATION": "D",
    "ISP_MISCONFIGURATION": "D",
    "DOUBLE_OPT_IN": "Z",
    "THROTTLED": "D",
    "ADDRESS_CHANGE": "B",
    "FILTERED": "Z",
}
_COLUMNS: Final = {
    "email_campaign_id": "emailCampaignId",
    "email_campaign_name": "emailCampaignName",
    "emailcampaignname": "emailCampaignName",
    "device_type": "deviceType",
    "sent_by_id": "sentById",
    "filtered_event": "filteredEvent",
    "portal_subscription_status": "portalSubscriptionStatus",
    "emailcampaignid": "emailCampaignId",
    "devicetype": "deviceType",
    "sentby_id": "sentById",
    "filteredevent": "filteredEvent",
    "portalsubscriptionstatus": "portalSubscriptionStatus",
}


def _is_header(columns: frozenset[str]) -> bool:
    return {"recipient", "type", "created"} <= columns


def _convert_row(row: Row, skip: Skip) -> Sequence[RawActivity]:
    return _convert({_COLUMNS.get(name, name): value for name, value in row.items()}, skip)


def _is_object(record: Record) -> bool:
    if "events" in record and "hasMore" in record:
        return True
    return {"recipient", "type", "created"} <= record.keys()


def _convert(record: Record, skip: Skip) -> Sequence[RawActivity]:
    event = str(record.get("type") or "").upper()
    type_name = _TYPES.get(event)
    label = _skipped(record, event) if type_name is not None else event or "without a type"
    if type_name is None or label is not None:
        skip(label or event)
        return ()
    address = first(record, "recipient")
    line = RawActivity(
        contact_id=contact_from(address),
        campaign_activity_id=first_text(first(record, "emailCampaignId")),
        campaign_activity_name=first_text(first(record, "emailCampaignName", "subject")),
        tracking_activity_type=type_name,
        created_time=first(record, "created"),
        event_id=first_text(first(record, "id")),
        email_address=address,
    )
    if event == "DELIVERED":
        # A message is sent and delivered, and counts once: by its SENT event.
        line.event_id = first_text(first(nested(record, "sentBy"), "id") or first(record, "sentById"))
    if type_name in {"em_opens", "em_clicks"}:
        device = str(record.get("deviceType") or "")
        line.device_type = None if device.upper() in {"", "UNKNOWN"} else device
    if type_name == "em_clicks":
        line.link_url = first(record, "url")
    elif type_name == "em_bounces":
        category = str(record.get("category") or "").upper()
        line.bounce_code = _BOUNCES.get(category) or first_text(first(record, "status", "response", "category"))
    elif event == "SPAMREPORT":
        line.opt_out_reason = "spam complaint"
    return (line,)


def _skipped(record: Record, event: str) -> str | None:
    """Return the reason why an event of a known type isn't an activity, or None if it is one."""
    if record.get("filteredEvent") in (True, "true", "True"):
        return "filtered"
    if event == "STATUSCHANGE" and not _is_unsubscribed(record):
        return "STATUSCHANGE"
    return None


def _is_unsubscribed(record: Record) -> bool:
    if str(record.get("portalSubscriptionStatus") or "").upper() == "UNSUBSCRIBED":
        return True
    subscriptions = record.get("subscriptions")
    return isinstance(subscriptions, list) and any(
        isinstance(subscription, Mapping) and str(subscription.get("status")).upper() == "UNSUBSCRIBED"
        for subscription in subscriptions
    )


HUBSPOT: Final = Preset(
    name="hubspot",
    title="HubSpot",
    is_header=_is_header,
    convert_row=_convert_row,
    is_object=_is_object,
    convert_object=_convert,
    lists=("events",),
    times=TimeFormat(zone=UTC),
)
