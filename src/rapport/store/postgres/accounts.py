"""Accounts in PostgreSQL."""

import time

from rapport.store.accounts import AccountRepository
from rapport.store.postgres.engine import Engine
from rapport.store.postgres.queries import SQL
from rapport.store.postgres.writer import WRITE_TIMEOUT


class PostgresAccounts(AccountRepository):
    """Reads and creates accounts."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._pool = engine.writing

    async def ensure(self, account_id: str) -> bool:
        """Create the account if it doesn't exist. Return True if it was created."""
        now = time.time_ns() // 1_000_000
        async with self._pool.acquire(WRITE_TIMEOUT) as connection:
            return await connection.fetchval(SQL["accounts"]["add"], account_id, now) is not None
