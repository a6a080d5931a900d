"""Last write wins: the value with the later time, and of two with the same time the one that arrived last."""

from collections.abc import Mapping
from typing import TypeAlias

from rapport.instant import HOUR

Value: TypeAlias = str | int | None

Attributes: TypeAlias = dict[str, tuple[Value, int]]
"""The current value of each attribute that was ever set, and the time at which it was set."""


def is_newer(value: Value, time: int, stored: Value, stored_time: int | None) -> bool:
    """Return True if a value set at `time` replaces the stored one.

    An equal value only updates the time, and only if it is more than an hour later, so that a campaign activity with a
    million opens isn't written a million times. So the time of a value is accurate to the hour.
    """
    if stored_time is None:
        return True
    return time > stored_time + HOUR if value == stored else time >= stored_time


def merge_attributes(attributes: Attributes, values: Mapping[str, Value], time: int) -> bool:
    """Merge values that were set at `time` into the attributes. Return True if that changed them."""
    newer = {
        field: (value, time)
        for field, value in values.items()
        if field not in attributes or is_newer(value, time, *attributes[field])
    }
    attributes.update(newer)
    return bool(newer)
