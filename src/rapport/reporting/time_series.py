"""What happened when? Counts of activities by the hour, the day or the week, for the account or a campaign activity.

Made from the counts of the hours, which change with the activities that they count: as many rows as there are hours,
however many activities. A day is that of a time zone, so long as its days begin with an hour of UTC.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from rapport.activity import ActivityType
from rapport.instant import DAY, HOUR, SECOND, Instant, from_datetime
from rapport.store.counters import HourlyCount
from rapport.store.protocol import Store

LONGEST_BY_DAY: Final = 184
"""Days beyond which weeks are told instead: more would be too many to look at."""

_A_DAY: Final = timedelta(days=1)
_UTC: Final = ZoneInfo("UTC")


class Bucket(NamedTuple):
    """An hour, a day or a week: when it begins, and how many activities of each type there are in it."""

    begin: Instant
    activities: Mapping[ActivityType, int]


class TimeSeries(NamedTuple):
    """Slots one after the other, empty ones among them, how many days each is long (0 for an hour), and their zone."""

    slots: list[Bucket]
    days: int
    zone: ZoneInfo

    def total(self, activity_type: ActivityType) -> int:
        """How many activities of a type there are in all of them."""
        return sum(slot.activities.get(activity_type, 0) for slot in self.slots)

    @property
    def types(self) -> list[ActivityType]:
        """The types that there are any activities of."""
        return sorted({activity_type for slot in self.slots for activity_type in slot.activities})


class CampaignTimeline(NamedTuple):
    """A campaign activity's first hours, from its first send on, and its whole life, by the day or by the week.

    Where it was never sent, as a landing page, its hours begin with its first activity.
    """

    first_hours: TimeSeries
    life: TimeSeries


async def course(
    store: Store, account_id: str, campaign_activity_id: str, hours: int, zone: ZoneInfo
) -> CampaignTimeline:
    """The course of a campaign activity, with so many first hours; an empty one where nothing was done with it."""
    counts = await store.campaign_activity_hourly_counts(account_id, campaign_activity_id)
    if not counts:
        return CampaignTimeline(TimeSeries([], 0, zone), TimeSeries([], 1, zone))
    sends = [each.hour for each in counts if each.type == ActivityType.EM_SENDS]
    begin = sends[0] if sends else counts[0].hour
    counted = _by(counts, lambda hour: hour)
    first, last = counts[0].hour, counts[-1].hour
    day_zone = zone_for_days(zone, _day(first, zone), _day(last, zone))
    return CampaignTimeline(
        TimeSeries([Bucket(hour, counted.get(hour, {})) for hour in _hours(begin, hours)], 0, zone),
        _by_days(counts, _day(first, day_zone), _day(last, day_zone), day_zone),
    )


async def of_account(store: Store, account_id: str, first: date, last: date, zone: ZoneInfo) -> TimeSeries:
    """All that was done in an account from one day to another, both included, by the day or by the week.

    The days are those of UTC where `zone_for_days` says so.
    """
    zone = zone_for_days(zone, first, last)
    counts = await store.account_hourly_counts(account_id, _begin(first, zone), _begin(last + _A_DAY, zone))
    return _by_days(counts, first, last, zone)


def zone_for_days(zone: ZoneInfo, first: date, last: date) -> ZoneInfo:
    """Return the zone if each of its days, from the first to the last, has whole hours of UTC; otherwise UTC.

    Activities are counted by the hour of UTC. A zone may have whole hours in one half of the year only.
    """
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    return zone if all(_has_whole_hours(day, zone) for day in days) else _UTC


@lru_cache(maxsize=20_000)
def _has_whole_hours(day: date, zone: ZoneInfo) -> bool:
    """Return True if each hour of UTC belongs to the day as a whole, or not at all."""
    begin, end = _begin(day, zone), _begin(day + _A_DAY, zone)
    if begin % HOUR or end % HOUR or begin == end:
        return False
    if end - begin == DAY:
        return True
    # The clocks change on it, maybe back into the day before.
    hours = range(begin, end, HOUR)
    return all(_day(Instant(hour), zone) == _day(Instant(hour + HOUR - 1), zone) == day for hour in hours)


def _by_days(counts: Iterable[HourlyCount], first: date, last: date, zone: ZoneInfo) -> TimeSeries:
    days = (last - first).days + 1
    if days <= LONGEST_BY_DAY:
        step, begin = 1, first
    else:
        step, begin = 7, first - timedelta(days=first.weekday())
    counted = _by(counts, lambda hour: (_day(hour, zone) - begin).days // step)
    return TimeSeries(
        [
            Bucket(_begin(max(first, begin + timedelta(days=step * place)), zone), counted.get(place, {}))
            for place in range((last - begin).days // step + 1)
        ],
        step,
        zone,
    )


def _by(counts: Iterable[HourlyCount], place_of: Callable[[Instant], int]) -> dict[int, dict[ActivityType, int]]:
    counted: defaultdict[int, dict[ActivityType, int]] = defaultdict(dict)
    for hour, activity_type, activities in counts:
        of_place = counted[place_of(hour)]
        of_place[ActivityType(activity_type)] = of_place.get(ActivityType(activity_type), 0) + activities
    return counted


def _hours(begin: Instant, hours: int) -> Iterator[Instant]:
    return (Instant(begin + number * HOUR) for number in range(hours))


def _day(moment: Instant, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(moment // SECOND, zone).date()


def _begin(day: date, zone: ZoneInfo) -> Instant:
    return from_datetime(datetime.combine(day, time(), zone))
