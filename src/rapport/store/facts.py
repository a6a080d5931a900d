"""Which of two statements holds. Pure; every engine applies it.

The rule: that of the later activity, and of two with the same time the one that came last.
"""

from collections.abc import Sequence
from typing import Final, TypeAlias

from rapport.instant import HOUR
from rapport.store.batch import ProfileRow, TimestampedValue

Value: TypeAlias = str | int | None

Attributes: TypeAlias = dict[str, tuple[Value, int]]
"""Of each field that was ever stated, the value that holds and the time of its statement."""

PERSON_FIELDS: Final = ("email_address", "first_name", "last_name")
"""What is said of a contact, in the order of the rows."""


def overrides(stated: TimestampedValue, known: str | None, known_time: int | None) -> bool:
    """Whether a statement is worth a write over what is `known`, which was stated at `known_time`.

    Saying the same again only moves the time, and by less than an hour not even that: a campaign activity of
    which a million opens arrive is not written a million times. Names are told apart by the time to the hour.
    """
    if known is None or known_time is None:
        return True
    if stated.value == known:
        return stated.created_time > known_time + HOUR
    return stated.created_time >= known_time


def latest_said(said: Sequence[ProfileRow]) -> tuple[str | None, ...]:
    """The latest that is said of each field of a contact; of two at the same time, what was said last."""
    if len(said) == 1:
        return said[0][1:4]
    latest: list[tuple[int, str | None]] = [(0, None)] * len(PERSON_FIELDS)
    for _, *values, time in said:
        for place, value in enumerate(values):
            if value is not None and time >= latest[place][0]:
                latest[place] = time, value
    return tuple(value for _, value in latest)
