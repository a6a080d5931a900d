"""Parse times as files contain them: ISO 8601, RFC 2822, numbers since 1970, and the formats of spreadsheets."""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Final, NamedTuple

from rapport.instant import Instant, from_datetime, parse_instant


class DateOrder(Enum):
    """The order of day and month in dates such as `04/02/2026`."""

    MDY = "mdy"
    DMY = "dmy"


class TimeFormat(NamedTuple):
    """The time zone and the order of dates in a file; None where unknown."""

    zone: tzinfo | None = None
    dates: DateOrder | None = None


class AmbiguousDate(ValueError):
    """A date that can be read in two ways."""


UNKNOWN_FORMAT: Final = TimeFormat()

TIMES_ALLOWED: Final = (
    "must be ISO 8601 with an offset or Z, RFC 2822, or seconds, milliseconds or microseconds since 1970"
)
_WITHOUT_ZONE: Final = "has no offset: add one, or import the file with --timezone, such as --timezone Europe/Berlin"
_AMBIGUOUS: Final = "can be read as month/day or day/month: import the file with --dates mdy or --dates dmy"

_NUMBER: Final = re.compile(r"-?\d{1,20}(?:\.\d+)?", re.ASCII)
_MIN_SECONDS: Final = 10**8
_MAX_SECONDS: Final = 10**11
_MAX_MILLISECONDS: Final = 10**14
_MAX_MICROSECONDS: Final = 10**17
_MAX_NANOSECONDS: Final = 10**20

_CLOCK: Final = (
    r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d+))?)?"
    r"(?:\s*(?P<half>[AaPp])\.?[Mm]\.?)?"
)
_ZONE: Final = r"(?:\s*(?P<zone>Z|UTC|GMT|[A-Z]{2,4}|(?:UTC|GMT)?[+-]\d\d(?::?\d\d)?))?"
_YEAR_FIRST: Final = re.compile(
    rf"(?P<year>\d{{4}})[-/.](?P<month>\d{{1,2}})[-/.](?P<day>\d{{1,2}})(?:(?:T|\s+|,\s*){_CLOCK})?{_ZONE}",
    re.ASCII | re.IGNORECASE,
)
_YEAR_LAST: Final = re.compile(
    rf"(?P<first>\d{{1,2}})(?P<separator>[-/.])(?P<second_part>\d{{1,2}})(?P=separator)(?P<year>\d{{4}})"
    rf"(?:(?:T|\s+|,\s*){_CLOCK})?{_ZONE}",
    re.ASCII | re.IGNORECASE,
)
_NAMED_MONTH: Final = re.compile(
    r"(?:[A-Za-z]{3,9},?\s+)??"
    r"(?:(?P<name>[A-Za-z]{3,9})\.?\s+(?P<day>\d{1,2})(?:st|nd|rd|th)?,?|(?P<day_first>\d{1,2})[\s-](?P<name_last>[A-Za-z]{3,9})\.?,?)"
    rf"[\s-]+(?P<year>\d{{4}})(?:(?:,?\s+(?:at\s+)?){_CLOCK})?{_ZONE}",
    re.ASCII,
)
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_US_ZONES: Final = {
    "EST": -5,
    "EDT": -4,
    "CST": -6,
    "CDT": -5,
    "MST": -7,
    "MDT": -6,
    "PST": -8,
    "PDT": -7,
    "Z": 0,
    "UTC": 0,
    "GMT": 0,
    "UT": 0,
}


def parse_time(value: str | float, time_format: TimeFormat = UNKNOWN_FORMAT) -> Instant:
    """Return the instant that a value names, truncated to the millisecond.

    Raises ValueError with the reason; AmbiguousDate if the order of its date isn't known.
    """
    if not isinstance(value, str):
        return _from_int_or_float(value)
    if value[4:5] == "-":
        # The format of the API, and of most files.
        try:
            return parse_instant(value)
        except ValueError:
            pass
    text = value.strip()
    if _NUMBER.fullmatch(text) is not None:
        return _from_number(Decimal(text))
    try:
        return parse_instant(text)
    except ValueError:
        return _parse_text(text, time_format)


def guess_order(value: str) -> DateOrder | None:
    """Return the only order in which a date can be read, or None if both are possible or it isn't such a date."""
    match = _YEAR_LAST.fullmatch(value.strip())
    if match is None or match["separator"] == ".":
        return None
    first, second = int(match["first"]), int(match["second_part"])
    if first > 12 >= second:
        return DateOrder.DMY
    if second > 12 >= first:
        return DateOrder.MDY
    return None


def is_ambiguous(value: str) -> bool:
    """Return True if the value is a date that can be read in two ways."""
    match = _YEAR_LAST.fullmatch(value.strip())
    if match is None or match["separator"] == ".":
        return False
    first, second = int(match["first"]), int(match["second_part"])
    return first != second and first <= 12 and second <= 12


def _from_int_or_float(value: float) -> Instant:
    if isinstance(value, float) and _MIN_SECONDS < value < _MAX_SECONDS:
        # Compensates the rounding error of a float of this magnitude, so that .414 doesn't become .413.
        return Instant(int(value * 1_000 + 0.0005))
    return _from_number(Decimal(repr(value)) if isinstance(value, float) else value)


def _from_number(number: Decimal | int) -> Instant:
    """Return the instant of a number since 1970. Its magnitude tells the unit, as no activity is older than 1990."""
    if isinstance(number, Decimal) and not number.is_finite():
        raise ValueError(TIMES_ALLOWED)
    if not -_MAX_NANOSECONDS < number < _MAX_NANOSECONDS:
        raise ValueError(TIMES_ALLOWED)
    if -_MAX_SECONDS < number < _MAX_SECONDS:
        return Instant(int(number * 1_000 // 1))
    if number < _MAX_MILLISECONDS:
        return Instant(int(number // 1))
    return Instant(int(number // (1_000 if number < _MAX_MICROSECONDS else 1_000_000)))


def _parse_text(text: str, time_format: TimeFormat) -> Instant:
    match = _YEAR_FIRST.fullmatch(text)
    if match is not None:
        return _build(match, int(match["month"]), int(match["day"]), time_format)
    match = _YEAR_LAST.fullmatch(text)
    if match is not None:
        month, day = _order(match, time_format.dates)
        return _build(match, month, day, time_format)
    match = _NAMED_MONTH.fullmatch(text)
    if match is not None:
        name = (match["name"] or match["name_last"])[:3].lower()
        if name in _MONTHS:
            return _build(match, _MONTHS.index(name) + 1, int(match["day"] or match["day_first"]), time_format)
    try:
        parsed = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        raise ValueError(TIMES_ALLOWED) from None
    return _to_instant(parsed, time_format)


def _order(match: re.Match[str], dates: DateOrder | None) -> tuple[int, int]:
    """Return month and day."""
    first, second = int(match["first"]), int(match["second_part"])
    if match["separator"] == ".":
        dates = DateOrder.DMY
    if dates is None:
        dates = guess_order(match[0]) if first != second else DateOrder.MDY
    if dates is None:
        raise AmbiguousDate(_AMBIGUOUS)
    return (first, second) if dates is DateOrder.MDY else (second, first)


def _build(match: re.Match[str], month: int, day: int, time_format: TimeFormat) -> Instant:
    hour, minute, second = (int(match[part] or 0) for part in ("hour", "minute", "second"))
    half = match["half"]
    if half is not None:
        if not 1 <= hour <= 12:
            raise ValueError(TIMES_ALLOWED)
        hour = hour % 12 + (12 if half in "Pp" else 0)
    extra = timedelta()
    if (hour, minute, second) == (24, 0, 0):
        hour, extra = 0, timedelta(days=1)
    if second == 60:
        second, extra = 59, timedelta(milliseconds=999)
    microsecond = int((match["fraction"] or "0")[:6].ljust(6, "0"))
    try:
        parsed = datetime(int(match["year"]), month, day, hour, minute, second, microsecond)  # noqa: DTZ001 - follows
        zone = _parse_zone(match["zone"])
        return _to_instant((parsed if zone is None else parsed.replace(tzinfo=zone)) + extra, time_format)
    except OverflowError:
        raise ValueError(TIMES_ALLOWED) from None
    except ValueError as exc:
        raise ValueError(_WITHOUT_ZONE if str(exc) == _WITHOUT_ZONE else TIMES_ALLOWED) from None


def _parse_zone(text: str | None) -> tzinfo | None:
    if not text:
        return None
    name = text.upper()
    if name in _US_ZONES:
        return timezone(timedelta(hours=_US_ZONES[name]))
    offset = name.removeprefix("UTC").removeprefix("GMT")
    if offset[:1] not in {"+", "-"}:
        raise ValueError(TIMES_ALLOWED)
    digits = offset[1:].replace(":", "").ljust(4, "0")
    minutes = int(digits[:2]) * 60 + int(digits[2:])
    return timezone(timedelta(minutes=-minutes if offset[0] == "-" else minutes))


def _to_instant(parsed: datetime, time_format: TimeFormat) -> Instant:
    if parsed.tzinfo is None:
        if time_format.zone is None:
            raise ValueError(_WITHOUT_ZONE)
        parsed = parsed.replace(tzinfo=time_format.zone)
    try:
        return from_datetime(parsed.astimezone(UTC))
    except OverflowError:
        raise ValueError(TIMES_ALLOWED) from None
