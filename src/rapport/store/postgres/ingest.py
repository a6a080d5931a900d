"""Record activities in PostgreSQL, by a writer that the engine chooses when it is open: a cluster needs another one."""

from collections.abc import Sequence
from typing import Final

from rapport.store.batch import Batch, Part
from rapport.store.ingest import Recorded
from rapport.store.postgres.engine import Engine


class PostgresIngest:
    """Records activities by the engine's current writer."""

    batch_size: Final = 50_000
    """Enough that round trips and increments cost little. Others hardly wait for a transaction, however large."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def partition(self, batch: Batch) -> Sequence[Part]:
        """Divide a batch into parts that can be committed independently."""
        return await self._engine.writer.partition(batch)

    async def prepare(self, batch: Batch) -> Batch:
        """Compute what doesn't need the transaction."""
        return await self._engine.writer.prepare(batch)

    async def record(self, batches: Sequence[Batch]) -> list[Recorded]:
        """Record the batches: in one transaction, or on a cluster in one for each node."""
        return await self._engine.writer.record(batches)
