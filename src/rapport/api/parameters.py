"""Every encoding in which clients send a parameter, and the one value that it means.

See docs/compatibility.md#requests-and-parameters.
"""

import re
from typing import Final, NoReturn, TypeAlias
from urllib.parse import parse_qsl

from rapport.activity import EARLIEST, TYPES, ActivityType
from rapport.caching import cache_short
from rapport.errors import InvalidField
from rapport.instant import FIRST, LAST, Instant, iso, parse_bound
from rapport.reporting.contact_summary import SummaryRequest, first_summary
from rapport.reporting.page import PageRequest, up_to
from rapport.reporting.period import Period
from rapport.store.known import Within
from rapport.store.protocol import BEFORE_THE_NEWEST

MOST_ROWS: Final = 100
MOST_YEARS: Final = 5
TYPE_PARAMETERS: Final = ("tracking_activity_type", "tracking_activities_list")

_MOST_PARAMETERS: Final = 1_000
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,3}", re.ASCII)
_ALL_TYPES: Final = ", ".join(TYPES)
_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}

_OPENING_BRACKET: Final = re.compile(rb"\[|%5B", re.IGNORECASE)
_CLOSING_BRACKETS: Final = (b"]", b"%5D", b"%5d")

Query: TypeAlias = dict[str, list[str]]
"""The values of each parameter, in the order of their arrival."""


def flatten_lists(query_string: bytes) -> bytes:
    """Return the query string with `name[]=` and `name[0]=` as `name=`: a repeated parameter, in order of arrival."""
    if b"[" not in query_string and b"%5" not in query_string:
        return query_string
    return b"&".join(_flatten(pair) for pair in query_string.split(b"&"))


def _flatten(pair: bytes) -> bytes:
    name, equals, value = pair.partition(b"=")
    if name.endswith(_CLOSING_BRACKETS):
        bracket = _OPENING_BRACKET.search(name)
        if bracket is not None and bracket.start() > 0:
            name = name[: bracket.start()]
    return name + equals + value


def read_query(query_string: bytes) -> Query:
    """The parameters of a query string, as sent. Raises InvalidField when there are too many."""
    query: Query = {}
    try:
        pairs = parse_qsl(query_string.decode("latin-1"), keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
    except ValueError:
        raise InvalidField("query", None, f"must not have more than {_MOST_PARAMETERS} parameters") from None
    for name, value in pairs:
        query.setdefault(name, []).append(value)
    return query


@cache_short(maxsize=512)
def page_or_cursor(query_string: bytes, default_types: tuple[ActivityType, ...]) -> PageRequest | str:
    """What a query asks for: its cursor if it has one, else the first page of what its parameters say.

    Remembered, because a client asks the same of many contacts. Raises InvalidField.
    See docs/compatibility.md#cursor-overrides-parameters.
    """
    query = read_query(query_string)
    cursor = read_cursor(query)
    return first_page(query, default_types) if cursor is None else cursor


def summary_or_cursor(query_string: bytes) -> SummaryRequest | str:
    """What a query asks for: its cursor if it has one, else the first page of its period. Raises InvalidField."""
    query = read_query(query_string)
    cursor = read_cursor(query)
    return first_summary(_period(query)) if cursor is None else cursor


def period_of_rates(query_string: bytes) -> Period:
    """The period of a query, which the vendor lets be five years at most (docs/compatibility.md#time-ranges).

    Raises InvalidField.
    """
    query = read_query(query_string)
    period = _period(query)
    if period.is_longer_than(MOST_YEARS):
        raise InvalidField("end", query["end"][0], f"must not be more than {MOST_YEARS} years after start")
    return period


def _period(query: Query) -> Period:
    start, end = (_required_bound(query, name) for name in ("start", "end"))
    if start > end:
        raise InvalidField("start", query["start"][0], "must not be later than end")
    return Period(start, end)


def _required_bound(query: Query, name: str) -> Instant:
    bound = _bound(query, name)
    if bound is None:
        raise InvalidField(name, None, "is required: a date or an ISO 8601 time with its offset")
    return bound


def first_page(query: Query, default_types: tuple[ActivityType, ...]) -> PageRequest:
    """The page that the parameters ask for. Raises InvalidField, naming the first that can't be taken.

    `default_types` are those of a request that names none; if there are none of them either, that is an error.
    """
    created_after, created_before = read_bounds(query)
    return PageRequest(
        types=read_types(query) or default_types or _no_types(),
        limit=read_limit(query, MOST_ROWS),
        with_names=read_boolean(query, "include_campaign_activity_names", default=True),
        not_before=EARLIEST if created_after is None else created_after,
        behind=BEFORE_THE_NEWEST if created_before is None else up_to(created_before),
    )


def read_types(query: Query) -> tuple[ActivityType, ...]:
    """The types of activity, by either name of the parameter; none if none are said. Raises InvalidField."""
    given = [name for name in TYPE_PARAMETERS if any(read_segments(query, name))]
    if not given:
        return ()
    if len(given) > 1:
        raise InvalidField(given[0], query[given[0]][0], f"must not be sent together with {given[1]}")
    parameter = given[0]
    types = set()
    for segment in read_segments(query, parameter):
        kind = TYPES.get(segment)
        if kind is None:
            raise InvalidField(
                parameter, segment, f"must hold activity types only, and {segment!r} is none: {_ALL_TYPES}"
            )
        types.add(kind)
    return tuple(sorted(types))


def read_segments(query: Query, name: str) -> list[str]:
    """What a list holds, be it repeated, joined by commas, or both; blanks and empty segments don't count."""
    return [segment for value in query.get(name, ()) for part in value.split(",") if (segment := part.strip())]


def _no_types() -> NoReturn:
    raise InvalidField(TYPE_PARAMETERS[0], None, f"is required, or else {TYPE_PARAMETERS[1]}: {_ALL_TYPES}")


def read_one(query: Query, name: str) -> str | None:
    """The value of a parameter that is sent at most once. Raises InvalidField."""
    values = query.get(name)
    if values is None:
        return None
    if len(values) > 1:
        raise InvalidField(name, values[1], "must not be sent more than once")
    return values[0]


def read_cursor(query: Query) -> str | None:
    """The cursor, if there is one, by either of its names."""
    return read_one(query, "next" if "next" in query else "cursor")


def read_limit(query: Query, most: int, unsaid: int | None = None) -> int:
    """How many rows a page has: `most` at most, and if it isn't said `unsaid`, or else `most`. Raises InvalidField."""
    text = read_one(query, "limit")
    if text is None:
        return unsaid or most
    if _NUMBER.fullmatch(text) is None or int(text) > most:
        raise InvalidField("limit", text, f"must be a whole number from 1 to {most}, not {text[:20]!r}")
    return int(text)


def read_boolean(query: Query, name: str, *, default: bool) -> bool:
    """A boolean in any of its spellings. Raises InvalidField."""
    text = read_one(query, name)
    if text is None:
        return default
    value = _BOOLEANS.get(text.lower())
    if value is None:
        raise InvalidField(name, text, f"must be true or false, not {text[:20]!r}")
    return value


def read_bounds(query: Query) -> tuple[Instant | None, Instant | None]:
    """`created_after` and `created_before`, as far as they are said. Raises InvalidField."""
    within = read_within(query, "created_after", "created_before")
    if within is None:
        return None, None
    return (within.after if "created_after" in query else None), (within.before if "created_before" in query else None)


def read_within(query: Query, after: str, before: str) -> Within | None:
    """The time between the two parameters, if either is said. Raises InvalidField."""
    first, last = _bound(query, after), _bound(query, before)
    if first is None and last is None:
        return None
    within = Within(FIRST if first is None else first, LAST if last is None else last)
    if within.after > within.before:
        raise InvalidField(after, query[after][0], f"must not be later than {before}")
    return within


def _bound(query: Query, name: str) -> Instant | None:
    text = read_one(query, name)
    if text is None:
        return None
    try:
        bound = parse_bound(text)
    except ValueError:
        raise InvalidField(
            name, text, f"must be a date or an ISO 8601 time with its offset, not {text[:40]!r}"
        ) from None
    if not FIRST <= bound <= LAST:
        # Its offset takes it out of the years that a time in UTC can be written in.
        raise InvalidField(name, text, f"must be from {iso(FIRST)} to {iso(LAST)}, not {text[:40]!r}")
    return bound
