"""Mautic: its tables email_stats, page_hits and lead_donotcontact."""

from collections.abc import Sequence
from datetime import UTC
from typing import Any, Final

import msgspec

from rapport.recording.activity_codec import RawActivity
from rapport.recording.details import device_from_user_agent
from rapport.recording.presets.base import Preset, Record, Row, Skip, contact_from, first
from rapport.recording.times import TimeFormat

_UNSUBSCRIBED: Final = "1"
_BOUNCED: Final = "2"
_MANUAL: Final = "3"
_TRUE: Final = {"1", "true", "t"}


def _is_header(columns: frozenset[str]) -> bool:
    return "lead_id" in columns and (
        {"email_id", "date_sent"} <= columns
        or {"email_id", "date_hit"} <= columns
        or {"channel_id", "date_added"} <= columns
    )


def _convert_row(row: Row, skip: Skip) -> Sequence[RawActivity]:
    if "date_sent" in row:
        return _convert_stat(row, skip)
    if "date_hit" in row:
        return _convert_hit(row, skip)
    return _convert_do_not_contact(row, skip)


def _convert_stat(row: Row, skip: Skip) -> Sequence[RawActivity]:
    if not row.get("email_id"):
        skip("without an email")
        return ()
    sent = _line(row, "em_sends", row.get("date_sent"))
    sent.event_id = first(row, "tracking_hash")
    if row.get("is_failed", "").lower() in _TRUE:
        sent.tracking_activity_type = "em_bounces"
        return (sent,)
    return [sent, *_opens(row)]


def _opens(row: Row) -> list[RawActivity]:
    """Return the opens: all of them where open_details has them, else the first and the last."""
    opens: dict[str, RawActivity] = {}
    for detail in _details(row.get("open_details", "")):
        time = first(detail, "datetime")
        if isinstance(time, str):
            opens[time] = _line(row, "em_opens", time)
            opens[time].device_type = device_from_user_agent(detail.get("useragent"))
    for column in ("date_read", "last_opened"):
        time = row.get(column)
        if time and time not in opens:
            opens[time] = _line(row, "em_opens", time)
    return list(opens.values())


def _details(text: str) -> list[Record]:
    try:
        details: Any = msgspec.json.decode(text) if text.startswith("[") else []
    except msgspec.DecodeError:
        return []
    return [detail for detail in details if isinstance(detail, dict)]


def _convert_hit(row: Row, skip: Skip) -> Sequence[RawActivity]:
    if not row.get("email_id"):
        skip("page hits without an email")
        return ()
    line = _line(row, "em_clicks", row.get("date_hit"))
    line.event_id, line.link_url, line.url_id = first(row, "id"), first(row, "url"), first(row, "redirect_id")
    line.device_type = device_from_user_agent(row.get("user_agent"))
    return (line,)


def _convert_do_not_contact(row: Row, skip: Skip) -> Sequence[RawActivity]:
    reason = row.get("reason", "")
    if row.get("channel", "email") != "email" or reason not in {_UNSUBSCRIBED, _BOUNCED, _MANUAL}:
        skip(f"channel {row.get('channel')}" if row.get("channel") != "email" else f"reason {reason}")
        return ()
    line = _line(row, "em_bounces" if reason == _BOUNCED else "em_optouts", row.get("date_added"))
    line.campaign_activity_id, line.event_id = first(row, "channel_id"), first(row, "id")
    if reason != _BOUNCED:
        line.opt_out_reason = first(row, "comments")
    return (line,)


def _line(row: Row, type_name: str, time: str | None) -> RawActivity:
    address = first(row, "email_address", "email")
    return RawActivity(
        contact_id=first(row, "lead_id") or contact_from(address),
        campaign_activity_id=first(row, "email_id"),
        campaign_activity_name=first(row, "email_name", "subject"),
        tracking_activity_type=type_name,
        created_time=time,
        email_address=address,
    )


MAUTIC: Final = Preset(
    name="mautic",
    title="Mautic",
    is_header=_is_header,
    convert_row=_convert_row,
    times=TimeFormat(zone=UTC),
)
