"""Mailgun: webhooks, the pages of the events and logs APIs, and CSV exports of its logs."""

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Final

from rapport.recording.activity_codec import RawActivity
from rapport.recording.presets.base import Preset, Record, Row, Skip, contact_from, first, first_text, nested
from rapport.recording.times import TimeFormat

_EVENTS: Final = {
    "accepted": "em_sends",
    "delivered": "em_sends",
    "opened": "em_opens",
    "clicked": "em_clicks",
    "failed": "em_bounces",
    "unsubscribed": "em_optouts",
    "complained": "em_optouts",
}


_TIMES: Final = ("timestamp", "@timestamp")
"""The time in the events API, and in the logs API."""


def _is_header(columns: frozenset[str]) -> bool:
    return {"event", "recipient", "timestamp"} <= columns


def _convert_row(row: Row, skip: Skip) -> Sequence[RawActivity]:
    message_id = first(row, "message_id", "message_headers_message_id")
    return _convert(
        {
            **row,
            "tags": first(row, "tags", "tag"),
            "client-info": {"device-type": first(row, "device_type", "client_info_device_type")},
            "delivery-status": {"code": first(row, "code", "delivery_status_code", "error_code")},
            "message": {"headers": {"message-id": message_id}},
        },
        skip,
    )


def _is_object(record: Record) -> bool:
    items = record.get("items")
    if isinstance(items, list):
        return bool(items) and isinstance(items[0], Mapping) and _is_event(items[0])
    return "event-data" in record or _is_event(record)


def _is_event(record: Record) -> bool:
    return {"event", "recipient"} <= record.keys() and not record.keys().isdisjoint(_TIMES)


def _convert_object(record: Record, skip: Skip) -> Sequence[RawActivity]:
    return _convert(nested(record, "event-data") or record, skip)


def _convert(record: Record, skip: Skip) -> Sequence[RawActivity]:
    event = str(record.get("event") or "").lower()
    type_name = _EVENTS.get(event)
    if type_name is None or (event == "failed" and record.get("severity") == "temporary"):
        skip("failed for the time being" if type_name else event or "without an event")
        return ()
    campaigns = record.get("campaigns")
    campaign = campaigns[0] if isinstance(campaigns, list) and campaigns and isinstance(campaigns[0], dict) else {}
    message_id = first_text(nested(nested(record, "message"), "headers").get("message-id"))
    address = first(record, "recipient")
    line = RawActivity(
        contact_id=contact_from(address),
        campaign_activity_id=first_text(campaign.get("id")) or first_text(record.get("tags")),
        campaign_activity_name=first_text(campaign.get("name")),
        tracking_activity_type=type_name,
        created_time=first(record, *_TIMES),
        # A message is accepted and delivered, and sent once.
        event_id=message_id if type_name == "em_sends" else first_text(record.get("id")),
        email_address=address,
    )
    if type_name in {"em_opens", "em_clicks"}:
        device = nested(record, "client-info").get("device-type")
        line.device_type = None if device == "unknown" else first_text(device)
    if type_name == "em_clicks":
        line.link_url = first(record, "url")
    elif type_name == "em_bounces":
        status = nested(record, "delivery-status")
        line.bounce_code = first_text(first(status, "enhanced-code", "code"))
    elif event == "complained":
        line.opt_out_reason = "spam complaint"
    return (line,)


MAILGUN: Final = Preset(
    name="mailgun",
    title="Mailgun",
    is_header=_is_header,
    convert_row=_convert_row,
    is_object=_is_object,
    convert_object=_convert_object,
    lists=("items",),
    times=TimeFormat(zone=UTC),
)
