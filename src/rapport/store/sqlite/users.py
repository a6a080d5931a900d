"""Users and sessions in SQLite."""

from collections.abc import Sequence

import apsw

from rapport.store.sql_engine import Row
from rapport.store.sqlite.connection import fetch_all
from rapport.store.sqlite.engine import Engine
from rapport.store.users import Statement, UserRepository


class SQLiteUsers(UserRepository):
    """Reads users in the event loop, and writes them in the writer's thread."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._commit = engine.write

    async def _write(
        self, account_id: str, statements: Sequence[Statement], *, is_durable: bool = True
    ) -> Sequence[Row]:
        def run(connection: apsw.Connection) -> Sequence[Row]:
            rows: Sequence[Row] = ()
            for statement, params in statements:
                rows = fetch_all(connection, self._sql[statement], params)
            return rows

        return await self._commit(account_id, run, is_durable=is_durable)
