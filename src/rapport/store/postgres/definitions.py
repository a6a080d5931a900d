"""Updates of contact lists, tags and custom fields in PostgreSQL."""

from collections.abc import Mapping, Sequence

from rapport.catalog import DefinitionUpdate
from rapport.store.chunks import chunk_updates
from rapport.store.definitions import DefinitionRepository
from rapport.store.postgres.engine import Engine
from rapport.store.subresources import Membership


class PostgresDefinitions(DefinitionRepository):
    """Reads and updates definitions."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._postgres = engine

    async def upsert(self, account_id: str, updates: Sequence[DefinitionUpdate]) -> int:
        """Merge updates into the definitions, one transaction for each chunk. Return how many changed something."""
        changes = 0
        for chunk in chunk_updates(updates):
            changes += await self._postgres.writer.upsert_definitions(account_id, chunk)
        return changes

    async def ensure(self, account_id: str, references: Mapping[Membership, int]) -> None:
        """Create the definitions that something refers to."""
        await self._postgres.writer.ensure_definitions(account_id, references)
