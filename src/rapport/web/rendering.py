"""Rendering of pages: Jinja templates that escape all values, and headers with a strict content security policy."""

from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import Response

from rapport.instant import Instant, iso
from rapport.pacing import PacedResponse
from rapport.url_paths import quote_id
from rapport.web.navigation import nav_items
from rapport.web.static import static_url
from rapport.web.zone import local

_HERE: Final = Path(__file__).parent

HEADERS: Final = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}


def format_number(value: int) -> str:
    """Return a number with thousands separators."""
    return f"{value:,}"


def pluralize(value: int, singular: str, plural: str) -> str:
    """Return a number with its noun: '1 day', '1,200 days'."""
    return f"{format_number(value)} {singular if value == 1 else plural}"


def format_day(instant: Instant, zone: ZoneInfo) -> str:
    """Return the day: 'Thursday, 2 April 2026'."""
    local_time = local(instant, zone)
    return f"{local_time:%A}, {local_time.day} {local_time:%B %Y}"


def format_time(instant: Instant, zone: ZoneInfo) -> str:
    """Return the time of day: '07:12'."""
    return f"{local(instant, zone):%H:%M}"


def format_datetime(instant: Instant, zone: ZoneInfo) -> str:
    """Return date and time: '2 Apr 2026, 07:12'."""
    local_time = local(instant, zone)
    return f"{local_time.day} {local_time:%b %Y, %H:%M}"


def format_utc(instant: Instant) -> str:
    """Return the exact time in UTC: '2026-04-02 07:12:33.120 UTC'."""
    return iso(instant).replace("T", " ").replace("Z", " UTC")


_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
_TEMPLATES.filters.update(
    number=format_number,
    pluralize=pluralize,
    iso=iso,
    day=format_day,
    time=format_time,
    datetime=format_datetime,
    utc=format_utc,
    segment=quote_id,
)
_TEMPLATES.globals.update(static_url=static_url, nav_items=nav_items)


def render(template: str, **values: object) -> str:
    """Render a template with the values."""
    return _TEMPLATES.get_template(template).render(**values)


def page(template: str, *, status: int = 200, **values: object) -> Response:
    """Return the response with a rendered template."""
    html = render(template, **values)
    return PacedResponse(html, status_code=status, headers=HEADERS, media_type="text/html")
