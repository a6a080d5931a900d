"""Write the feed in PostgreSQL: one row for each transaction and account."""

from contextlib import suppress
from struct import Struct
from typing import Final

from rapport.errors import StoreUnavailable
from rapport.store.feed import MIN_KEYS, FeedEntryBuilder, clear_contact, encode_keys
from rapport.store.postgres.pool import Connection, Pool
from rapport.store.postgres.queries import SQL

_SQL: Final = SQL["feed"]

FEED_TIMEOUT: Final = 3.0
FEED_KEY: Final = Struct(">16sBqq")
_PRUNE_AFTER: Final = MIN_KEYS // 10
"""Keys that a process appends before it deletes old rows."""


class FeedWriter:
    """Appends what is recorded, and deletes old rows from time to time."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        # Due with the first group: a process may record no more than once.
        self._appended = _PRUNE_AFTER

    async def append(self, connection: Connection, entries: FeedEntryBuilder[bytes]) -> None:
        """Append what the running transaction has recorded. Call this last in the transaction."""
        rows = list(entries.rows())
        if rows:
            keys = [encode_keys(FEED_KEY, keys) for _, keys, _ in rows]
            await connection.execute(_SQL["add"], [row[0] for row in rows], [row[2] for row in rows], keys)
            self._appended += sum(len(keys) for _, keys, _ in rows)

    async def prune(self) -> None:
        """Delete old rows if many were appended since the last time. If that fails, the next call does it."""
        if self._appended < _PRUNE_AFTER:
            return
        self._appended = 0
        with suppress(StoreUnavailable):
            async with self._pool.acquire(FEED_TIMEOUT) as connection:
                await connection.execute(_SQL["prune"], MIN_KEYS * FEED_KEY.size)


async def remove_contact(connection: Connection, contact: bytes) -> None:
    """Remove all keys of a contact, in the transaction that erases it."""
    for number, keys in await connection.fetch(_SQL["find_by_contact"], contact):
        await connection.execute(_SQL["update_keys"], number, clear_contact(FEED_KEY, keys, contact))
