"""Hooks in the file, on a connection of their own that the writer's thread uses."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

import apsw
import msgspec

from rapport.store.sql_hooks import Step
from rapport.store.sqlite.connection import connect, transaction, translate_errors
from rapport.store.statements import read_statements

SQL: Final = read_statements(Path(__file__).parent / "sql" / "hooks.sql")

_BUSY_TIMEOUT: Final = 20.0


class SQLiteHooks:
    """Runs the statements of hooks. `in_thread` runs a function in the writer's thread, and returns its result."""

    def __init__(self, folder: Path, in_thread: Callable[[Callable[[], Any]], Awaitable[Any]]) -> None:
        self._folder = folder
        self._in_thread = in_thread
        self._connection: apsw.Connection | None = None

    async def fetch(self, statement: str, *params: Any) -> list[Any]:  # noqa: ANN401 - a column may have any type
        """Return the rows of a statement."""
        rows: list[Any] = await self._in_thread(lambda: self._fetch(statement, params))
        return rows

    async def write(self, steps: Sequence[Step]) -> None:
        """Run statements in one transaction."""
        await self._in_thread(lambda: self._write(steps))

    def close(self) -> None:
        """Close the connection, once the thread has ended."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _open(self) -> apsw.Connection:
        if self._connection is None:
            self._connection = connect(self._folder, patience=_BUSY_TIMEOUT)
        return self._connection

    def _fetch(self, statement: str, params: tuple[Any, ...]) -> list[Any]:
        values = tuple(msgspec.json.encode(value).decode() if isinstance(value, list) else value for value in params)
        with translate_errors():
            return self._open().execute(SQL[statement], values).fetchall()

    def _write(self, steps: Sequence[Step]) -> None:
        connection = self._open()
        with transaction(connection):
            for statement, params in steps:
                connection.executemany(SQL[statement], params)
