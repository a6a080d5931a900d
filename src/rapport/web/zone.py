"""The zone of who looks: their browser keeps its name in a cookie, and without one it is UTC."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from starlette.requests import Request

from rapport.caching import cache_short
from rapport.errors import InvalidField
from rapport.instant import Instant, from_datetime

COOKIE: Final = "rapport_zone"

_UTC: Final = ZoneInfo("UTC")
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+/-]{0,63}", re.ASCII)


def zone_of(request: Request) -> ZoneInfo:
    """The zone in which times and days are shown."""
    return _zone_named(request.cookies.get(COOKIE, ""))


def local(instant: Instant, zone: ZoneInfo) -> datetime:
    """An instant as clocks in the zone show it."""
    try:
        return datetime.fromtimestamp(instant // 1_000, zone)
    except (ValueError, OverflowError):
        # At an end of time, where the zone's clocks are beyond it.
        return datetime.fromtimestamp(instant // 1_000, UTC)


def day_asked(name: str, text: str, zone: ZoneInfo) -> tuple[Instant, Instant] | None:
    """The first and the last instant of a day in the zone; None for no text. Raises InvalidField."""
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
        first, after = _midnight(day, zone), _midnight(day + timedelta(days=1), zone)
    except (ValueError, OverflowError):
        raise InvalidField(name, text, "must be a date: 2026-04-02") from None
    return first, Instant(after - 1)


def _midnight(day: date, zone: ZoneInfo) -> Instant:
    return from_datetime(datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC))


@cache_short(maxsize=1_000)
def _zone_named(name: str) -> ZoneInfo:
    if _NAME.fullmatch(name) is None:
        return _UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return _UTC
