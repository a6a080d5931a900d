"""Open and set up connections to the database file, and translate their errors."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TypeAlias

import apsw

from rapport.errors import StoreUnavailable

DATABASE: Final = "rapport.db"
LOG_SUFFIX: Final = "-wal"

Values: TypeAlias = "Mapping[str, str | int | bytes | apsw.CArrayBinding | None] | tuple[str | int | None, ...]"
"""Values of a statement's parameters."""

_OPERATIONAL_ERRORS: Final = (
    apsw.BusyError,
    apsw.LockedError,
    apsw.FullError,
    apsw.IOError,
    apsw.CantOpenError,
    apsw.ReadOnlyError,
    apsw.ProtocolError,
    apsw.NoMemError,
    apsw.CorruptError,
    apsw.NotADBError,
)


class _TranslateErrors:
    """A context manager without a generator, as it is entered for every page."""

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, _type: type[BaseException] | None, exc: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        if isinstance(exc, _OPERATIONAL_ERRORS):
            raise StoreUnavailable(f"the database can't be used now: {exc}") from exc


def translate_errors() -> _TranslateErrors:
    """Translate operational errors of SQLite to StoreUnavailable."""
    return _TRANSLATE_ERRORS


_TRANSLATE_ERRORS: Final = _TranslateErrors()


def make_folder(folder: Path) -> None:
    """Create the data directory if needed, accessible to its owner only. Raises StoreUnavailable."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder / DATABASE, os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as exc:
        raise StoreUnavailable(f"the data directory {folder} can't be used: {exc.strerror}") from exc
    os.close(descriptor)


class OpenFiles:
    """The files of an open database. Nothing may be written after they were moved or deleted."""

    def __init__(self, folder: Path) -> None:
        names = (DATABASE, DATABASE + LOG_SUFFIX)
        self._files = {folder.absolute() / name: _identity(folder / name) for name in names}

    def check(self) -> None:
        """Return if the files are still those that were opened. Raises StoreUnavailable."""
        for path, identity in self._files.items():
            if identity is None or _identity(path) != identity:
                raise StoreUnavailable(
                    f"{path} was moved or deleted while it was open: put it back and restart the server"
                )


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def connect(folder: Path, *, busy_timeout: float) -> apsw.Connection:
    """Open a connection that waits up to `busy_timeout` seconds for a lock. Raises StoreUnavailable."""
    with translate_errors():
        connection = apsw.Connection(str(folder / DATABASE))
        set_busy_timeout(connection, busy_timeout)
        # Stable plans: otherwise SQLite prepares a statement again whenever its values change, which costs several
        # times as much as the statement itself.
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        connection.pragma("journal_mode", "wal")
        # FULL: a commit returns when the log is on the disk, so that an acknowledgement survives a power cut.
        connection.pragma("synchronous", "full")
        connection.pragma("temp_store", "memory")
        connection.pragma("cache_size", -32_000)
    return connection


def set_busy_timeout(connection: apsw.Connection, busy_timeout: float) -> None:
    """Wait for transactions of other processes, and retry often, as they are short.

    SQLite's own busy handler waits up to a tenth of a second between retries, and a busy process starves the others.
    """
    started_at = 0.0

    def wait(tries: int) -> bool:
        nonlocal started_at
        if tries == 0:
            started_at = time.monotonic()
        elif time.monotonic() - started_at > busy_timeout:
            return False
        time.sleep(0.001 if tries < 100 else 0.01)
        return True

    connection.set_busy_handler(wait)


def fetch_all(connection: apsw.Connection, sql: str, values: Values = ()) -> list[Any]:
    """Return all rows of a statement."""
    return connection.execute(sql, values).fetchall()


def fetch_one(connection: apsw.Connection, sql: str, values: Values = ()) -> tuple[Any, ...] | None:
    """Return the first row of a statement, or None."""
    return connection.execute(sql, values).fetchone()


@contextmanager
def transaction(connection: apsw.Connection) -> Iterator[None]:
    """Run a transaction that is durable when the context ends. Raises StoreUnavailable."""
    with translate_errors():
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
