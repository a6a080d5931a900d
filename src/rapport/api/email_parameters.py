"""What the reports on e-mails and landing pages are asked with."""

import re
from typing import Final

from rapport.activity import BOUNCE_CODES, EARLIEST, BounceCode
from rapport.api.parameters import (
    Query,
    read_boolean,
    read_bounds,
    read_cursor,
    read_limit,
    read_one,
    read_query,
    read_segments,
)
from rapport.caching import cache_short
from rapport.errors import InvalidField
from rapport.instant import Instant
from rapport.reporting.email import LinksRequest, TrackingRequest, before_all_of
from rapport.store.tracking import NEWEST, Place

MOST_TRACKING_ROWS: Final = 500
UNSAID_LANDING_PAGE_ROWS: Final = 50
LONGEST_FILTER: Final = 255
MAX_LINKS: Final = 1_000

_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]{0,18}", re.ASCII)
_INT64: Final = range(-(2**63), 2**63)
_ALL_CODES: Final = ", ".join(BOUNCE_CODES)


@cache_short(maxsize=512)
def tracking_or_cursor(query_string: bytes, report: str) -> TrackingRequest | str:
    """What a query asks of an e-mail's list: its cursor, else the first page of what its parameters say.

    Raises InvalidField. See docs/compatibility.md#cursor-overrides-parameters.
    """
    query = read_query(query_string)
    cursor = read_cursor(query)
    if cursor is not None:
        return cursor
    not_before, behind = _within(query)
    return TrackingRequest(
        limit=read_limit(query, MOST_TRACKING_ROWS),
        not_before=not_before,
        behind=behind,
        url_id=_url_id(query) if report == "clicks" else None,
        bounce_codes=_bounce_codes(query) if report == "bounces" else (),
    )


@cache_short(maxsize=512)
def landing_page_or_cursor(query_string: bytes) -> TrackingRequest | str:
    """The same of a landing page's list. Raises InvalidField."""
    query = read_query(query_string)
    cursor = read_cursor(query)
    if cursor is not None:
        return cursor
    not_before, behind = _within(query)
    return TrackingRequest(
        limit=read_limit(query, MOST_TRACKING_ROWS, UNSAID_LANDING_PAGE_ROWS),
        not_before=not_before,
        behind=behind,
        contacts_filter=_contacts_filter(query),
    )


def links_or_cursor(query_string: bytes) -> LinksRequest | str:
    """Return the cursor of the query, or the first page that its parameters ask for. Raises InvalidField."""
    query = read_query(query_string)
    cursor = read_cursor(query)
    if cursor is not None:
        return cursor
    # Constant Contact has no pages here: without a limit a page has all the links that an email may have.
    return LinksRequest(limit=read_limit(query, MAX_LINKS), no_clicks=read_boolean(query, "no_clicks", default=False))


def _within(query: Query) -> tuple[Instant, Place]:
    created_after, created_before = read_bounds(query)
    return (
        EARLIEST if created_after is None else created_after,
        NEWEST if created_before is None else before_all_of(Instant(created_before + 1)),
    )


def _contacts_filter(query: Query) -> str | None:
    text = read_one(query, "contacts_filter")
    if not text:
        return None
    if len(text) > LONGEST_FILTER or not text.isprintable():
        raise InvalidField(
            "contacts_filter", text, f"must be at most {LONGEST_FILTER} characters without control characters"
        )
    return text


def _url_id(query: Query) -> str | None:
    text = read_one(query, "url_id")
    if text is None:
        return None
    if _INTEGER.fullmatch(text) is None or int(text) not in _INT64:
        raise InvalidField("url_id", text, f"must be a whole number of 64 bits, not {text[:20]!r}")
    return text


def _bounce_codes(query: Query) -> tuple[BounceCode, ...]:
    codes = set()
    for segment in read_segments(query, "bounce_code"):
        code = BOUNCE_CODES.get(segment)
        if code is None:
            raise InvalidField(
                "bounce_code", segment, f"must hold bounce codes only, and {segment[:20]!r} is none: {_ALL_CODES}"
            )
        codes.add(code)
    return tuple(sorted(codes))
