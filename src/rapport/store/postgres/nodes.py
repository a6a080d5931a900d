"""Nodes of a cluster that don't answer: who asks for what lies there is told at once, and nobody else has to wait.

A node that hangs keeps every call to it for as long as a call may last. Were all connections to wait for it, contacts
on other nodes would not be served either.
"""

import contextlib
import time
from collections.abc import Iterable, Sequence
from typing import Final

from rapport.errors import StoreUnavailable
from rapport.store.postgres.pool import Pool, TimedOut

_ASK_WITHIN: Final = 2.0
_SUSPECTED_FOR: Final = 2.0
"""Seconds until one call may try again whether the node answers."""

_NODES_OF: Final = """
SELECT DISTINCT groupid
FROM unnest($1::bytea[]) AS asked (contact)
JOIN pg_dist_placement ON shardid = get_shard_id_for_distribution_column('tracking_activity', asked.contact)
"""


class Nodes:
    """Which nodes are suspected to hang. As long as none is, this costs nothing."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.in_parts = False
        self._try_again: dict[int, float] = {}

    @property
    def are_suspected(self) -> bool:
        """Whether any node is suspected."""
        return bool(self._try_again)

    async def admit(self, contacts: Sequence[bytes]) -> Sequence[int]:
        """Return if no node of these contacts is suspected, or it is time to try. Raises StoreUnavailable.

        Returns the suspected nodes that are tried by this call.
        """
        if not self._try_again:
            return ()
        return self._try(node for node in await self._of(contacts) if node in self._try_again)

    def admit_all(self) -> Sequence[int]:
        """The same for what asks every node."""
        return self._try(self._try_again)

    def _try(self, suspected: Iterable[int]) -> Sequence[int]:
        now = time.monotonic()
        tried = list(suspected)
        if any(self._try_again[node] > now for node in tried):
            raise StoreUnavailable("a node of the cluster did not answer a moment ago")
        for node in tried:
            self._try_again[node] = now + _SUSPECTED_FOR
        return tried

    def trust(self, nodes: Sequence[int]) -> None:
        """These have answered."""
        for node in nodes:
            self._try_again.pop(node, None)

    async def suspect(self, contacts: Sequence[bytes], problem: StoreUnavailable) -> None:
        """What went wrong with these contacts: if a single node could not answer in time, it is suspected."""
        if self.in_parts and isinstance(problem, TimedOut):
            nodes = []
            with contextlib.suppress(StoreUnavailable):
                nodes = await self._of(contacts)
            # Of several it isn't known which; whoever then asks for one alone will find out.
            if len(nodes) == 1:
                self._try_again[nodes[0]] = time.monotonic() + _SUSPECTED_FOR

    async def _of(self, contacts: Sequence[bytes]) -> list[int]:
        async with self._pool.lend(_ASK_WITHIN) as connection:
            return [node for (node,) in await connection.fetch(_NODES_OF, list(contacts))]
