"""The connections to a PostgreSQL database or a Citus cluster."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

from rapport.store.hashing import contact_key
from rapport.store.postgres.citus.cluster import Cluster
from rapport.store.postgres.citus.tables import DISTRIBUTED_TABLES
from rapport.store.postgres.layout import ONE_DATABASE, Layout
from rapport.store.postgres.pool import SHARED, Connection, Contacts, Pool, Reach
from rapport.store.postgres.queries import PARAM_NAMES, SQL
from rapport.store.postgres.writer import Writer
from rapport.store.sql_engine import Params, Row, Statement

READ_TIMEOUT: Final = 12.0
"""Seconds for a read, including the wait for a connection."""
_EXECUTE_TIMEOUT: Final = 15.0

_CONTACT_EXISTS: Final = SQL["activities"]["contact_exists"]
_DISTRIBUTED: Final = re.compile(rf"\b(?:FROM|JOIN) (?:{'|'.join(DISTRIBUTED_TABLES)})\b")


class Engine:
    """Connections for reads and for writes. Every method raises StoreUnavailable."""

    sql: Mapping[str, Mapping[str, str]] = SQL

    def __init__(self, url: str, connections: int, *, use_pgbouncer: bool) -> None:
        # Separate pools, so that waiting writes don't keep pages from being read.
        self.reading = Pool(url, connections // 2, use_pgbouncer=use_pgbouncer)
        self.writing = Pool(url, connections // 2, use_pgbouncer=use_pgbouncer)
        self.writer = Writer(self.writing)
        self.cluster: Cluster | None = None
        self._url = url
        self._use_pgbouncer = use_pgbouncer

    async def open(self) -> None:
        """Connect to the database."""
        await self.reading.open()
        await self.writing.open()

    async def open_cluster(self) -> None:
        """Read and write as a cluster does, whose tables are distributed."""
        self.cluster = Cluster(self._url, use_pgbouncer=self._use_pgbouncer)
        self.writer = await self.cluster.open(self.reading, self.writing)

    def stop_reports(self) -> None:
        """Refuse waiting reads, and terminate the connections of running ones."""
        self.reading.stop()

    async def close(self) -> None:
        """Close all connections."""
        cluster, self.cluster = self.cluster, None
        if cluster is not None:
            await cluster.close()
        await self.writing.close()
        await self.reading.close()

    @property
    def layout(self) -> Layout:
        """Return the layout for contacts whose shards aren't known."""
        return ONE_DATABASE if self.cluster is None else self.cluster.layout

    async def fetch_all(
        self,
        query: str,
        params: Params,
        *,
        account_id: str = SHARED,
        bounded: bool = False,  # noqa: ARG002 - a distinction of SQLite
    ) -> Sequence[Row]:
        """Return all rows. See `SqlEngine`."""
        values = dict(params)
        contacts: Contacts = Reach.ALL if reads_contacts(query) else ()
        if "contact" in PARAM_NAMES[query]:
            values["contact"] = contact_key(params["account_id"], params["contact_id"])
            contacts = [values["contact"]]
        async with self.reading.acquire(READ_TIMEOUT, account_id, contacts) as connection:
            rows: Sequence[Row] = await connection.fetch(query, *bind(query, values))
            return rows

    async def fetch_one(
        self, query: str, params: Params, *, account_id: str = SHARED, bounded: bool = False
    ) -> Row | None:
        """Return the first row, or None."""
        rows = await self.fetch_all(query, params, account_id=account_id, bounded=bounded)
        return rows[0] if rows else None

    async def fetch_of_contact(
        self, query: str, account_id: str, contact_id: str, params: Params
    ) -> Sequence[Row] | None:
        """Return all rows of a query about `:contact`, or None if the contact doesn't exist."""
        contact = contact_key(account_id, contact_id)
        async with self.reading.acquire(READ_TIMEOUT, account_id, [contact]) as connection:
            if await connection.fetchval(_CONTACT_EXISTS, contact) is None:
                return None
            rows: Sequence[Row] = await connection.fetch(query, *bind(query, {**params, "contact": contact}))
            return rows

    async def execute(
        self,
        account_id: str,
        statements: Sequence[Statement],
        *,
        is_durable: bool = True,  # noqa: ARG002 - a distinction of SQLite
    ) -> Sequence[Row]:
        """Run statements in one transaction, and return the rows of the last one. See `SqlEngine`."""
        async with self.writing.acquire(_EXECUTE_TIMEOUT, account_id) as connection, connection.transaction():
            return await _execute(connection, statements)

    async def execute_if(self, account_id: str, condition: Statement, statements: Sequence[Statement]) -> bool:
        """Run a statement and, if it returns rows, others in the same transaction. Return whether it does."""
        async with self.writing.acquire(_EXECUTE_TIMEOUT, account_id) as connection, connection.transaction():
            if not await _execute(connection, [condition]):
                return False
            await _execute(connection, statements)
            return True


async def _execute(connection: Connection, statements: Sequence[Statement]) -> Sequence[Row]:
    rows: Sequence[Row] = ()
    for query, params in statements:
        rows = await connection.fetch(query, *bind(query, params))
    return rows


@cache
def reads_contacts(query: str) -> bool:
    """Return True if the query reads a table that a cluster distributes by contact."""
    return _DISTRIBUTED.search(query) is not None


def bind(query: str, values: Params) -> list[Any]:
    """Return the values of a query's parameters in the order of their numbers."""
    return [values[name] for name in PARAM_NAMES[query]]
