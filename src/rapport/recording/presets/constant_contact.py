"""Constant Contact: the report exports of its pages, and the pages of its v3 reports."""

from collections.abc import Sequence
from typing import Final

from rapport.activity import TYPES
from rapport.recording.activity_codec import FIELDS, RawActivity
from rapport.recording.presets.base import Preset, Record, Row, Skip, contact_from, first

_TIMES: Final = {
    "em_sends": ("sent_at", "date_sent", "sent_date", "send_date", "time_sent", "sent_time", "sent_on"),
    "em_opens": ("opened_at", "date_opened", "opened_date", "open_date", "time_opened", "open_time", "opened_on"),
    "em_clicks": (
        "clicked_at",
        "date_clicked",
        "clicked_date",
        "click_date",
        "time_clicked",
        "click_time",
        "clicked_on",
    ),
    "em_bounces": ("bounced_at", "date_bounced", "bounced_date", "bounce_date", "time_bounced", "bounce_time"),
    "em_optouts": (
        *("unsubscribed_at", "date_unsubscribed", "unsubscribed_date", "unsubscribe_date", "time_unsubscribed"),
        *("opted_out_at", "date_opted_out", "opt_out_date", "opt_out_time", "email_optout_date"),
    ),
    "em_forwards": ("forwarded_at", "date_forwarded", "forwarded_date", "forward_date", "time_forwarded"),
}
_TYPE_BY_COLUMN: Final = {column: name for name, columns in _TIMES.items() for column in columns}
_ADDRESSES: Final = ("email_address", "email")
_CAMPAIGNS: Final = ("campaign_name", "email_name", "email_campaign_name", "campaign")
_LINKS: Final = ("link_url", "clicked_link", "clicked_link_address", "link_clicked", "link", "url")

_TYPES: Final = {
    "p_contact_opens": "p_contact_open",
    "p_contact_clicks": "p_contact_click",
    "p_contact_adds": "p_contact_add",
    "p_contact_updates": "p_contact_update",
}


def _is_header(columns: frozenset[str]) -> bool:
    return not columns.isdisjoint(_ADDRESSES) and not columns.isdisjoint(_TYPE_BY_COLUMN)


def _convert_row(row: Row, skip: Skip) -> Sequence[RawActivity]:
    lines: list[RawActivity] = []
    address, campaign = first(row, *_ADDRESSES), first(row, *_CAMPAIGNS)
    contact_id = first(row, "contact_id") or contact_from(address)
    for column, value in row.items():
        type_name = _TYPE_BY_COLUMN.get(column)
        if type_name is None or not value:
            continue
        line = RawActivity(
            contact_id=contact_id,
            campaign_activity_id=first(row, "campaign_activity_id") or campaign,
            campaign_activity_name=campaign,
            campaign_id=first(row, "campaign_id"),
            tracking_activity_type=type_name,
            created_time=value,
            email_address=address,
            first_name=first(row, "first_name"),
            last_name=first(row, "last_name"),
        )
        if type_name == "em_clicks":
            line.link_url = first(row, *_LINKS)
        if type_name in {"em_opens", "em_clicks"}:
            line.device_type = first(row, "device_type", "device")
        elif type_name == "em_bounces":
            line.bounce_code = first(row, "bounce_code", "bounce_type", "bounce_reason", "bounce_category", "reason")
        elif type_name == "em_optouts":
            line.opt_out_reason = first(row, "opt_out_reason", "unsubscribe_reason", "email_optout_reason", "reason")
        lines.append(line)
    if not lines:
        skip("without a time")
    return lines


def _is_object(record: Record) -> bool:
    # Single rows have our own fields, but for the names of some types.
    return "tracking_activities" in record or record.get("tracking_activity_type") in list(_TYPES)


def _convert_object(record: Record, skip: Skip) -> Sequence[RawActivity]:
    type_name = record.get("tracking_activity_type")
    name = _TYPES.get(type_name, type_name) if isinstance(type_name, str) else type_name
    if isinstance(name, str) and name not in TYPES:
        skip(name)
        return ()
    fields = {field: record[field] for field in FIELDS if field in record}
    return (RawActivity(**{**fields, "tracking_activity_type": name}),)


CONSTANT_CONTACT: Final = Preset(
    name="constant-contact",
    title="Constant Contact",
    is_header=_is_header,
    convert_row=_convert_row,
    is_object=_is_object,
    convert_object=_convert_object,
    lists=("tracking_activities",),
)
