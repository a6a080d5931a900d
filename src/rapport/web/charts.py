"""Charts, rendered as tables of numbers. static/charts.js draws them."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from rapport.activity import ActivityType
from rapport.instant import SECOND
from rapport.reporting.time_series import TimeSeries
from rapport.web.labels import ACTIVITY_LABELS
from rapport.web.zone import local

_LABELS: Final = {0: "{0.day} {0:%b %Y, %H:%M}", 1: "{0.day} {0:%b %Y}", 7: "week of {0.day} {0:%b %Y}"}
"""The format of a row's label, by the number of days in a bucket; 0 for an hour."""


class Row(NamedTuple):
    """A row: the start of its bucket, in seconds since 1970 and as a label, and a count for each column."""

    begin: int
    label: str
    counts: list[int]


class Chart(NamedTuple):
    """A table with a column for each activity type and a row for each bucket, in the time zone of the series."""

    caption: str
    columns: list[tuple[int, str]]
    rows: list[Row]
    zone: str


def build_chart(caption: str, series: TimeSeries, activity_types: Sequence[ActivityType]) -> Chart | None:
    """Return a chart of the types that have any activities, or None if there are none."""
    types = [activity_type for activity_type in activity_types if series.total(activity_type)]
    if not types:
        return None
    label = _LABELS[series.bucket_days]
    return Chart(
        caption=caption,
        columns=[(int(activity_type), ACTIVITY_LABELS[activity_type]) for activity_type in types],
        rows=[
            Row(
                bucket.start // SECOND,
                label.format(local(bucket.start, series.zone)),
                [bucket.activities.get(activity_type, 0) for activity_type in types],
            )
            for bucket in series.buckets
        ],
        zone=series.zone.key,
    )
