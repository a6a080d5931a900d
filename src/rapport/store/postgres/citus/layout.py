"""How a cluster takes the rows of a transaction: each on the shard of its contact, the counts on a shard beside it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final

from rapport.store.postgres.binary import ActivityValues
from rapport.store.postgres.citus.placement import Placement
from rapport.store.postgres.citus.statements import INSERT, SQL
from rapport.store.postgres.layout import Layout
from rapport.store.postgres.pool import Connection

_FEW: Final = 1_000
"""Rows for which VALUES take less time than a statement for each shard."""

_CONTACT: Final = itemgetter(8)


class OthersRecord(Exception):
    """An erasure changes links, which others may click now."""


class ClusterLayout(Layout):
    """The layout of some contacts, whose shards are known."""

    has_staging = False

    # Such a statement would ask every shard.
    joins_arrays = False

    def __init__(self, placement: Placement, shards: Mapping[bytes, int], *, locks_shards: bool = True) -> None:
        """`locks_shards`: an erasure excludes those who record on its shard; else, as in one database, all of them."""
        self._locks_shards = locks_shards
        self._shards = shards
        self._touched = sorted(set(shards.values()))
        bucket_of_shard = {shard: placement.bucket_of(shard) for shard in self._touched}
        self._buckets = {contact: bucket_of_shard[shard] for contact, shard in shards.items()}
        self._shards_of_buckets = {bucket: shard for shard, bucket in bucket_of_shard.items()}

    def divide_by_bucket(self, rows: Sequence[ActivityValues]) -> Iterable[tuple[bytes, Sequence[ActivityValues]]]:
        """The activities of each shard, with the bucket beside them."""
        divided: dict[bytes, list[ActivityValues]] = {}
        for row in rows:
            divided.setdefault(self._buckets[_CONTACT(row)], []).append(row)
        return sorted(divided.items())

    def bucket_of(self, contact: bytes) -> bytes:
        """The bucket beside the contact."""
        return self._buckets[contact]

    def hour_bucket_of(self, bucket: bytes) -> bytes:
        """The same: another would lie on another shard."""
        return bucket

    def divide_keys(
        self, keys: Iterable[tuple[int, int, bytes]], buckets: Iterable[bytes]
    ) -> Mapping[bytes, Sequence[tuple[int, int, bytes]]]:
        """Keys that end with a contact, by the buckets beside the contacts."""
        divided: dict[bytes, list[tuple[int, int, bytes]]] = {bucket: [] for bucket in buckets}
        for key in keys:
            divided[self._buckets[key[2]]].append(key)
        return divided

    async def insert(
        self,
        connection: Connection,
        statements: Mapping[str, str],
        name: str,
        values: Sequence[Sequence[Any]],
        *,
        by: int,
    ) -> Sequence[Any]:
        """Insert few rows as VALUES, of which each shard is sent its own, and many by a statement for each shard."""
        keys: Sequence[bytes] = values[by]
        if not keys:
            return ()
        if len(keys) <= _FEW:
            row_after_row = [value for row in zip(*values, strict=True) for value in row]
            return list(await connection.fetch(statement_with_rows(name, len(values), len(keys)), *row_after_row))
        found: list[Any] = []
        for places in self._by_shard(keys):
            arrays = ([array[place] for place in places] for array in values)
            found += await connection.fetch(statements[name], *arrays)
        return found

    def _by_shard(self, keys: Sequence[bytes]) -> Iterable[list[int]]:
        """The places of the keys of each shard, the shards in an order that all keep."""
        places: dict[int, list[int]] = {}
        for place, key in enumerate(keys):
            shard = self._shards.get(key)
            places.setdefault(self._shards_of_buckets[key] if shard is None else shard, []).append(place)
        return [places[shard] for shard in sorted(places)]

    async def fetch_of_contacts(
        self, connection: Connection, statements: Mapping[str, str], name: str, contacts: Collection[bytes]
    ) -> Sequence[Any]:
        """Run the statement for each contact: rows are locked, and joined laterally, on one shard only."""
        del statements
        return [row for contact in sorted(contacts) for row in await connection.fetch(SQL[name], contact)]

    async def change_contacts(
        self, connection: Connection, statements: Mapping[str, str], name: str, rows: Sequence[tuple[Any, ...]]
    ) -> None:
        """The same with one row after the other: a statement that joins arrays would ask every shard."""
        del statements
        await connection.executemany(SQL[name], sorted(rows, key=itemgetter(0)))

    async def lock_against_erasure(self, connection: Connection) -> None:
        """Keep erasers out of these shards until the transaction ends."""
        await connection.execute(SQL["keep_erasers_out"], self._touched)

    def require_all_writers_out(self) -> None:
        """Raise OthersRecord if only those of this shard are kept out."""
        if self._locks_shards:
            raise OthersRecord

    async def lock_against_writes(self, connection: Connection, statements: Mapping[str, str]) -> None:
        """Keep writers out of this shard: on others they go on, also when a hung node keeps some from an end."""
        if not self._locks_shards:
            await super().lock_against_writes(connection, statements)
            return
        for shard in self._touched:
            await connection.execute(SQL["keep_writers_out"], shard)
        # So that a recount, which locks the table, and an erasure wait for each other.
        await connection.execute(SQL["keep_recounts_out"])


@lru_cache(256)
def statement_with_rows(name: str, columns: int, rows: int) -> str:
    """The INSERT of that name for so many rows of so many columns."""
    made = ", ".join(
        f"({', '.join(f'${first + column}' for column in range(columns))})"
        for first in range(1, 1 + rows * columns, columns)
    )
    return INSERT[name].replace(":rows", made)
