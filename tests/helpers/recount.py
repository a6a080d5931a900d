"""Expected pages, computed by brute force from the lines alone."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

Line = dict[str, Any]


class Item(NamedTuple):
    """The part of a response item that the lines determine."""

    created_time: str
    activity_type: str
    campaign_activity_id: str


def get_milliseconds(line: Line) -> int:
    """Return the time of the activity in milliseconds."""
    time = line["created_time"]
    if isinstance(time, int):
        return time
    return int(datetime.fromisoformat(time).timestamp() * 1000)


def deduplicate(lines: Iterable[Line]) -> list[Line]:
    """Return the lines without repeated events and repeated activities."""
    known: set[tuple[Any, ...]] = set()
    kept = []
    for line in lines:
        if "event_id" in line:
            same = ("contact_id", "campaign_activity_id", "tracking_activity_type", "event_id")
            identity: tuple[Any, ...] = tuple(line[field] for field in same)
        else:
            same = ("contact_id", "campaign_activity_id", "tracking_activity_type", "link_url")
            identity = (*(line.get(field) for field in same), get_milliseconds(line))
        if identity not in known:
            known.add(identity)
            kept.append(line)
    return kept


def expected_items(lines: Iterable[Line], contact_id: str, activity_types: set[str]) -> list[Item]:
    """Return the contact's items of these types, sorted."""
    return sorted(
        Item(
            datetime.fromtimestamp(get_milliseconds(line) / 1000, UTC).isoformat(timespec="milliseconds")[:23] + "Z",
            line["tracking_activity_type"],
            line["campaign_activity_id"],
        )
        for line in deduplicate(lines)
        if line["contact_id"] == contact_id and line["tracking_activity_type"] in activity_types
    )
