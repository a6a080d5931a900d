"""What a store has more when its database is a cluster."""

from rapport.store.postgres.citus.feed import ClusterFeedReader
from rapport.store.postgres.citus.layout import ClusterLayout
from rapport.store.postgres.citus.nodes import Nodes
from rapport.store.postgres.citus.placement import Placement
from rapport.store.postgres.citus.writer import ClusterWriter
from rapport.store.postgres.pool import Pool

_CONNECTIONS = 2
"""To ask where contacts lie, apart from those that may all wait for a node that hangs."""


class Cluster:
    """Watches the calls of the store's pools, and has the reader and the writer that it uses then."""

    feed_reader: ClusterFeedReader
    writer: ClusterWriter

    def __init__(self, url: str, *, by_pgbouncer: bool) -> None:
        self._pool = Pool(url, _CONNECTIONS, by_pgbouncer=by_pgbouncer)
        self.placement = Placement(self._pool)
        self._nodes = Nodes(url, self.placement, by_pgbouncer=by_pgbouncer)

    @property
    def layout(self) -> ClusterLayout:
        """The layout of contacts whose shards aren't known: to read and change them one by one."""
        return ClusterLayout(self.placement, {})

    async def open(self, reading: Pool, writing: Pool) -> None:
        """Learn where everything lies, and begin to watch. Raises StoreUnavailable."""
        await self._pool.open()
        await self.placement.refresh()
        reading.watch = writing.watch = self._nodes
        self.feed_reader = ClusterFeedReader(reading)
        self.writer = ClusterWriter(writing, self.placement, self._nodes)
        self._nodes.start()

    async def close(self) -> None:
        """End."""
        await self._nodes.stop()
        await self._pool.close()
