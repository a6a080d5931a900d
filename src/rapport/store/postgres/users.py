"""Users and sessions in PostgreSQL."""

from collections.abc import Sequence
from typing import Final

from rapport.store.postgres.engine import Engine, bind
from rapport.store.sql_engine import Row
from rapport.store.users import Statement, UserRepository

_TIMEOUT: Final = 15.0


class PostgresUsers(UserRepository):
    """Reads and writes users."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._pool = engine.writing

    async def _write(
        self,
        account_id: str,
        statements: Sequence[Statement],
        *,
        is_durable: bool = True,  # noqa: ARG002 - a distinction of SQLite
    ) -> Sequence[Row]:
        rows: Sequence[Row] = ()
        async with self._pool.acquire(_TIMEOUT, account_id) as connection, connection.transaction():
            for statement, params in statements:
                query = self._sql[statement]
                rows = await connection.fetch(query, *bind(query, params))
        return rows
