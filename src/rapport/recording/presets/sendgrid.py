"""SendGrid: the event webhook, and the CSV of the Email Activity Feed."""

import re
from collections.abc import Sequence
from datetime import UTC
from typing import Any, Final

from rapport.recording.activity_codec import RawActivity
from rapport.recording.details import device_from_user_agent
from rapport.recording.presets.base import (
    Preset,
    Record,
    Row,
    Skip,
    contact_from,
    first,
    first_text,
)
from rapport.recording.times import TimeFormat

_EVENTS: Final = {
    "processed": "em_sends",
    "delivered": "em_sends",
    "open": "em_opens",
    "opened": "em_opens",
    "click": "em_clicks",
    "clicked": "em_clicks",
    "bounce": "em_bounces",
    "bounced": "em_bounces",
    "blocked": "em_bounces",
    "spamreport": "em_optouts",
    "spam_report": "em_optouts",
    "spam report": "em_optouts",
    "unsubscribe": "em_optouts",
    "group_unsubscribe": "em_optouts",
    "group unsubscribe": "em_optouts",
}
_QUOTED: Final = re.compile(r'"([^"]+)"')


def _is_header(columns: frozenset[str]) -> bool:
    return {"processed", "message_id", "event", "email"} <= columns


def _convert_row(row: Row, skip: Skip) -> Sequence[RawActivity]:
    categories = first(row, "categories")
    quoted = None if categories is None else _QUOTED.search(categories)
    category = categories if quoted is None else quoted[1]
    return _convert(
        {**row, "useragent": row.get("user_agent"), "sg_message_id": row.get("message_id"), "category": category},
        first(row, "processed"),
        skip,
    )


def _is_object(record: Record) -> bool:
    return "event" in record and "email" in record and not record.keys().isdisjoint({"sg_event_id", "sg_message_id"})


def _convert_object(record: Record, skip: Skip) -> Sequence[RawActivity]:
    return _convert(record, first(record, "timestamp"), skip)


def _convert(record: Record, time: Any, skip: Skip) -> Sequence[RawActivity]:  # noqa: ANN401 - JSON
    event = str(record.get("event") or "without an event").lower()
    type_name = _EVENTS.get(event)
    if type_name is None:
        skip(event)
        return ()
    campaign = first_text(
        first(record, "singlesend_id", "marketing_campaign_id", "mc_auto_id", "category", "template_id")
    )
    line = RawActivity(
        contact_id=contact_from(first(record, "email")),
        campaign_activity_id=campaign,
        campaign_activity_name=first_text(first(record, "singlesend_name", "marketing_campaign_name", "mc_auto_name")),
        tracking_activity_type=type_name,
        created_time=time,
        # A message is processed and delivered, and sent once.
        event_id=first(record, "sg_message_id" if type_name == "em_sends" else "sg_event_id"),
        email_address=first(record, "email"),
    )
    if type_name == "em_sends" and isinstance(line.event_id, str):
        # What follows the first part names the server that took it.
        line.event_id = line.event_id.partition(".")[0]
    if type_name in {"em_opens", "em_clicks"}:
        line.device_type = device_from_user_agent(record.get("useragent"))
    if type_name == "em_clicks":
        line.link_url = first(record, "url")
    elif type_name == "em_bounces":
        line.bounce_code = _bounce_code(record)
    elif type_name == "em_optouts" and event.startswith("spam"):
        line.opt_out_reason = "spam report"
    return (line,)


def _bounce_code(record: Record) -> str | None:
    if record.get("type") == "blocked" or record.get("event") == "blocked":
        return "Z"
    return first_text(first(record, "status", "reason", "type"))


SENDGRID: Final = Preset(
    name="sendgrid",
    title="SendGrid",
    is_header=_is_header,
    convert_row=_convert_row,
    is_object=_is_object,
    convert_object=_convert_object,
    times=TimeFormat(zone=UTC),
)
