"""Where the rows of a transaction belong: in one database, all in the same place. A cluster has a layout of its own."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final

from rapport.store.postgres.binary import ActivityValues
from rapport.store.postgres.pool import Connection

_BUCKETS: Final = 32
_FEW_BUCKETS: Final = 4
_CONTACT: Final = itemgetter(8)


def number_bucket(number: int) -> bytes:
    """The bucket with this number."""
    return number.to_bytes(2)


FIRST_BUCKET: Final = number_bucket(0)
"""The bucket of what is counted of all contacts together."""


class Layout:
    """One database: rows are written by one statement, and a transaction counts into one bucket of the stats.

    It is the bucket of the first contact, so that two transactions at once seldom have the same.
    """

    has_staging = True
    """Whether many rows are copied to a temporary table first."""

    joins_arrays = True
    """Whether one statement may join arrays with a table of contacts."""

    def divide_by_bucket(self, rows: Sequence[ActivityValues]) -> Iterable[tuple[bytes, Sequence[ActivityValues]]]:
        """The activities, with the bucket that they are counted in."""
        return [(self.bucket_of(_CONTACT(rows[0])), rows)] if rows else ()

    def bucket_of(self, contact: bytes) -> bytes:
        """The bucket in which a contact is counted. A key is a digest: its bytes are evenly distributed."""
        return number_bucket(contact[0] % _BUCKETS)

    def hour_bucket_of(self, bucket: bytes) -> bytes:
        """The bucket for the hours: of few, as each has many rows."""
        return number_bucket(int.from_bytes(bucket) % _FEW_BUCKETS)

    def divide_keys(
        self, keys: Iterable[tuple[int, int, bytes]], buckets: Iterable[bytes]
    ) -> Mapping[bytes, Sequence[tuple[int, int, bytes]]]:
        """Keys that end with a contact, by the buckets in which the contacts are counted."""
        every = list(keys)
        return dict.fromkeys(buckets, every)

    async def insert(
        self,
        connection: Connection,
        statements: Mapping[str, str],
        name: str,
        values: Sequence[Sequence[Any]],
        *,
        by: int,
    ) -> Sequence[Any]:
        """Run the INSERT of that name with an array for each column, and fetch what it returns.

        `by` is the place of the array that decides on which shard a row lies.
        """
        return list(await connection.fetch(statements[name], *values)) if values[by] else ()

    async def fetch_of_contacts(
        self, connection: Connection, statements: Mapping[str, str], name: str, contacts: Collection[bytes]
    ) -> Sequence[Any]:
        """Run the statement of that name, whose only parameter is an array of contacts."""
        return list(await connection.fetch(statements[name], list(contacts)))

    async def change_contacts(
        self, connection: Connection, statements: Mapping[str, str], name: str, rows: Sequence[tuple[Any, ...]]
    ) -> None:
        """Run the UPDATE of that name with an array for each column of the rows, the first of which is the contact."""
        await connection.execute(statements[name], *zip(*rows, strict=True))

    async def lock_against_erasure(self, connection: Connection) -> None:
        """Keep these contacts from being erased until the transaction ends. One database does as `erasure` is read."""

    def require_all_writers_out(self) -> None:
        """Raise unless `lock_against_writes` keeps out everybody: what becomes of links depends on who else clicks."""

    async def lock_against_writes(self, connection: Connection, statements: Mapping[str, str]) -> None:
        """Keep others from recording these contacts until the transaction ends."""
        await connection.execute(statements["keep_writers_out"])


ONE_DATABASE: Final = Layout()
