"""Accounts in SQLite."""

import time
from collections.abc import Sequence

import apsw

from rapport.store.accounts import AccountRepository
from rapport.store.sql_engine import Params
from rapport.store.sqlite.connection import Values, fetch_one
from rapport.store.sqlite.engine import SHARED, Engine
from rapport.store.sqlite.queries import SQL


class SQLiteAccounts(AccountRepository):
    """Reads and creates accounts."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._commit = engine.write

    async def ensure(self, account_id: str) -> bool:
        """Create the account if it doesn't exist. Return True if it was created."""
        params: Values = {"account_id": account_id, "created_time": time.time_ns() // 1_000_000}

        def add(connection: apsw.Connection) -> bool:
            return fetch_one(connection, SQL["accounts"]["add"], params) is not None

        return await self._commit(SHARED, add)

    async def _write(self, account_id: str, statements: Sequence[tuple[str, Params]]) -> None:
        def run(connection: apsw.Connection) -> None:
            connection.pragma("secure_delete", True)
            try:
                for statement, params in statements:
                    connection.execute(self._sql[statement], params)
            finally:
                connection.pragma("secure_delete", False)

        await self._commit(account_id, run)
