"""Which of two statements holds. Pure; every engine applies it.

The rule: that of the later activity, and of two with the same time the one that came last.
"""

from rapport.instant import HOUR
from rapport.store.batch import Stated


def overrides(stated: Stated, known: str | None, known_time: int | None) -> bool:
    """Whether a statement is worth a write over what is `known`, which was stated at `known_time`.

    Saying the same again only moves the time, and by less than an hour not even that: a campaign activity of
    which a million opens arrive is not written a million times. Names are told apart by the time to the hour.
    """
    if known is None or known_time is None:
        return True
    if stated.value == known:
        return stated.created_time > known_time + HOUR
    return stated.created_time >= known_time
