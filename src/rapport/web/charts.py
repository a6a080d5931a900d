"""What a chart shows, as a table of numbers: without a script it is read as one; static/charts.js draws it. Pure."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from rapport.activity import ActivityType
from rapport.instant import SECOND
from rapport.reporting.over_time import Slots
from rapport.web.words import TYPE_WORDS
from rapport.web.zone import local

_LABELS: Final = {0: "{0.day} {0:%b %Y, %H:%M}", 1: "{0.day} {0:%b %Y}", 7: "week of {0.day} {0:%b %Y}"}
"""By how many days a slot is long."""


class Row(NamedTuple):
    """A slot: when it begins, in seconds since 1970 and in words, and a number for each column."""

    begin: int
    label: str
    counts: list[int]


class Chart(NamedTuple):
    """A column for each type of activities that is shown, a row for each slot, and the zone of the slots."""

    caption: str
    columns: list[tuple[int, str]]
    rows: list[Row]
    zone: str


def chart(caption: str, slots: Slots, kinds: Sequence[ActivityType]) -> Chart | None:
    """The chart of those of the types that there are any activities of; None where there are none."""
    shown = [kind for kind in kinds if slots.total(kind)]
    if not shown:
        return None
    label = _LABELS[slots.days]
    return Chart(
        caption=caption,
        columns=[(int(kind), TYPE_WORDS[kind]) for kind in shown],
        rows=[
            Row(
                slot.begin // SECOND,
                label.format(local(slot.begin, slots.zone)),
                [slot.activities.get(kind, 0) for kind in shown],
            )
            for slot in slots.slots
        ],
        zone=slots.zone.key,
    )
