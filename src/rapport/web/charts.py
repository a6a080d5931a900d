"""What a chart shows, as a table of numbers: without a script it is read as one; static/charts.js draws it. Pure."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from rapport.activity import ActivityType
from rapport.instant import SECOND
from rapport.reporting.time_series import TimeSeries
from rapport.web.words import ACTIVITY_LABELS
from rapport.web.zone import local

_LABELS: Final = {0: "{0.day} {0:%b %Y, %H:%M}", 1: "{0.day} {0:%b %Y}", 7: "week of {0.day} {0:%b %Y}"}
"""By how many days a slot is long."""


class Row(NamedTuple):
    """A slot: when it begins, in seconds since 1970 and in words, and a number for each column."""

    begin: int
    label: str
    counts: list[int]


class Chart(NamedTuple):
    """A column for each type of activities that is shown, a row for each slot, and the zone of the series."""

    caption: str
    columns: list[tuple[int, str]]
    rows: list[Row]
    zone: str


def chart(caption: str, series: TimeSeries, activity_types: Sequence[ActivityType]) -> Chart | None:
    """The chart of those of the types that there are any activities of; None where there are none."""
    shown = [activity_type for activity_type in activity_types if series.total(activity_type)]
    if not shown:
        return None
    label = _LABELS[series.bucket_days]
    return Chart(
        caption=caption,
        columns=[(int(activity_type), ACTIVITY_LABELS[activity_type]) for activity_type in shown],
        rows=[
            Row(
                bucket.start // SECOND,
                label.format(local(bucket.start, series.zone)),
                [bucket.activities.get(activity_type, 0) for activity_type in shown],
            )
            for bucket in series.buckets
        ],
        zone=series.zone.key,
    )
