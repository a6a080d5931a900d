"""Merges of contacts in PostgreSQL."""

import time

from rapport.instant import Instant
from rapport.store.merges import MergeRepository, MergeResult
from rapport.store.postgres.engine import Engine


class PostgresMerges(MergeRepository):
    """Merges contacts while nothing is recorded."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._postgres = engine

    async def merge(self, account_id: str, old_id: str, new_id: str) -> MergeResult:
        """Merge a contact into another one in one transaction."""
        now = Instant(time.time_ns() // 1_000_000)
        return await self._postgres.writer.merge(account_id, old_id, new_id, now)
