"""The parts of presets."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias

from rapport.email_address import normalize_address
from rapport.recording.activity_codec import RawActivity
from rapport.recording.times import UNKNOWN_FORMAT, TimeFormat

_MAX_REMEMBERED: Final = 20_000

Row: TypeAlias = Mapping[str, str]
"""A row of a table, by its columns' normal names: `Email Address` is `email_address`."""
Record: TypeAlias = Mapping[str, Any]
"""A JSON object."""
Skip: TypeAlias = Callable[[str], None]
"""A callback for records that aren't activities, with a label for them."""

ConvertRow: TypeAlias = Callable[[Row, Skip], Sequence[RawActivity]]
ConvertObject: TypeAlias = Callable[[Record, Skip], Sequence[RawActivity]]


def _never(_names: frozenset[str]) -> bool:
    return False


def _convert_nothing(_record: Mapping[str, Any], _skip: Skip) -> Sequence[RawActivity]:
    return ()


@dataclass(frozen=True, kw_only=True)
class Preset:
    """The format of one system's files.

    A row or object becomes any number of lines, which may lack what the file doesn't say. `lists` are the keys of lists
    of objects in a document: the pages of an API. `times` is how the system writes times.
    """

    name: str
    title: str
    is_header: Callable[[frozenset[str]], bool] = _never
    convert_row: ConvertRow = _convert_nothing
    is_object: Callable[[Record], bool] = lambda _: False
    convert_object: ConvertObject = _convert_nothing
    lists: tuple[str, ...] = ()
    times: TimeFormat = UNKNOWN_FORMAT


def contact_from(address: object) -> str | None:
    """Return the contact id of a person with only an address: the address in lower case."""
    return _contact_from(address) if isinstance(address, str) and address else None


@lru_cache(maxsize=_MAX_REMEMBERED)
def _contact_from(address: str) -> str | None:
    try:
        return normalize_address(address).lower()
    except ValueError:
        return address.strip().lower() or None


def first(record: Mapping[str, Any], *names: str) -> Any:  # noqa: ANN401 - JSON
    """Return the first of these values that is there and not empty, or None."""
    for name in names:
        value = record.get(name)
        if value or value == 0:
            return value
    return None


def first_text(value: object) -> str | None:
    """Return a text, the first text of a list, or a number as a text."""
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, str):
        return value or None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def nested(record: Mapping[str, Any], name: str) -> Record:
    """Return an object within another one, empty if it isn't there."""
    value = record.get(name)
    return value if isinstance(value, Mapping) else {}
