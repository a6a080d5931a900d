"""Find hours in which a hook had no events although other days suggest some: requests may have been missed."""

from collections.abc import Mapping
from typing import Final

DAYS: Final = 14
"""How many days are compared."""

_HOURS_OF_DAY: Final = 24
_MIN_DAYS: Final = 4
_MIN_EVENTS: Final = 5
"""An hour with so many events on average has none by chance in fewer than 1% of the days."""


def find_missed_hours(events: Mapping[int, int], created_hour: int, current_hour: int) -> list[int]:
    """Return the hours without events, latest first, that had at least 5 events on three quarters of the other days.

    Hours are counted from 1970. `events` has the counts of the last `DAYS` days. The current hour and the one before
    are left out, because their events may still arrive.
    """
    first = max(created_hour + 1, current_hour - DAYS * _HOURS_OF_DAY)
    missed = []
    for hour in range(current_hour - 2, first - 1, -1):
        if events.get(hour, 0):
            continue
        others = [
            events.get(other, 0)
            for other in range(hour % _HOURS_OF_DAY + first - first % _HOURS_OF_DAY, current_hour - 1, _HOURS_OF_DAY)
            if other >= first and other != hour
        ]
        busy = sum(count >= _MIN_EVENTS for count in others)
        if len(others) >= _MIN_DAYS and 4 * busy >= 3 * len(others):
            missed.append(hour)
    return missed
