"""A year as a calendar: a square for each day, the darker the more was done. Pure."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final, NamedTuple

from rapport.instant import DAY, Instant
from rapport.store.protocol import ActivityDay

WEEKS: Final = 53

_EPOCH_WEEKDAY: Final = 3
"""1970-01-01 was a Thursday; a week begins on Monday."""

_STEPS: Final = (1, 2, 4, 8)
"""From how many activities on a square is as dark."""


class Square(NamedTuple):
    """A day, where it stands, how dark it is, and how much was done."""

    week: int
    weekday: int
    day: int
    shade: int
    activities: int


def squares(days: Iterable[ActivityDay], until: Instant) -> list[Square]:
    """The squares of the last year up to the day of an instant."""
    count: defaultdict[int, int] = defaultdict(int)
    for each in days:
        count[each.day] += each.activities
    last = until // DAY
    monday = last - (last + _EPOCH_WEEKDAY) % 7 - (WEEKS - 1) * 7
    return [
        Square((day - monday) // 7, (day - monday) % 7, day, sum(count[day] >= step for step in _STEPS), count[day])
        for day in range(monday, last + 1)
    ]
