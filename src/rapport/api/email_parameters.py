"""What the reports on e-mails are asked with (contract 3.1)."""

import re
from functools import lru_cache
from typing import Final

from rapport.activity import BOUNCE_CODES, EARLIEST, ActivityType, BounceCode
from rapport.api.parameters import Query, read_bounds, read_cursor, read_limit, read_one, read_query, read_segments
from rapport.errors import InvalidField
from rapport.instant import Instant
from rapport.reporting.email import TrackingRequest, before_all_of
from rapport.store.tracking import NEWEST

MOST_TRACKING_ROWS: Final = 500

_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]{0,18}", re.ASCII)
_INT64: Final = range(-(2**63), 2**63)
_ALL_CODES: Final = ", ".join(BOUNCE_CODES)


@lru_cache(maxsize=512)
def tracking_or_cursor(query_string: bytes, kind: ActivityType) -> TrackingRequest | str:
    """What a query asks for: its cursor if it has one, else the first page of what its parameters say (choice 12).

    Raises InvalidField.
    """
    query = read_query(query_string)
    cursor = read_cursor(query)
    if cursor is not None:
        return cursor
    created_after, created_before = read_bounds(query)
    return TrackingRequest(
        limit=read_limit(query, MOST_TRACKING_ROWS),
        not_before=EARLIEST if created_after is None else created_after,
        behind=NEWEST if created_before is None else before_all_of(Instant(created_before + 1)),
        url_id=_url_id(query) if kind is ActivityType.EM_CLICKS else None,
        bounce_codes=_bounce_codes(query) if kind is ActivityType.EM_BOUNCES else (),
    )


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
