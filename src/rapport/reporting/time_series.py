"""Count activities over time, by hour, day or week, for an account or a campaign activity.

The counts are summed from stored hourly counts, so the cost depends on the number of hours, not of activities. Days are
those of a time zone if they consist of whole hours of UTC, otherwise those of UTC.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from rapport.activity import ActivityType
from rapport.instant import DAY, HOUR, SECOND, Instant, from_datetime
from rapport.store.reports import HourlyCount, ReportRepository

MAX_DAILY_BUCKETS: Final = 184
"""Longer series are grouped by week, so that a chart stays readable."""

_ONE_DAY: Final = timedelta(days=1)
_UTC: Final = ZoneInfo("UTC")


class Bucket(NamedTuple):
    """An hour, a day or a week: its start, and the number of activities by type."""

    start: Instant
    activities: Mapping[ActivityType, int]


class TimeSeries(NamedTuple):
    """Consecutive buckets including empty ones, the days in each (0 if each is an hour), and their time zone."""

    buckets: list[Bucket]
    bucket_days: int
    zone: ZoneInfo

    def total(self, activity_type: ActivityType) -> int:
        """Return the number of activities of a type in all buckets."""
        return sum(bucket.activities.get(activity_type, 0) for bucket in self.buckets)

    @property
    def types(self) -> list[ActivityType]:
        """The activity types that occur in any bucket."""
        return sorted({activity_type for bucket in self.buckets for activity_type in bucket.activities})


class CampaignTimeline(NamedTuple):
    """A campaign activity's first hours, starting with its first send, and its whole lifetime by day or week.

    If it was never sent, for example because it is a landing page, the hours start with its first activity.
    """

    first_hours: TimeSeries
    lifetime: TimeSeries


async def get_campaign_timeline(
    repository: ReportRepository, account_id: str, campaign_activity_id: str, hours: int, zone: ZoneInfo
) -> CampaignTimeline:
    """Return the timeline of a campaign activity with its first `hours` hours, empty if it has no activities."""
    counts = await repository.count_activity_by_hour(account_id, campaign_activity_id)
    if not counts:
        return CampaignTimeline(TimeSeries([], 0, zone), TimeSeries([], 1, zone))
    sends = [count.hour for count in counts if count.type == ActivityType.EM_SENDS]
    start = sends[0] if sends else counts[0].hour
    grouped = _group(counts, lambda hour: hour)
    first, last = counts[0].hour, counts[-1].hour
    day_zone = choose_day_zone(zone, _get_day(first, zone), _get_day(last, zone))
    return CampaignTimeline(
        TimeSeries([Bucket(hour, grouped.get(hour, {})) for hour in _iter_hours(start, hours)], 0, zone),
        _group_by_days(counts, _get_day(first, day_zone), _get_day(last, day_zone), day_zone),
    )


async def get_account_time_series(
    repository: ReportRepository, account_id: str, first: date, last: date, zone: ZoneInfo
) -> TimeSeries:
    """Count the activities of an account from `first` to `last`, both included, by day or week.

    The days are those of the zone that `choose_day_zone` returns.
    """
    zone = choose_day_zone(zone, first, last)
    counts = await repository.count_account_by_hour(
        account_id, _start_of_day(first, zone), _start_of_day(last + _ONE_DAY, zone)
    )
    return _group_by_days(counts, first, last, zone)


def choose_day_zone(zone: ZoneInfo, first: date, last: date) -> ZoneInfo:
    """Return the zone if all its days from `first` to `last` consist of whole hours of UTC, otherwise UTC.

    Activities are counted per hour of UTC. Some zones have whole hours in one half of the year only.
    """
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    return zone if all(_has_whole_hours(day, zone) for day in days) else _UTC


@lru_cache(maxsize=20_000)
def _has_whole_hours(day: date, zone: ZoneInfo) -> bool:
    """Return True if no hour of UTC is partly inside and partly outside the day."""
    start, end = _start_of_day(day, zone), _start_of_day(day + _ONE_DAY, zone)
    if start % HOUR or end % HOUR or start == end:
        return False
    if end - start == DAY:
        return True
    # The clocks change on this day, possibly back into the previous day.
    hours = range(start, end, HOUR)
    return all(_get_day(Instant(hour), zone) == _get_day(Instant(hour + HOUR - 1), zone) == day for hour in hours)


def _group_by_days(counts: Iterable[HourlyCount], first: date, last: date, zone: ZoneInfo) -> TimeSeries:
    days = (last - first).days + 1
    if days <= MAX_DAILY_BUCKETS:
        step, start = 1, first
    else:
        step, start = 7, first - timedelta(days=first.weekday())
    grouped = _group(counts, lambda hour: (_get_day(hour, zone) - start).days // step)
    return TimeSeries(
        [
            Bucket(_start_of_day(max(first, start + timedelta(days=step * index)), zone), grouped.get(index, {}))
            for index in range((last - start).days // step + 1)
        ],
        step,
        zone,
    )


def _group(counts: Iterable[HourlyCount], get_key: Callable[[Instant], int]) -> dict[int, dict[ActivityType, int]]:
    grouped: defaultdict[int, dict[ActivityType, int]] = defaultdict(dict)
    for hour, activity_type, activities in counts:
        bucket_counts = grouped[get_key(hour)]
        bucket_counts[ActivityType(activity_type)] = bucket_counts.get(ActivityType(activity_type), 0) + activities
    return grouped


def _iter_hours(start: Instant, hours: int) -> Iterator[Instant]:
    return (Instant(start + number * HOUR) for number in range(hours))


def _get_day(instant: Instant, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(instant // SECOND, zone).date()


def _start_of_day(day: date, zone: ZoneInfo) -> Instant:
    return from_datetime(datetime.combine(day, time(), zone))
