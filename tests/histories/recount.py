"""The answer by brute force: what a page walk must give, worked out from the lines alone, without the house's code."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

Line = dict[str, Any]


class Item(NamedTuple):
    """An item of an answer, as far as it can be told from the lines."""

    created_time: str
    activity_type: str
    campaign_activity_id: str


def milliseconds(line: Line) -> int:
    """When it happened."""
    time = line["created_time"]
    if isinstance(time, int):
        return time
    return int(datetime.fromisoformat(time).timestamp() * 1000)


def recorded(lines: Iterable[Line]) -> list[Line]:
    """The lines that are activities of their own: each event once, each other activity once."""
    known: set[tuple[Any, ...]] = set()
    kept = []
    for line in lines:
        if "event_id" in line:
            same = ("contact_id", "campaign_activity_id", "tracking_activity_type", "event_id")
            identity: tuple[Any, ...] = tuple(line[field] for field in same)
        else:
            same = ("contact_id", "campaign_activity_id", "tracking_activity_type", "link_url")
            identity = (*(line.get(field) for field in same), milliseconds(line))
        if identity not in known:
            known.add(identity)
            kept.append(line)
    return kept


def items(lines: Iterable[Line], contact_id: str, activity_types: set[str]) -> list[Item]:
    """The contact's items of these types, sorted for a comparison of what there is."""
    return sorted(
        Item(
            datetime.fromtimestamp(milliseconds(line) / 1000, UTC).isoformat(timespec="milliseconds")[:23] + "Z",
            line["tracking_activity_type"],
            line["campaign_activity_id"],
        )
        for line in recorded(lines)
        if line["contact_id"] == contact_id and line["tracking_activity_type"] in activity_types
    )
