"""Find the shard of a contact and the node of a shard. The cluster is queried, and the results are cached.

A contact stays on its shard, but shards may move between nodes. With an outdated result, a transaction would involve
two nodes instead of one, and still be correct.
"""

import time
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from rapport.store.postgres.citus.queries import CLUSTER
from rapport.store.postgres.layout import number_bucket
from rapport.store.postgres.pool import Pool

_TIMEOUT: Final = 3.0
_TTL: Final = 5.0
"""Seconds for which the nodes of shards are cached."""
_MAX_CACHED: Final = 200_000
_CANDIDATES: Final = 2**16


class Node(NamedTuple):
    """A node, and how to connect to it."""

    number: int
    host: str
    port: int


class Placement:
    """The shards of contacts, the nodes of shards, and for each shard a bucket that is on it."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._shards: dict[bytes, int] = {}
        self._nodes: dict[int, Node] = {}
        self._buckets: dict[int, bytes] = {}
        self._valid_until = 0.0

    async def shards_of(self, contacts: Sequence[bytes]) -> dict[bytes, int]:
        """Return the shard of each contact. Raises StoreUnavailable."""
        if time.monotonic() > self._valid_until:
            await self.refresh()
        shards = self._shards
        missing = [contact for contact in contacts if contact not in shards]
        if missing:
            if len(shards) > _MAX_CACHED:
                shards = self._shards = {}
                missing = list(contacts)
            rows = await self._fetch(CLUSTER["get_shards"], missing)
            shards.update(zip(missing, (shard for (shard,) in rows), strict=True))
        return {contact: shards[contact] for contact in contacts}

    async def nodes_of(self, contacts: Sequence[bytes]) -> set[int]:
        """Return the nodes of contacts. Raises StoreUnavailable."""
        return self.nodes_of_shards((await self.shards_of(contacts)).values())

    def nodes_of_shards(self, shards: Iterable[int]) -> set[int]:
        """Return the nodes of shards."""
        return {self.node_of(shard) for shard in set(shards)}

    def node_of(self, shard: int) -> int:
        """Return the number of a shard's node, or -1 if the shard has just been split."""
        node = self._nodes.get(shard)
        return -1 if node is None else node.number

    @property
    def nodes(self) -> set[Node]:
        """Return all nodes with contacts."""
        return set(self._nodes.values())

    def bucket_of(self, shard: int) -> bytes:
        """Return the bucket of the stats that is on the same shard."""
        return self._buckets.get(shard, number_bucket(0))

    async def refresh(self) -> None:
        """Read the nodes of all shards. Raises StoreUnavailable."""
        rows = await self._fetch(CLUSTER["list_placements"])
        nodes = {shard: Node(*node) for shard, *node in rows}
        if nodes.keys() != self._nodes.keys():
            # The first time, and after shards were split.
            self._shards = {}
            self._buckets = await self._find_buckets(nodes.keys())
        self._nodes = nodes
        self._valid_until = time.monotonic() + _TTL

    async def _find_buckets(self, shards: Iterable[int]) -> dict[int, bytes]:
        """Return for each shard the smallest number that is on it as a key."""
        wanted = set(shards)
        buckets: dict[int, bytes] = {}
        count = 256
        while buckets.keys() != wanted and count <= _CANDIDATES:
            candidates = list(map(number_bucket, range(count)))
            for bucket, (shard,) in zip(candidates, await self._fetch(CLUSTER["get_shards"], candidates), strict=True):
                buckets.setdefault(shard, bucket)
            count *= 16
        return buckets

    async def _fetch(self, statement: str, *values: object) -> Sequence[Any]:
        async with self._pool.acquire(_TIMEOUT) as connection:
            rows: Sequence[Any] = await connection.fetch(statement, *values)
            return rows
