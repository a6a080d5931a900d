"""Instants: UTC milliseconds since 1970 in the house, ISO 8601 with three decimals and `Z` on the wire."""

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final, NewType

Instant = NewType("Instant", int)
"""Milliseconds since 1970-01-01T00:00:00Z."""

SECOND: Final = 1_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

FIRST: Final = Instant(-62_135_596_800_000)
LAST: Final = Instant(253_402_300_799_999)
"""The first and the last instant that ISO 8601 names with four digits of a year, of which the first isn't 0000."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_REMEMBERED: Final = 50_000
_CANONICAL: Final = len("2017-04-02T04:08:34.567Z")
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_MILLISECOND: Final = timedelta(milliseconds=1)
_ISO_8601: Final = re.compile(
    r"\d{4}-?\d\d-?\d\d[T ]\d\d(?::?\d\d(?::?\d\d(?:[.,]\d+)?)?)?(?:Z|[+-]\d\d(?::?\d\d)?)", re.ASCII
)
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_OFFSET: Final = re.compile(r"\d\d:?\d\d", re.ASCII)


def from_datetime(moment: datetime) -> Instant:
    """The instant of an aware `moment`, truncated to the millisecond (docs/compatibility.md#timestamp-precision)."""
    return Instant((moment - _EPOCH) // _MILLISECOND)


def parse_instant(text: str) -> Instant:
    """The instant that an ISO 8601 `text` with any offset names, truncated to the millisecond.

    Raises ValueError when it is no such time, or has no offset.
    """
    if len(text) == _CANONICAL and text[16] == ":":
        # As the wire has it, and most files: from two remembered halves.
        return Instant(_minute_of(text[:17]) + _in_minute_of(text[17:]))
    return _parsed(text)


def _parsed(text: str) -> Instant:
    upper = text.upper()
    if _ISO_8601.fullmatch(upper) is None:
        raise ValueError(f"{text!r} is no ISO 8601 time with an offset")
    return from_datetime(datetime.fromisoformat(upper))


@lru_cache(maxsize=_MOST_REMEMBERED)
def _minute_of(beginning: str) -> Instant:
    """The instant at which the minute of `2017-04-02T04:08:` begins."""
    return _parsed(f"{beginning}00Z")


@lru_cache(maxsize=MINUTE)
def _in_minute_of(end: str) -> int:
    """The milliseconds of `34.567Z`; of another end, which a text of the same length may have."""
    return _parsed(f"1970-01-01T00:00:{end}")


def parse_query_time(text: str) -> Instant:
    """The instant of a date or time in a query, in every form that clients send (docs/compatibility.md#time-ranges).

    Beside what `parse_instant` takes: a date alone, meaning its midnight in UTC, and an offset whose `+`
    arrived as a blank. Raises ValueError for anything else.
    """
    text = text.strip()
    if _DATE.fullmatch(text):
        text += "T00:00:00Z"
    head, blank, offset = text.rpartition(" ")
    if blank and "T" in head and _OFFSET.fullmatch(offset):
        text = f"{head}+{offset}"
    return parse_instant(text)


def iso(instant: int) -> str:
    """`instant` as the wire has it: `2017-04-02T04:08:00.000Z`."""
    minute, in_minute = divmod(instant, MINUTE)
    second, millisecond = divmod(in_minute, SECOND)
    return f"{format_minute(minute)}{second:02}.{millisecond:03}Z"


@lru_cache(maxsize=_MOST_REMEMBERED)
def format_minute(minute: int) -> str:
    """The beginning of the text of every instant in a minute, counted from 1970: `2017-04-02T04:08:`."""
    day, in_day = divmod(minute, DAY // MINUTE)
    hour, of_hour = divmod(in_day, HOUR // MINUTE)
    return f"{date.fromordinal(_EPOCH_DAY + day).isoformat()}T{hour:02}:{of_hour:02}:"
