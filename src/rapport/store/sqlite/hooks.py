"""Hooks in SQLite."""

from collections.abc import Sequence
from typing import Any, Final

import apsw
import msgspec

from rapport.store.sql_hooks import Statement
from rapport.store.sqlite.connection import fetch_all
from rapport.store.sqlite.engine import SHARED, Engine
from rapport.store.sqlite.queries import SQL

_SQL: Final = SQL["hooks"]


class SQLiteHooks:
    """Runs the statements of hooks in the writer's thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def fetch(self, statement: str, *params: Any) -> list[Any]:  # noqa: ANN401 - a column may have any type
        """Return the rows of a statement."""
        values = tuple(msgspec.json.encode(value).decode() if isinstance(value, list) else value for value in params)
        return await self._engine.write(SHARED, lambda connection: fetch_all(connection, _SQL[statement], values))

    async def write(self, statements: Sequence[Statement]) -> None:
        """Run statements in one transaction."""

        def run(connection: apsw.Connection) -> None:
            for statement, params in statements:
                connection.executemany(_SQL[statement], params)

        await self._engine.write(SHARED, run)
