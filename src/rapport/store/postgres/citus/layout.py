"""Write the rows of a transaction to a cluster: each, with its counts, to the shard of its contact."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final

from rapport.store.postgres.binary import ActivityValues
from rapport.store.postgres.citus.placement import Placement
from rapport.store.postgres.citus.queries import CLUSTER, INSERT
from rapport.store.postgres.layout import Layout
from rapport.store.postgres.pool import Connection

_VALUES_THRESHOLD: Final = 1_000
"""Rows up to which VALUES are faster than a statement for each shard."""

_CONTACT_COLUMN: Final = itemgetter(8)


class ConcurrentWriters(Exception):
    """An erasure changes links, while contacts on other shards may click them."""


class ClusterLayout(Layout):
    """The layout for contacts whose shards are known."""

    has_staging = False

    # Such a statement would query every shard.
    joins_arrays = False

    def __init__(self, placement: Placement, shards: Mapping[bytes, int], *, locks_shards: bool = True) -> None:
        """With `locks_shards`, an erasure blocks writers on its shard only; otherwise all, as in one database."""
        self._locks_shards = locks_shards
        self._shards = shards
        self._all_shards = sorted(set(shards.values()))
        bucket_of_shard = {shard: placement.bucket_of(shard) for shard in self._all_shards}
        self._buckets = {contact: bucket_of_shard[shard] for contact, shard in shards.items()}
        self._shards_of_buckets = {bucket: shard for shard, bucket in bucket_of_shard.items()}

    def divide_by_bucket(self, rows: Sequence[ActivityValues]) -> Iterable[tuple[bytes, Sequence[ActivityValues]]]:
        """Return the activities of each shard, with the bucket on the same shard."""
        divided: dict[bytes, list[ActivityValues]] = {}
        for row in rows:
            divided.setdefault(self._buckets[_CONTACT_COLUMN(row)], []).append(row)
        return sorted(divided.items())

    def bucket_of(self, contact: bytes) -> bytes:
        """Return the bucket on the contact's shard."""
        return self._buckets[contact]

    def knows_all(self, contacts: Iterable[bytes]) -> bool:
        """Return True if the shards of all of the contacts are known."""
        return all(contact in self._shards for contact in contacts)

    def hour_bucket_of(self, bucket: bytes) -> bytes:
        """Return the same bucket, as another would be on another shard."""
        return bucket

    def divide_keys(
        self, keys: Iterable[tuple[int, int, bytes]], buckets: Iterable[bytes]
    ) -> Mapping[bytes, Sequence[tuple[int, int, bytes]]]:
        """Return keys that end with a contact, by the buckets on the contacts' shards."""
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
        """Insert few rows as VALUES, which the cluster routes, and many by a statement for each shard."""
        keys: Sequence[bytes] = values[by]
        if not keys:
            return ()
        if len(keys) <= _VALUES_THRESHOLD:
            row_after_row = [value for row in zip(*values, strict=True) for value in row]
            return list(await connection.fetch(insert_statement(name, len(values), len(keys)), *row_after_row))
        rows: list[Any] = []
        for indexes in self._group_by_shard(keys):
            arrays = ([array[index] for index in indexes] for array in values)
            rows += await connection.fetch(statements[name], *arrays)
        return rows

    def _group_by_shard(self, keys: Sequence[bytes]) -> Iterable[list[int]]:
        """Return the indexes of the keys of each shard, in an order of shards that all transactions use."""
        indexes: dict[int, list[int]] = {}
        for index, key in enumerate(keys):
            shard = self._shards.get(key)
            indexes.setdefault(self._shards_of_buckets[key] if shard is None else shard, []).append(index)
        return [indexes[shard] for shard in sorted(indexes)]

    async def fetch_of_contacts(
        self, connection: Connection, statements: Mapping[str, str], name: str, contacts: Collection[bytes]
    ) -> Sequence[Any]:
        """Run a query for each contact, as rows can be locked and joined laterally on one shard only."""
        del statements
        return [row for contact in sorted(contacts) for row in await connection.fetch(CLUSTER[name], contact)]

    async def change_contacts(
        self, connection: Connection, statements: Mapping[str, str], name: str, rows: Sequence[tuple[Any, ...]]
    ) -> None:
        """Update one row after another: a statement that joins arrays would query every shard."""
        del statements
        await connection.executemany(CLUSTER[name], sorted(rows, key=itemgetter(0)))

    async def lock_against_erasure(self, connection: Connection) -> None:
        """Keep erasures out of these shards until the transaction ends."""
        await connection.execute(CLUSTER["lock_against_erasure"], self._all_shards)

    def require_all_writers_blocked(self) -> None:
        """Raise ConcurrentWriters if only writers on this shard are blocked."""
        if self._locks_shards:
            raise ConcurrentWriters

    async def lock_against_writes(self, connection: Connection, statements: Mapping[str, str]) -> None:
        """Keep writers out of this shard. On others they continue, even if a hung node blocks some."""
        if not self._locks_shards:
            await super().lock_against_writes(connection, statements)
            return
        for shard in self._all_shards:
            await connection.execute(CLUSTER["lock_against_writes"], shard)
        # So that a verification, which locks the table, and an erasure wait for each other.
        await connection.execute(CLUSTER["lock_against_verification"])


@lru_cache(256)
def insert_statement(name: str, columns: int, rows: int) -> str:
    """Return an INSERT with VALUES for a number of rows and columns."""
    values = ", ".join(
        f"({', '.join(f'${first + column}' for column in range(columns))})"
        for first in range(1, 1 + rows * columns, columns)
    )
    return INSERT[name].replace("{rows}", values)
