"""Read query strings in every encoding that clients send: see docs/compatibility.md."""

import re
from typing import Final, TypeAlias
from urllib.parse import parse_qsl

from starlette.requests import Request

from rapport.errors import InvalidField
from rapport.instant import MAX_INSTANT, MIN_INSTANT, Instant, iso, parse_query_time

Query: TypeAlias = dict[str, list[str]]
"""The values of each parameter, in the order in which they were sent."""

MAX_EXCERPT_LENGTH: Final = 40
"""The number of characters of an invalid value that an error message repeats."""

_MAX_PARAMETERS: Final = 1_000
_OPENING_BRACKET: Final = re.compile(rb"\[|%5B", re.IGNORECASE)
_CLOSING_BRACKETS: Final = (b"]", b"%5D", b"%5d")


def flatten_lists(query_string: bytes) -> bytes:
    """Return the query string with `name[]=` and `name[0]=` as `name=`, in the same order."""
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
    """Return the parameters of a query string. Raises InvalidField when there are too many."""
    query: Query = {}
    try:
        pairs = parse_qsl(query_string.decode("latin-1"), keep_blank_values=True, max_num_fields=_MAX_PARAMETERS)
    except ValueError:
        raise InvalidField("query", None, f"must not have more than {_MAX_PARAMETERS} parameters") from None
    for name, value in pairs:
        query.setdefault(name, []).append(value)
    return query


def get_query(request: Request) -> Query:
    """Return the parameters of the request's query string. Raises InvalidField."""
    return read_query(request.scope["query_string"])


def get_single(query: Query, name: str) -> str | None:
    """Return the value of a parameter that may be sent at most once. Raises InvalidField."""
    values = query.get(name)
    if values is None:
        return None
    if len(values) > 1:
        raise InvalidField(name, values[1], "must not be sent more than once")
    return values[0]


def get_list(query: Query, name: str) -> list[str]:
    """Return the non-blank values of a list, which may be repeated, joined by commas, or both."""
    return [item for value in query.get(name, ()) for part in value.split(",") if (item := part.strip())]


def get_time(query: Query, name: str) -> Instant | None:
    """Return the time of a parameter, in any form that clients send, or None if it is missing. Raises InvalidField."""
    text = get_single(query, name)
    if text is None:
        return None
    try:
        time = parse_query_time(text)
    except ValueError:
        raise InvalidField(
            name, text, f"must be a date or an ISO 8601 time with its offset, not {text[:MAX_EXCERPT_LENGTH]!r}"
        ) from None
    if not MIN_INSTANT <= time <= MAX_INSTANT:
        # Its offset moves it out of the years that a time in UTC can be written in.
        raise InvalidField(
            name, text, f"must be from {iso(MIN_INSTANT)} to {iso(MAX_INSTANT)}, not {text[:MAX_EXCERPT_LENGTH]!r}"
        )
    return time
