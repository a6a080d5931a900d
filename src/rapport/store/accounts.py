"""The accounts of a store."""

from abc import ABC, abstractmethod

from rapport.store.sql_engine import SqlEngine


class AccountRepository(ABC):
    """Reads and creates accounts. Every method raises StoreUnavailable."""

    def __init__(self, engine: SqlEngine) -> None:
        self._engine = engine
        self._sql = engine.sql["accounts"]

    async def list_ids(self) -> list[str]:
        """Return the ids of all accounts."""
        return [account_id for (account_id,) in await self._engine.fetch_all(self._sql["list_ids"], {})]

    @abstractmethod
    async def ensure(self, account_id: str) -> bool:
        """Create the account if it doesn't exist. Return True if it was created."""
