"""Write the rows of a transaction to a single database. A cluster has its own layout."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final

from rapport.store.postgres.binary import ActivityValues
from rapport.store.postgres.pool import Connection

_BUCKETS: Final = 32
_HOUR_BUCKETS: Final = 4
_CONTACT_COLUMN: Final = itemgetter(8)


def number_bucket(number: int) -> bytes:
    """Return the bucket with a number."""
    return number.to_bytes(2)


GLOBAL_BUCKET: Final = number_bucket(0)
"""The bucket for counts of all contacts together."""


class Layout:
    """One database: one statement writes all rows, and a transaction increments one bucket of the stats.

    It is the bucket of the first contact, so that concurrent transactions rarely use the same one.
    """

    has_staging = True
    """Many rows are copied to a temporary table first."""

    joins_arrays = True
    """A statement may join arrays with a table of contacts."""

    def divide_by_bucket(self, rows: Sequence[ActivityValues]) -> Iterable[tuple[bytes, Sequence[ActivityValues]]]:
        """Return the activities, with the bucket in which they are counted."""
        return [(self.bucket_of(_CONTACT_COLUMN(rows[0])), rows)] if rows else ()

    def bucket_of(self, contact: bytes) -> bytes:
        """Return the bucket in which a contact is counted. Keys are digests, so their bytes are evenly distributed."""
        return number_bucket(contact[0] % _BUCKETS)

    def knows_all(self, contacts: Iterable[bytes]) -> bool:
        """Return True if the layout knows where all of the contacts are stored."""
        del contacts
        return True

    def hour_bucket_of(self, bucket: bytes) -> bytes:
        """Return the bucket for hours. There are only a few, as each has many rows."""
        return number_bucket(int.from_bytes(bucket) % _HOUR_BUCKETS)

    def divide_keys(
        self, keys: Iterable[tuple[int, int, bytes]], buckets: Iterable[bytes]
    ) -> Mapping[bytes, Sequence[tuple[int, int, bytes]]]:
        """Return keys that end with a contact, by the buckets in which the contacts are counted."""
        all_keys = list(keys)
        return dict.fromkeys(buckets, all_keys)

    async def insert(
        self,
        connection: Connection,
        statements: Mapping[str, str],
        name: str,
        values: Sequence[Sequence[Any]],
        *,
        by: int,
    ) -> Sequence[Any]:
        """Run an INSERT with an array for each column, and return its rows.

        `by` is the index of the array that determines the shard of a row.
        """
        return list(await connection.fetch(statements[name], *values)) if values[by] else ()

    async def fetch_of_contacts(
        self, connection: Connection, statements: Mapping[str, str], name: str, contacts: Collection[bytes]
    ) -> Sequence[Any]:
        """Run a query whose only parameter is an array of contacts."""
        return list(await connection.fetch(statements[name], list(contacts)))

    async def change_contacts(
        self, connection: Connection, statements: Mapping[str, str], name: str, rows: Sequence[tuple[Any, ...]]
    ) -> None:
        """Run an UPDATE with an array for each column of the rows, the first of which is the contact."""
        await connection.execute(statements[name], *zip(*rows, strict=True))

    async def lock_against_erasure(self, connection: Connection) -> None:
        """Keep contacts from being erased until the transaction ends. In one database, reading `erasure` does that."""

    def require_all_writers_blocked(self) -> None:
        """Raise unless `lock_against_writes` blocks all writers, as changes to links depend on others' clicks."""

    async def lock_against_writes(self, connection: Connection, statements: Mapping[str, str]) -> None:
        """Keep other transactions from recording these contacts until this one ends."""
        await connection.execute(statements["lock_against_writes"])


ONE_DATABASE: Final = Layout()
