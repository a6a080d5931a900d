"""The user's time zone, which the browser keeps in a cookie; UTC without one."""

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


def get_zone(request: Request) -> ZoneInfo:
    """Return the time zone in which times and days are shown."""
    return _zone_named(request.cookies.get(COOKIE, ""))


def local(instant: Instant, zone: ZoneInfo) -> datetime:
    """Return an instant as the local time of the zone."""
    try:
        return datetime.fromtimestamp(instant // 1_000, zone)
    except (ValueError, OverflowError):
        # At a bound of datetime, where the local time is beyond it.
        return datetime.fromtimestamp(instant // 1_000, UTC)


def parse_day(name: str, text: str, zone: ZoneInfo) -> tuple[Instant, Instant] | None:
    """Return the first and the last instant of a day in the zone, or None for an empty text. Raises InvalidField."""
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
        first, after = _midnight(day, zone), _midnight(day + timedelta(days=1), zone)
    except (ValueError, OverflowError):
        raise InvalidField(name, text, "must be a date like 2026-04-02") from None
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
