"""Instants: UTC milliseconds since 1970 in the code, ISO 8601 with three decimals and `Z` in the API."""

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

MIN_INSTANT: Final = Instant(-62_135_596_800_000)
MAX_INSTANT: Final = Instant(253_402_300_799_999)
"""The bounds of Python's datetime: the years 1 to 9999."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_CACHED: Final = 50_000
_CANONICAL_LENGTH: Final = len("2017-04-02T04:08:34.567Z")
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_MILLISECOND: Final = timedelta(milliseconds=1)
_ISO_8601: Final = re.compile(
    r"\d{4}-?\d\d-?\d\d[T ]\d\d(?::?\d\d(?::?\d\d(?:[.,]\d+)?)?)?(?:Z|[+-]\d\d(?::?\d\d)?)", re.ASCII
)
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_OFFSET: Final = re.compile(r"\d\d:?\d\d", re.ASCII)


def from_datetime(aware: datetime) -> Instant:
    """Return the instant of a datetime, truncated to the millisecond (docs/compatibility.md#timestamp-precision)."""
    return Instant((aware - _EPOCH) // _MILLISECOND)


def parse_instant(text: str) -> Instant:
    """Return the instant of an ISO 8601 time with any offset, truncated to the millisecond.

    Raises ValueError for anything else, and for a time without an offset.
    """
    if len(text) == _CANONICAL_LENGTH and text[16] == ":":
        # The API's own form, which most files have too: add two cached halves.
        return Instant(_parse_minute(text[:17]) + _parse_seconds(text[17:]))
    return _parse(text)


def _parse(text: str) -> Instant:
    upper = text.upper()
    if _ISO_8601.fullmatch(upper) is None:
        raise ValueError(f"{text!r} is not an ISO 8601 time with an offset")
    return from_datetime(datetime.fromisoformat(upper))


@lru_cache(maxsize=_MAX_CACHED)
def _parse_minute(text: str) -> Instant:
    """Return the start of a minute, given as `2017-04-02T04:08:`."""
    return _parse(f"{text}00Z")


@lru_cache(maxsize=MINUTE)
def _parse_seconds(text: str) -> int:
    """Return the milliseconds of `34.567Z`, or of another ending of the same length."""
    return _parse(f"1970-01-01T00:00:{text}")


def parse_query_time(text: str) -> Instant:
    """Return the instant of a date or time in a query, in every form that clients send.

    In addition to what `parse_instant` accepts: a date, which means midnight UTC, and an offset whose `+` was decoded
    as a space (docs/compatibility.md#time-ranges). Raises ValueError for anything else.
    """
    text = text.strip()
    if _DATE.fullmatch(text):
        text += "T00:00:00Z"
    head, blank, offset = text.rpartition(" ")
    if blank and "T" in head and _OFFSET.fullmatch(offset):
        text = f"{head}+{offset}"
    return parse_instant(text)


def iso(instant: int) -> str:
    """Return the instant in ISO 8601, like `2017-04-02T04:08:00.000Z`."""
    minute, in_minute = divmod(instant, MINUTE)
    second, millisecond = divmod(in_minute, SECOND)
    return f"{format_minute(minute)}{second:02}.{millisecond:03}Z"


@lru_cache(maxsize=_MAX_CACHED)
def format_minute(minute: int) -> str:
    """Return a minute, counted from 1970, as the beginning of an ISO 8601 time, like `2017-04-02T04:08:`."""
    day, minute_of_day = divmod(minute, DAY // MINUTE)
    hour, minute_of_hour = divmod(minute_of_day, HOUR // MINUTE)
    return f"{date.fromordinal(_EPOCH_DAY + day).isoformat()}T{hour:02}:{minute_of_hour:02}:"
