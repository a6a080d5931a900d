"""The place behind which a list goes on, as an address has it."""

from typing import Final, NoReturn

from rapport.errors import InvalidField
from rapport.instant import FIRST, LAST, Instant

CURSOR: Final = "cursor"


def time_of(text: str) -> Instant:
    """The time of a place. Raises ValueError for what no page gave."""
    time = int(text)
    if not FIRST <= time <= LAST:
        raise ValueError(text)
    return Instant(time)


def identity_of(text: str) -> int:
    """The identity of a place. Raises ValueError for what no page gave."""
    identity = int(text)
    if not -(2**63) <= identity < 2**63:
        raise ValueError(text)
    return identity


def refuse(text: str) -> NoReturn:
    """Tell that no page gave such a place. Raises InvalidField."""
    raise InvalidField(CURSOR, text, "must be a place that a page gave: begin with its first page")
