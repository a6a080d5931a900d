"""Hooks in PostgreSQL."""

from collections.abc import Sequence
from typing import Any, Final

from rapport.store.postgres.engine import Engine, reads_contacts
from rapport.store.postgres.pool import SHARED, Contacts, Reach
from rapport.store.postgres.queries import SQL
from rapport.store.sql_hooks import Statement

_SQL: Final = SQL["hooks"]

_TIMEOUT: Final = 12.0


class PostgresHooks:
    """Runs the statements of hooks through a pool."""

    def __init__(self, engine: Engine) -> None:
        self._pool = engine.writing

    async def fetch(self, statement: str, *params: Any) -> list[Any]:  # noqa: ANN401 - a column may have any type
        """Return the rows of a statement."""
        query = _SQL[statement]
        contacts: Contacts = Reach.ALL if reads_contacts(query) else ()
        async with self._pool.acquire(_TIMEOUT, SHARED, contacts) as connection:
            return [tuple(row) for row in await connection.fetch(query, *params)]

    async def write(self, statements: Sequence[Statement]) -> None:
        """Run statements in one transaction."""
        async with self._pool.acquire(_TIMEOUT, SHARED) as connection, connection.transaction():
            for statement, params in statements:
                await connection.executemany(_SQL[statement], params)
