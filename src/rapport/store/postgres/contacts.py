"""Updates of contacts in PostgreSQL."""

from collections.abc import Sequence

from rapport.catalogue import ContactUpdate
from rapport.store.chunks import chunk_contacts
from rapport.store.contacts import ContactRepository
from rapport.store.postgres.engine import Engine


class PostgresContacts(ContactRepository):
    """Reads and updates contacts."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._postgres = engine

    async def upsert(self, account_id: str, updates: Sequence[ContactUpdate]) -> int:
        """Merge updates into the contacts, one transaction for each chunk. Return how many changed something."""
        writer = self._postgres.writer
        return sum([await writer.upsert_contacts(account_id, chunk) for chunk in chunk_contacts(updates)])
