"""Connections to the one file: how they are set up, how they wait for each other, how their failures are told."""

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
"""What a statement's parameters are bound to."""

_PASSING: Final = (
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
    """A context that is entered for every page: no generator to make."""

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, activity_type: type[BaseException] | None, problem: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if isinstance(problem, _PASSING):
            raise StoreUnavailable(f"the database can't be used now: {problem}") from problem


def translate_errors() -> _TranslateErrors:
    """Tell the engine's failures that are the machine's, not ours, as StoreUnavailable."""
    return _TRANSLATE_ERRORS


_TRANSLATE_ERRORS: Final = _TranslateErrors()


def make_folder(folder: Path) -> None:
    """Have the data directory exist, for its owner's eyes only. Raises StoreUnavailable."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder / DATABASE, os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as problem:
        raise StoreUnavailable(f"the data directory {folder} can't be used: {problem.strerror}") from problem
    os.close(descriptor)


class OpenFiles:
    """The files of a database that is open. Nothing is to be written once somebody has moved or deleted them."""

    def __init__(self, folder: Path) -> None:
        names = (DATABASE, DATABASE + LOG_SUFFIX)
        self._files = {folder.absolute() / name: _identity(folder / name) for name in names}

    def check(self) -> None:
        """Return if the files are the ones that were opened. Raises StoreUnavailable."""
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


def connect(folder: Path, *, patience: float) -> apsw.Connection:
    """A connection that waits up to `patience` seconds for its turn. Raises StoreUnavailable."""
    with translate_errors():
        connection = apsw.Connection(str(folder / DATABASE))
        set_busy_timeout(connection, patience)
        # Stable plans: without this, SQLite looks at the values and prepares a statement anew whenever they change,
        # which costs several times what the statement does.
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        connection.pragma("journal_mode", "wal")
        # FULL: a commit returns when the log is on the disk, so that an acknowledgement survives a power cut.
        connection.pragma("synchronous", "full")
        connection.pragma("temp_store", "memory")
        connection.pragma("cache_size", -32_000)
    return connection


def set_busy_timeout(connection: apsw.Connection, patience: float) -> None:
    """Have the connection wait for another process's transaction, looking often: those are short.

    SQLite's own wait grows to a tenth of a second a look, in which a busy neighbour gets in again and again.
    """
    began = 0.0

    def wait(tries: int) -> bool:
        nonlocal began
        if tries == 0:
            began = time.monotonic()
        elif time.monotonic() - began > patience:
            return False
        time.sleep(0.001 if tries < 100 else 0.01)
        return True

    connection.set_busy_handler(wait)


def every(connection: apsw.Connection, sql: str, values: Values = ()) -> list[Any]:
    """All rows of a statement's answer."""
    return connection.execute(sql, values).fetchall()


def one(connection: apsw.Connection, sql: str, values: Values = ()) -> tuple[Any, ...] | None:
    """The first row of a statement's answer, if it has one."""
    return connection.execute(sql, values).fetchone()


@contextmanager
def transaction(connection: apsw.Connection) -> Iterator[None]:
    """Everything inside is on the disk when this ends, or nothing of it. Raises StoreUnavailable."""
    with translate_errors():
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
