"""From what a report says to HTML: templates that escape whatever comes from outside, under a strict policy."""

from functools import partial
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import Response

from rapport.instant import Instant, iso
from rapport.pacing import PacedResponse
from rapport.url_paths import quote_id
from rapport.web.navigation import entries_for
from rapport.web.static import static
from rapport.web.zone import local

_HERE: Final = Path(__file__).parent

HEADERS: Final = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}


def number(value: int) -> str:
    """A number with its thousands apart."""
    return f"{value:,}"


def counted(value: int, one: str, many: str) -> str:
    """How many of what: '1 day', '1,200 days'."""
    return f"{number(value)} {one if value == 1 else many}"


def day_of(instant: Instant, zone: ZoneInfo) -> str:
    """The day as people write it: 'Thursday, 2 April 2026'."""
    moment = local(instant, zone)
    return f"{moment:%A}, {moment.day} {moment:%B %Y}"


def minute_of(instant: Instant, zone: ZoneInfo) -> str:
    """The time of day, '07:12'."""
    return f"{local(instant, zone):%H:%M}"


def moment_of(instant: Instant, zone: ZoneInfo) -> str:
    """Day and time, '2 Apr 2026, 07:12'."""
    moment = local(instant, zone)
    return f"{moment.day} {moment:%b %Y, %H:%M}"


def in_utc(instant: Instant) -> str:
    """The time to the millisecond, for who looks closely: '2026-04-02 07:12:33.120 UTC'."""
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
    number=number,
    counted=counted,
    iso=iso,
    day=day_of,
    minute=minute_of,
    moment=moment_of,
    utc=in_utc,
    segment=quote_id,
)
_TEMPLATES.globals.update(static=static, entries_for=entries_for)


def rendered(template: str, **values: object) -> str:
    """What a template makes of the values."""
    return _TEMPLATES.get_template(template).render(**values)


def page(template: str, *, status: int = 200, **values: object) -> Response:
    """A page made from its template."""
    html = rendered(template, **values)
    return PacedResponse(html, status_code=status, headers=HEADERS, media_type="text/html")


message_page = partial(page, "message.html")
