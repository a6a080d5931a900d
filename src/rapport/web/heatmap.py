"""The heatmap of a contact's activities in the past year."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final, NamedTuple

WEEKS: Final = 53

_STEPS: Final = (1, 2, 4, 8)
"""The minimum number of activities for each shade."""


class HeatmapDay(NamedTuple):
    """A day: its position, its shade, and its number of activities."""

    week: int
    weekday: int
    day: date
    shade: int
    activities: int


class Heatmap(NamedTuple):
    """The days of a year, the weeks with a month's label, and the totals."""

    days: list[HeatmapDay]
    months: list[tuple[int, str]]
    activities: int
    active_days: int


def get_first_day(last: date) -> date:
    """Return the first day, a Monday, of the heatmap that ends with `last`."""
    return last - timedelta(days=last.weekday() + 7 * (WEEKS - 1))


def build_heatmap(activities: Mapping[date, int], last: date) -> Heatmap:
    """Return the heatmap that ends with `last`, from the number of activities per day."""
    first = get_first_day(last)
    days, months = [], []
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        count = activities.get(day, 0)
        days.append(HeatmapDay(number // 7, number % 7, day, sum(count >= step for step in _STEPS), count))
        # A month's label is three weeks wide, so there is no room for one at the end.
        if day.day == 1 and number // 7 < WEEKS - 2:
            months.append((number // 7, f"{day:%b}"))
    active = [day.activities for day in days if day.activities]
    return Heatmap(days, months, sum(active), len(active))
