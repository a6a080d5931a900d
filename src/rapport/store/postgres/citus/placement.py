"""Where contacts lie: on which shard, and on which node that is. The cluster is asked, and its answers remembered.

A contact stays on its shard, and shards may move from node to node. Were an answer out of date, a transaction would
touch two nodes instead of one, and be as right as before.
"""

import time
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from rapport.store.postgres.citus.statements import SQL
from rapport.store.postgres.layout import number_bucket
from rapport.store.postgres.pool import Pool

_ASK_WITHIN: Final = 3.0
_VALID_FOR: Final = 5.0
"""Seconds until the cluster is asked again on which node each shard lies."""
_MAX_REMEMBERED: Final = 200_000
_CANDIDATES: Final = 2**16


class Node(NamedTuple):
    """A node, as others connect to it."""

    number: int
    host: str
    port: int


class Placement:
    """Shards of contacts, nodes of shards, and for each shard the bucket that lies beside its contacts."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._shards: dict[bytes, int] = {}
        self._nodes: dict[int, Node] = {}
        self._buckets: dict[int, bytes] = {}
        self._valid_until = 0.0

    async def shards_of(self, contacts: Sequence[bytes]) -> dict[bytes, int]:
        """The shard of each contact. Raises StoreUnavailable."""
        if time.monotonic() > self._valid_until:
            await self.refresh()
        shards = self._shards
        missing = [contact for contact in contacts if contact not in shards]
        if missing:
            if len(shards) > _MAX_REMEMBERED:
                shards = self._shards = {}
                missing = list(contacts)
            found = await self._ask(SQL["shards"], missing)
            shards.update(zip(missing, (shard for (shard,) in found), strict=True))
        return {contact: shards[contact] for contact in contacts}

    async def nodes_of(self, contacts: Sequence[bytes]) -> set[int]:
        """The nodes of these contacts. Raises StoreUnavailable."""
        return self.nodes_of_shards((await self.shards_of(contacts)).values())

    def nodes_of_shards(self, shards: Iterable[int]) -> set[int]:
        """The nodes of these shards."""
        return {self.node_of(shard) for shard in set(shards)}

    def node_of(self, shard: int) -> int:
        """The node of a shard; that of no node, if the shard was split a moment ago."""
        node = self._nodes.get(shard)
        return -1 if node is None else node.number

    @property
    def nodes(self) -> set[Node]:
        """Every node that has contacts."""
        return set(self._nodes.values())

    def bucket_of(self, shard: int) -> bytes:
        """The bucket of the stats that lies beside the contacts of the shard."""
        return self._buckets.get(shard, number_bucket(0))

    async def refresh(self) -> None:
        """Ask for the nodes of all shards. Raises StoreUnavailable."""
        found = await self._ask(SQL["placements"])
        nodes = {shard: Node(*node) for shard, *node in found}
        if nodes.keys() != self._nodes.keys():
            # At first, and after shards were split.
            self._shards = {}
            self._buckets = await self._find_buckets(nodes.keys())
        self._nodes = nodes
        self._valid_until = time.monotonic() + _VALID_FOR

    async def _find_buckets(self, shards: Iterable[int]) -> dict[int, bytes]:
        """For each shard the smallest number that lies on it, as a key."""
        wanted = set(shards)
        buckets: dict[int, bytes] = {}
        count = 256
        while buckets.keys() != wanted and count <= _CANDIDATES:
            candidates = list(map(number_bucket, range(count)))
            for bucket, (shard,) in zip(candidates, await self._ask(SQL["shards"], candidates), strict=True):
                buckets.setdefault(shard, bucket)
            count *= 16
        return buckets

    async def _ask(self, statement: str, *values: object) -> Sequence[Any]:
        async with self._pool.acquire(_ASK_WITHIN) as connection:
            rows: Sequence[Any] = await connection.fetch(statement, *values)
            return rows
