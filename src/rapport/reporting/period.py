"""The time that a report is asked for, both ends included (docs/compatibility.md#time-ranges)."""

from datetime import MAXYEAR, UTC, datetime, timedelta
from typing import Final

import msgspec

from rapport.instant import Instant

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Period(msgspec.Struct, frozen=True, array_like=True):
    """From `start` to `end`, which is not before it."""

    start: Instant
    end: Instant

    def is_longer_than(self, years: int) -> bool:
        """Whether it ends after the same day and time so many years later; February 29th is then March 1st."""
        start = _EPOCH + timedelta(milliseconds=self.start)
        end = _EPOCH + timedelta(milliseconds=self.end)
        year = start.year + years
        if year > MAXYEAR:
            return False
        try:
            return end > start.replace(year=year)
        except ValueError:
            return end > start.replace(year=year, month=3, day=1)
