"""A year as a calendar: a square for each day, the darker the more was done. Pure."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final, NamedTuple

WEEKS: Final = 53

_STEPS: Final = (1, 2, 4, 8)
"""From how many activities on a square is as dark."""


class Square(NamedTuple):
    """A day, where it stands, how dark it is, and how much was done."""

    week: int
    weekday: int
    day: date
    shade: int
    activities: int


class Year(NamedTuple):
    """The squares of a year, the month that begins in a week, and how much was done on how many days."""

    squares: list[Square]
    months: list[tuple[int, str]]
    activities: int
    days: int


def first_day(last: date) -> date:
    """The Monday that a calendar up to a day begins with."""
    return last - timedelta(days=last.weekday() + 7 * (WEEKS - 1))


def year(activities: Mapping[date, int], last: date) -> Year:
    """The calendar up to a day."""
    first = first_day(last)
    squares, months = [], []
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        count = activities.get(day, 0)
        squares.append(Square(number // 7, number % 7, day, sum(count >= step for step in _STEPS), count))
        # A month's name takes three weeks: at the end there is no room for one.
        if day.day == 1 and number // 7 < WEEKS - 2:
            months.append((number // 7, f"{day:%b}"))
    done = [square.activities for square in squares if square.activities]
    return Year(squares, months, sum(done), len(done))
