"""Accounts in PostgreSQL."""

import time
from collections.abc import Sequence
from typing import Final

from rapport.store.accounts import AccountRepository
from rapport.store.postgres.citus.tables import force_sequential_mode
from rapport.store.postgres.engine import Engine, bind
from rapport.store.postgres.pool import Reach
from rapport.store.postgres.queries import SQL
from rapport.store.postgres.writer import WRITE_TIMEOUT
from rapport.store.sql_engine import Params

_DELETE_TIMEOUT: Final = 600.0


class PostgresAccounts(AccountRepository):
    """Reads and creates accounts."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._postgres = engine
        self._pool = engine.writing

    async def ensure(self, account_id: str) -> bool:
        """Create the account if it doesn't exist. Return True if it was created."""
        now = time.time_ns() // 1_000_000
        async with self._pool.acquire(WRITE_TIMEOUT) as connection:
            return await connection.fetchval(SQL["accounts"]["add"], account_id, now) is not None

    async def _write(self, account_id: str, statements: Sequence[tuple[str, Params]]) -> None:
        async with (
            self._pool.acquire(_DELETE_TIMEOUT, account_id, Reach.ALL) as connection,
            connection.transaction(),
        ):
            if self._postgres.cluster is not None:
                await force_sequential_mode(connection)
            for statement, params in statements:
                query = self._sql[statement]
                await connection.execute(query, *bind(query, params))
