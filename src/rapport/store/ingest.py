"""Write batches of activities."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from rapport.activity import ActivityType
from rapport.store.batch import Batch, Part


class Recorded(msgspec.Struct, frozen=True):
    """The outcome of a batch: the number of new activities of each type, and of duplicates."""

    accepted: Mapping[ActivityType, int]
    duplicate: int


class IngestRepository(Protocol):
    """Records activities. Every method raises StoreUnavailable, and has acknowledged nothing then."""

    @property
    def batch_size(self) -> int:
        """The number of activities of a long import that are best recorded together."""
        ...

    async def prepare(self, batch: Batch) -> Batch:
        """Precompute what `record` needs, so that it can overlap with another transaction."""
        ...

    async def partition(self, batch: Batch) -> Sequence[Part]:
        """Divide a batch into parts. Parts with the same key are recorded together, independently of other keys."""
        ...

    async def record(self, batches: Sequence[Batch]) -> list[Recorded]:
        """Make all batches durable, in one transaction if they have one key. Return the outcome of each.

        Accounts, contacts, campaign activities and links are created if they don't exist.
        """
        ...
