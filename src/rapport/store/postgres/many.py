"""Writes many rows by one statement, which takes them as arrays.

A cluster would send what a SELECT gives by way of files to every shard, which takes it hundreds of milliseconds. So
a cluster gets few rows as VALUES, of which it sends each shard its own, and many in parts that are one shard's.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from rapport.store.postgres.buckets import bucket_of
from rapport.store.postgres.pool import Lent

_FEW: Final = 1_000
"""Rows for which VALUES take less time than a statement for each shard."""

_ROWS: Final = re.compile(
    r"SELECT (?P<gives>[^;]*?)\s+FROM unnest\((?P<arrays>[^()]*)\)\s+AS (?P<name>\w+) \((?P<columns>[^()]*)\)\s+"
    r"(?:ORDER BY [^()]*?\s+)?(?=ON CONFLICT)"
)
_ARRAY: Final = re.compile(r"\$\d+::(\w+)\[\]")
_PLACE: Final = re.compile(r"\$\{(\d+)\}")


class _Insert(NamedTuple):
    """A statement around its rows."""

    before: str
    pieces: list[str]
    """What is between the columns that a row gives."""
    places: list[int]
    """Of each of these columns, which array it is."""
    types: list[str]
    """Of every array."""
    behind: str


async def write_many(
    connection: Lent, statement: str, values: Sequence[Sequence[Any]], *, by: int, in_parts: bool
) -> Sequence[Any]:
    """Run an INSERT … SELECT … FROM unnest(…) with its arrays, and fetch what it returns.

    `by` is the place of the array that tells which shard a row belongs to.
    """
    keys: Sequence[bytes] = values[by]
    if not keys:
        return ()
    if not in_parts:
        return list(await connection.fetch(statement, *values))
    if len(keys) <= _FEW:
        row_after_row = [value for row in zip(*values, strict=True) for value in row]
        return list(await connection.fetch(with_values(statement, len(keys)), *row_after_row))
    found: list[Any] = []
    for places in _by_shard(keys):
        found += await connection.fetch(statement, *([array[place] for place in places] for array in values))
    return found


def _by_shard(keys: Sequence[bytes]) -> Iterable[list[int]]:
    """The places of the keys of each shard, in an order that all keep."""
    places: dict[bytes, list[int]] = {}
    for place, key in enumerate(keys):
        places.setdefault(bucket_of(key), []).append(place)
    return [places[bucket] for bucket in sorted(places)]


@lru_cache
def _insert(statement: str) -> _Insert:
    found = _ROWS.search(statement)
    if found is None:
        raise ValueError(f"no INSERT of arrays: {statement}")
    columns = [column.strip() for column in found["columns"].split(",")]
    first, *pieces = re.split(rf"\b{found['name']}\.(\w+)", found["gives"])
    places = [columns.index(column) for column in pieces[::2]]
    types = _ARRAY.findall(found["arrays"])
    return _Insert(statement[: found.start()], [first, *pieces[1::2]], places, types, statement[found.end() :])


@lru_cache(64)
def with_values(statement: str, rows: int) -> str:
    """The statement with so many rows of VALUES in the place of its arrays."""
    before, (first, *pieces), places, types, behind = _insert(statement)
    width = len(types)
    each = first + "".join(f"${{{place}}}::{types[place]}{piece}" for place, piece in zip(places, pieces, strict=True))
    made = ", ".join(f"({_row(each, 1 + number * width)})" for number in range(rows))
    return f"{before}VALUES {made}\n{behind}"


def _row(gives: str, first: int) -> str:
    return _PLACE.sub(lambda place: f"${first + int(place[1])}", gives)
