"""Mailchimp: the reports of campaigns and members of its API, its export API, and the activity of account exports."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC
from typing import Any, Final

from rapport.recording.activity_codec import RawActivity
from rapport.recording.presets.base import Preset, Record, Row, Skip, contact_from, first, nested
from rapport.recording.times import TimeFormat

_ACTIONS: Final = {
    "send": "em_sends",
    "sent": "em_sends",
    "open": "em_opens",
    "click": "em_clicks",
    "bounce": "em_bounces",
    "unsub": "em_optouts",
    "unsubscribe": "em_optouts",
    "abuse": "em_optouts",
    "forward": "em_forwards",
}
_ADDRESSES: Final = ("email_address", "email")


def _is_header(columns: frozenset[str]) -> bool:
    return (
        not columns.isdisjoint(_ADDRESSES)
        and "timestamp" in columns
        and (not columns.isdisjoint({"url", "ip", "action"}))
    )


def _convert_row(row: Row, skip: Skip) -> Sequence[RawActivity]:
    address = first(row, *_ADDRESSES)
    action = first(row, "action")
    type_name = "em_clicks" if "url" in row else "em_opens"
    if action is not None:
        if action.lower() not in _ACTIONS:
            skip(action)
            return ()
        type_name = _ACTIONS[action.lower()]
    is_click = type_name == "em_clicks"
    return (
        RawActivity(
            contact_id=first(row, "email_id") or contact_from(address),
            campaign_activity_id=first(row, "campaign_id"),
            campaign_activity_name=first(row, "campaign_title", "title"),
            tracking_activity_type=type_name,
            created_time=first(row, "timestamp"),
            email_address=address,
            first_name=first(row, "first_name"),
            last_name=first(row, "last_name"),
            link_url=first(row, "url") if is_click else None,
        ),
    )


def _is_object(record: Record) -> bool:
    if "email_id" in record and not record.keys().isdisjoint({"activity", "opens", "reason", "email_address"}):
        return True
    if not record.keys().isdisjoint(_LISTS) and "total_items" in record:
        return True
    return bool(record) and all("@" in key and isinstance(value, list) for key, value in record.items())


def _convert_object(record: Record, skip: Skip) -> Sequence[RawActivity]:
    if all("@" in key for key in record):
        return [
            line
            for address, activities in record.items()
            for line in _convert_activities({"email_address": address}, activities, skip)
        ]
    if "activity" in record:
        return list(_convert_activities(record, record["activity"], skip))
    if "opens" in record:
        opens = ({**opened, "action": "open"} for opened in record["opens"] if isinstance(opened, Mapping))
        return list(_convert_activities(record, list(opens), skip))
    if "reason" in record:
        return list(_convert_activities(record, [{"action": "unsub", **record}], skip))
    skip("without activity")
    return ()


def _convert_activities(member: Record, activities: Any, skip: Skip) -> Iterator[RawActivity]:  # noqa: ANN401 - JSON
    address, names = first(member, "email_address"), nested(member, "merge_fields")
    for activity in activities if isinstance(activities, list) else ():
        if not isinstance(activity, Mapping):
            continue
        action = str(first(activity, "action", "activity_type") or "")
        type_name = _ACTIONS.get(action.lower())
        if type_name is None:
            skip(action or "without an action")
            continue
        yield RawActivity(
            contact_id=contact_from(address) or first(member, "email_id"),
            campaign_activity_id=first(activity, "campaign_id", "parent_campaign") or first(member, "campaign_id"),
            campaign_activity_name=first(activity, "campaign_title", "title"),
            tracking_activity_type=type_name,
            created_time=first(activity, "timestamp", "created_at_timestamp"),
            email_address=address,
            first_name=first(names, "FNAME"),
            last_name=first(names, "LNAME"),
            link_url=first(activity, "url", "link_clicked") if type_name == "em_clicks" else None,
            bounce_code=first(activity, "type", "bounce_type") if type_name == "em_bounces" else None,
            opt_out_reason=_reason(action, activity) if type_name == "em_optouts" else None,
        )


def _reason(action: str, activity: Record) -> str | None:
    if action == "abuse":
        return "spam complaint"
    reason = first(activity, "reason", "unsubscribe_reason")
    return None if reason is None else str(reason)


_LISTS: Final = ("emails", "members", "unsubscribes")

MAILCHIMP: Final = Preset(
    name="mailchimp",
    title="Mailchimp",
    is_header=_is_header,
    convert_row=_convert_row,
    is_object=_is_object,
    convert_object=_convert_object,
    lists=_LISTS,
    times=TimeFormat(zone=UTC),
)
