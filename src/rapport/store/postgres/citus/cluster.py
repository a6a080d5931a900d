"""A cluster: placement, circuit breaker, and the writer that uses them."""

from rapport.store.postgres.citus.circuit_breaker import NodeCircuitBreaker
from rapport.store.postgres.citus.layout import ClusterLayout
from rapport.store.postgres.citus.placement import Placement
from rapport.store.postgres.citus.writer import ClusterWriter
from rapport.store.postgres.pool import Pool

_CONNECTIONS = 2
"""For placement queries; the other connections may all wait for a hung node."""


class Cluster:
    """Watches the calls of the engine's pools, and makes the writer that it uses."""

    def __init__(self, url: str, *, use_pgbouncer: bool) -> None:
        self._pool = Pool(url, _CONNECTIONS, use_pgbouncer=use_pgbouncer)
        self.placement = Placement(self._pool)
        self._circuit_breaker = NodeCircuitBreaker(url, self.placement, use_pgbouncer=use_pgbouncer)

    @property
    def layout(self) -> ClusterLayout:
        """Return the layout for contacts whose shards aren't known, which are read and changed one by one."""
        return ClusterLayout(self.placement, {})

    async def open(self, reading: Pool, writing: Pool) -> ClusterWriter:
        """Read the placement, start to watch both pools, and return the writer. Raises StoreUnavailable."""
        await self._pool.open()
        await self.placement.refresh()
        reading.circuit_breaker = writing.circuit_breaker = self._circuit_breaker
        self._circuit_breaker.start()
        return ClusterWriter(writing, self.placement, self._circuit_breaker)

    async def close(self) -> None:
        """Stop watching, and close the connections."""
        await self._circuit_breaker.stop()
        await self._pool.close()
