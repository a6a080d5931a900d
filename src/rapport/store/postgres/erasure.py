"""Erasure of contacts in PostgreSQL."""

import time

from rapport.instant import Instant
from rapport.store.contacts import ContactRepository
from rapport.store.erasure import ErasedContact, Erasure, Tombstones
from rapport.store.hooks import HookRepository
from rapport.store.merges import MergeRepository
from rapport.store.postgres.engine import Engine
from rapport.store.postgres.erase import ERASE_TIMEOUT, import_tombstones


class PostgresErasure(Erasure):
    """Erases contacts while nothing is recorded for them."""

    def __init__(
        self, engine: Engine, contacts: ContactRepository, hooks: HookRepository, merges: MergeRepository
    ) -> None:
        super().__init__(engine, contacts, hooks, merges)
        self._postgres = engine

    async def _erase(self, account_id: str, contact_id: str, tombstone: ErasedContact | None) -> bool:
        """Erase a contact. Return True if it existed."""
        now = Instant(time.time_ns() // 1_000_000)
        return await self._postgres.writer.erase(account_id, contact_id, now, tombstone)

    async def import_tombstones(self, account_id: str, tombstones: Tombstones) -> None:
        """Replace the account's tombstones."""
        now = Instant(time.time_ns() // 1_000_000)
        async with self._postgres.writing.acquire(ERASE_TIMEOUT, account_id) as connection:
            await import_tombstones(connection, account_id, tombstones, now)
