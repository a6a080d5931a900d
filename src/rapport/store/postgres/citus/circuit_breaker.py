"""A circuit breaker for nodes that hang, so that calls for contacts on other nodes don't wait for them.

A call to a hung node lasts as long as the hang. If all connections waited for it, contacts on other nodes couldn't be
served. So when a call has taken a second, each node is probed separately, on a new connection. A node that doesn't
respond is suspected until it does: requests to it fail fast, and calls that wait for it are terminated, which frees
their connections.
"""

import asyncio
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import Final

import structlog
from asyncpg.exceptions import PostgresError

from rapport.errors import StoreUnavailable
from rapport.store.postgres.citus.placement import Node, Placement
from rapport.store.postgres.citus.queries import CLUSTER
from rapport.store.postgres.pool import Contacts, Reach, connect

_CHECK_INTERVAL: Final = 0.25
_SLOW: Final = 1.0
"""Seconds after which a call may be waiting for a hung node. The interval doubles with each check."""
_PROBE_TIMEOUT: Final = 1.5
"""Seconds that a node has to respond to a probe."""
_PROBE_INTERVAL: Final = 1.0
"""Seconds between two probes of a suspected node."""

_log = structlog.get_logger("rapport.store")


class Call:
    """A running call."""

    __slots__ = ("_terminate", "check_at", "contacts", "is_terminated", "started_at")

    def __init__(self, contacts: Contacts, started_at: float) -> None:
        self.contacts = contacts
        self.started_at = started_at
        self.check_at = started_at + _SLOW
        self.is_terminated = False
        self._terminate: Callable[[], None] | None = None

    def connected(self, terminate: Callable[[], None]) -> None:
        """Register how to terminate the connection. Raises StoreUnavailable if the call needs a hung node."""
        if self.is_terminated:
            raise _unavailable()
        self._terminate = terminate

    def terminate(self) -> None:
        """Terminate the call, which waits for a hung node."""
        self.is_terminated = True
        if self._terminate is not None:
            self._terminate()


class NodeCircuitBreaker:
    """Keeps the suspected nodes and the running calls."""

    def __init__(self, url: str, placement: Placement, *, use_pgbouncer: bool) -> None:
        self._url = url
        self._placement = placement
        self._use_pgbouncer = use_pgbouncer
        self._suspected: set[int] = set()
        self._calls: set[Call] = set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start to watch, in a task of the running event loop."""
        self._task = asyncio.create_task(self._watch(), name="nodes")

    async def stop(self) -> None:
        """Stop watching."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def begin(self, contacts: Contacts) -> Call:
        """Register a call. Raises StoreUnavailable if it needs a suspected node."""
        if self._suspected and contacts is not Reach.MAYBE_ALL and await self._needs(contacts, self._suspected):
            raise _unavailable()
        call = Call(contacts, asyncio.get_running_loop().time())
        self._calls.add(call)
        return call

    def end(self, call: Call) -> None:
        """Unregister a call."""
        self._calls.discard(call)

    def require_all_nodes(self) -> None:
        """Raise StoreUnavailable if any node is suspected."""
        if self._suspected:
            raise _unavailable()

    async def _needs(self, contacts: Contacts, nodes: AbstractSet[int]) -> bool:
        if isinstance(contacts, Reach):
            return True
        return not nodes.isdisjoint(await self._placement.nodes_of(contacts))

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        probe_at = 0.0
        while True:
            await asyncio.sleep(_CHECK_INTERVAL)
            now = loop.time()
            slow = [call for call in self._calls if call.check_at <= now]
            for call in slow:
                call.check_at = now + (now - call.started_at)
            if slow or (self._suspected and now >= probe_at):
                with suppress(StoreUnavailable):
                    await self._probe(all_nodes=bool(slow))
                probe_at = loop.time() + _PROBE_INTERVAL

    async def _probe(self, *, all_nodes: bool) -> None:
        nodes = [node for node in self._placement.nodes if all_nodes or node.number in self._suspected]
        responses = await asyncio.gather(*(self._is_silent(node) for node in nodes))
        # A node that is gone, or no longer has contacts, isn't suspected.
        suspected = {node.number for node, is_silent in zip(nodes, responses, strict=True) if is_silent}
        for node in sorted(suspected - self._suspected):
            _log.warning("node suspected to hang", node=node)
        for node in sorted(self._suspected - suspected):
            _log.info("node answers again", node=node)
        self._suspected = suspected
        if suspected:
            for call in list(self._calls):
                if not call.is_terminated and await self._needs(call.contacts, suspected):
                    call.terminate()

    async def _is_silent(self, node: Node) -> bool:
        """Return True if the node doesn't respond in time; False if the coordinator doesn't, or reports an error."""
        try:
            connection = await connect(self._url, use_pgbouncer=self._use_pgbouncer)
        except StoreUnavailable:
            return False
        try:
            async with asyncio.timeout(2 * _PROBE_TIMEOUT):
                await connection.execute("BEGIN")
                await connection.execute(f"SET LOCAL citus.node_connection_timeout = {_PROBE_TIMEOUT * 1_000:.0f}")
                started_at = asyncio.get_running_loop().time()
                with suppress(PostgresError):
                    if await connection.fetchval(CLUSTER["check_node"], node.host, node.port):
                        return False
                return asyncio.get_running_loop().time() - started_at > _PROBE_TIMEOUT * 0.9
        except TimeoutError:
            return True
        except OSError:
            return False
        finally:
            connection.terminate()


def _unavailable() -> StoreUnavailable:
    return StoreUnavailable("a node of the cluster does not answer")
