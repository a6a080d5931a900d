"""A repository whose code is the same on every engine."""

from collections.abc import Sequence

from rapport.store.sql_engine import Params, Row, SqlEngine


class SqlRepository:
    """Runs the statements of a file of SQL by name, on small tables. Every method raises StoreUnavailable."""

    def __init__(self, engine: SqlEngine, file: str) -> None:
        self._engine = engine
        self._sql = engine.sql[file]

    async def _fetch_one(self, account_id: str, name: str, params: Params) -> Row | None:
        return await self._engine.fetch_one(self._sql[name], params, account_id=account_id, bounded=True)

    async def _fetch_all(self, account_id: str, name: str, params: Params) -> Sequence[Row]:
        return await self._engine.fetch_all(self._sql[name], params, account_id=account_id, bounded=True)

    async def _execute(
        self, account_id: str, *statements: tuple[str, Params], is_durable: bool = True
    ) -> Sequence[Row]:
        """Run statements in one transaction, and return the rows of the last one."""
        queries = [(self._sql[name], params) for name, params in statements]
        return await self._engine.execute(account_id, queries, is_durable=is_durable)

    async def _execute_if(
        self, account_id: str, condition: tuple[str, Params], *statements: tuple[str, Params]
    ) -> bool:
        """Run a statement and, if it returns rows, others in the same transaction. Return whether it does."""
        name, params = condition
        queries = [(self._sql[name], params) for name, params in statements]
        return await self._engine.execute_if(account_id, (self._sql[name], params), queries)
