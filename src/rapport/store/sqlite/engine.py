"""The connections of a data directory: for reads in the event loop, for writes in a thread, and for reports."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, Final, TypeVar

import apsw

from rapport.errors import DataNotFound, StoreUnavailable
from rapport.store.fair_semaphore import FairSemaphore
from rapport.store.sql_engine import Params, Row, Statement
from rapport.store.sqlite.checkpoint import LOG_PAGES, Checkpointer
from rapport.store.sqlite.connection import (
    DATABASE,
    OpenFiles,
    connect,
    fetch_all,
    fetch_one,
    make_folder,
    transaction,
    translate_errors,
)
from rapport.store.sqlite.migrations import migrate
from rapport.store.sqlite.queries import SQL
from rapport.store.sqlite.report_threads import ReportThreads
from rapport.store.sqlite.secrets import check_database
from rapport.store.sqlite.tombstones import check_erasure_keys

T = TypeVar("T")

WRITE_BUSY_TIMEOUT: Final = 20.0
"""Seconds that a write waits for the writes of other processes; an import holds the file for less than one."""
_READ_BUSY_TIMEOUT: Final = 1.0
"""Seconds that a read waits. In WAL mode it waits only while the file of a crashed process is recovered."""
_MAX_WRITES_WAITING: Final = 1_000

SHARED: Final = ""
"""Stands for all accounts in the turns of writes: no account has this id."""

_CONTACT_KEY: Final = SQL["activities"]["contact_key"]


class Engine:
    """An open data directory. Every method raises StoreUnavailable."""

    sql: Mapping[str, Mapping[str, str]] = SQL

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="rapport-writer")
        self._semaphore = FairSemaphore(1, _MAX_WRITES_WAITING)
        self._reports = ReportThreads()
        self._reading: apsw.Connection | None = None
        self._writing: apsw.Connection | None = None
        self._files: OpenFiles | None = None
        self._checkpointer: Checkpointer | None = None

    async def open(self, *, create: bool) -> None:
        """Open the database, create it if there is none, and migrate its schema."""
        if not create and not await asyncio.to_thread((self.folder / DATABASE).exists):
            raise DataNotFound(f"there is no data in {self.folder}: name its directory with --data")
        await asyncio.to_thread(check_database, self.folder)
        make_folder(self.folder)
        writing = self._writing = connect(self.folder, busy_timeout=WRITE_BUSY_TIMEOUT)
        migrate(writing)
        check_erasure_keys(writing)
        self._reading = connect(self.folder, busy_timeout=_READ_BUSY_TIMEOUT)
        self._reading.pragma("query_only", True)
        self._reports.open(self.folder)
        self._checkpointer = Checkpointer(self.folder)
        self._files = OpenFiles(self.folder)
        writing.pragma("wal_autocheckpoint", 0)
        writing.set_wal_hook(self._watch_log)

    def stop_reports(self) -> None:
        """Refuse waiting reports, and stop running ones."""
        self._reports.stop()

    async def close(self) -> None:
        """Finish the running write, and close the connections."""
        await asyncio.to_thread(self._threads.shutdown)
        await self._reports.close()
        if self._checkpointer is not None:
            await asyncio.to_thread(self._checkpointer.close)
            self._checkpointer = None
        for connection in (self._writing, self._reading):
            if connection is not None:
                connection.close()
        self._writing = self._reading = None

    @property
    def reading(self) -> apsw.Connection:
        """Return the connection for reads in the event loop."""
        if self._reading is None:
            raise StoreUnavailable("the store is not open")
        return self._reading

    async def fetch_all(
        self, query: str, params: Params, *, account_id: str = SHARED, bounded: bool = False
    ) -> Sequence[Row]:
        """Return all rows. See `SqlEngine`."""
        values = _bind(params)
        if bounded:
            with translate_errors():
                return fetch_all(self.reading, query, values)
        return await self.report(account_id, lambda connection: fetch_all(connection, query, values))

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

        def read(connection: apsw.Connection) -> Sequence[Row] | None:
            row = fetch_one(connection, _CONTACT_KEY, {"account_id": account_id, "contact_id": contact_id})
            return None if row is None else fetch_all(connection, query, {**params, "contact": row[0]})

        return await self.report(account_id, read)

    async def execute(
        self, account_id: str, statements: Sequence[Statement], *, is_durable: bool = True
    ) -> Sequence[Row]:
        """Run statements in one transaction, and return the rows of the last one. See `SqlEngine`."""
        return await self.write(account_id, lambda connection: _execute(connection, statements), is_durable=is_durable)

    async def execute_if(self, account_id: str, condition: Statement, statements: Sequence[Statement]) -> bool:
        """Run a statement and, if it returns rows, others in the same transaction. Return whether it does."""

        def run(connection: apsw.Connection) -> bool:
            if not _execute(connection, [condition]):
                return False
            _execute(connection, statements)
            return True

        return await self.write(account_id, run)

    async def report(self, account_id: str, read: Callable[[apsw.Connection], T]) -> T:
        """Read in a thread, in the account's turn."""
        return await self._reports.run(account_id, read)

    async def write(self, turn: str, write: Callable[[apsw.Connection], T], *, is_durable: bool = True) -> T:
        """Write in a transaction, in the writer's thread and in the turn of an account.

        Unless `is_durable`, a power failure may undo it.
        """
        return await self.run(turn, lambda connection: self._commit(connection, write, is_durable=is_durable))

    async def run(self, turn: str, work: Callable[[apsw.Connection], T]) -> T:
        """Call `work`, which makes its own transactions, in the writer's thread and in the turn of an account."""
        if self._writing is None:
            raise StoreUnavailable("the store is not open")
        await self._semaphore.acquire(turn)
        future = asyncio.wrap_future(self._threads.submit(work, self._writing))
        future.add_done_callback(lambda _: self._semaphore.release(turn))
        # Shielded: a write that has started continues, even if its caller is cancelled.
        return await asyncio.shield(future)

    def commit(self, connection: apsw.Connection, write: Callable[[apsw.Connection], T]) -> T:
        """Write in a transaction that is committed only if the files were neither moved nor deleted."""
        with transaction(connection):
            result = write(connection)
            if self._files is not None:
                self._files.check()
        return result

    def _commit(self, connection: apsw.Connection, write: Callable[[apsw.Connection], T], *, is_durable: bool) -> T:
        if is_durable:
            return self.commit(connection, write)
        connection.pragma("synchronous", "normal")
        try:
            return self.commit(connection, write)
        finally:
            connection.pragma("synchronous", "full")

    async def empty_log(self, timeout: float) -> None:  # noqa: ASYNC109 - the awaited work continues afterwards
        """Request that the write-ahead log is emptied, and wait for the attempt for up to `timeout` seconds."""
        if self._checkpointer is not None:
            attempt = asyncio.wrap_future(self._checkpointer.request())
            await asyncio.wait([attempt], timeout=timeout)

    def _watch_log(self, _connection: apsw.Connection, _schema: str, pages: int) -> int:
        if pages >= LOG_PAGES and self._checkpointer is not None:
            self._checkpointer.request()
        return apsw.SQLITE_OK

    def connect(self) -> "closing[apsw.Connection]":
        """Open another connection, as a context manager that closes it."""
        return closing(connect(self.folder, busy_timeout=WRITE_BUSY_TIMEOUT))


def _execute(connection: apsw.Connection, statements: Sequence[Statement]) -> Sequence[Row]:
    rows: Sequence[Row] = ()
    for query, params in statements:
        rows = fetch_all(connection, query, params)
    return rows


def _bind(params: Params) -> dict[str, Any]:
    return {
        name: apsw.carray(tuple(value)) if isinstance(value, list | tuple) else value for name, value in params.items()
    }
