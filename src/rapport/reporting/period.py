"""The period that a report covers, both ends included (docs/compatibility.md#time-ranges)."""

from datetime import MAXYEAR, UTC, datetime, timedelta
from typing import Final

import msgspec

from rapport.instant import Instant

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Period(msgspec.Struct, frozen=True, array_like=True):
    """The period from `start` to `end`, where `end` is not before `start`."""

    start: Instant
    end: Instant

    def is_longer_than(self, years: int) -> bool:
        """Return True if it ends after the same day and time `years` later. February 29 counts as March 1 then."""
        start = _EPOCH + timedelta(milliseconds=self.start)
        end = _EPOCH + timedelta(milliseconds=self.end)
        year = start.year + years
        if year > MAXYEAR:
            return False
        try:
            return end > start.replace(year=year)
        except ValueError:
            return end > start.replace(year=year, month=3, day=1)
