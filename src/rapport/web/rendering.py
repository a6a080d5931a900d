"""From what a report says to HTML: templates that escape whatever comes from outside, under a strict policy."""

from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import Response

from rapport.instant import DAY, Instant, iso
from rapport.web.static import static

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


def day_of(instant: Instant) -> str:
    """The day as people write it: 'Thursday, 2 April 2026', in UTC."""
    moment = datetime.fromtimestamp(instant // 1_000, UTC)
    return f"{moment:%A}, {moment.day} {moment:%B %Y}"


def minute_of(instant: Instant) -> str:
    """The time of day in UTC, '07:12'."""
    return iso(instant)[11:16]


def date_of(day: int) -> str:
    """The date of a day that is counted from 1970: '2026-04-02'."""
    return iso(day * DAY)[:10]


_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
_TEMPLATES.filters.update(number=number, iso=iso, day=day_of, minute=minute_of, date=date_of)
_TEMPLATES.globals["static"] = static


def page(template: str, *, status: int = 200, **values: object) -> Response:
    """A page made from its template."""
    html = _TEMPLATES.get_template(template).render(**values)
    return Response(html, status_code=status, headers=HEADERS, media_type="text/html")


message_page = partial(page, "message.html")
