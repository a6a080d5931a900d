"""Secrets in PostgreSQL."""

from rapport.store.postgres.engine import Engine
from rapport.store.postgres.queries import SQL
from rapport.store.postgres.writer import WRITE_TIMEOUT

_SQL = SQL["secrets"]


class PostgresSecrets:
    """Reads and replaces secrets in their table."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def read(self, name: str) -> bytes | None:
        """Return the secret with this name, or None."""
        row = await self._engine.fetch_one(_SQL["read"], {"name": name})
        return None if row is None else bytes(row[0])

    async def list_names(self) -> list[str]:
        """Return the names of all secrets."""
        return [name for (name,) in await self._engine.fetch_all(_SQL["list_names"], {})]

    async def replace(self, name: str, old: bytes | None, new: bytes) -> bool:
        """Replace `old` with `new`. Return False if `old` is no longer the stored value."""
        async with self._engine.writing.acquire(WRITE_TIMEOUT) as connection:
            if old is None:
                return await connection.fetchval(_SQL["add"], name, new) is not None
            return await connection.fetchval(_SQL["replace"], new, name, old) is not None
