"""Cursors in the query strings of pages."""

from typing import Final, NoReturn

from rapport.errors import InvalidField
from rapport.instant import MAX_INSTANT, MIN_INSTANT, Instant

CURSOR: Final = "cursor"


def parse_time(text: str) -> Instant:
    """Return the time in a cursor. Raises ValueError."""
    time = int(text)
    if not MIN_INSTANT <= time <= MAX_INSTANT:
        raise ValueError(text)
    return Instant(time)


def parse_identity(text: str) -> int:
    """Return the identity, or another 64-bit integer, in a cursor. Raises ValueError."""
    identity = int(text)
    if not -(2**63) <= identity < 2**63:
        raise ValueError(text)
    return identity


def reject_cursor(text: str) -> NoReturn:
    """Raise InvalidField for an invalid cursor."""
    raise InvalidField(CURSOR, text, "is invalid; start again from the first page")
