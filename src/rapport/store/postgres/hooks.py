"""Hooks in the database."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from rapport.store.postgres.pool import SHARED, Every, Pool
from rapport.store.sql_hooks import Step
from rapport.store.statements import read_statements

SQL: Final = read_statements(Path(__file__).parent / "sql" / "hooks.sql")

_TIMEOUT: Final = 12.0


class PostgresHooks:
    """Runs the statements of hooks through a pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def fetch(self, statement: str, *params: Any) -> list[Any]:  # noqa: ANN401 - a column may have any type
        """Return the rows of a statement."""
        async with self._pool.acquire(_TIMEOUT, SHARED, Every.CONTACT) as connection:
            return [tuple(row) for row in await connection.fetch(SQL[statement], *params)]

    async def write(self, steps: Sequence[Step]) -> None:
        """Run statements in one transaction."""
        async with self._pool.acquire(_TIMEOUT, SHARED, Every.CONTACT) as connection, connection.transaction():
            for statement, params in steps:
                await connection.executemany(SQL[statement], params)
