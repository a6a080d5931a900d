"""Watches which nodes answer, so that one that hangs keeps nobody waiting but for its own contacts, and those not long.

A call to a node that hangs would last as long as the hang does. Were all connections to wait for it, contacts on other
nodes would not be served either. So when a call has taken a second, each node is asked by itself, by a connection of
its own, whether it answers. One that doesn't is suspected until it does: what needs it fails at once, and calls that
wait for it are cut, which gives their connections back.
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
from rapport.store.postgres.citus.statements import SQL
from rapport.store.postgres.pool import Every, Touched, connect

_LOOK_EVERY: Final = 0.25
_SLOW: Final = 1.0
"""Seconds after which a call is taken to wait for a node that may hang. Then after twice as many, and so on."""
_SILENT: Final = 1.5
"""Seconds that a node has for its answer."""
_PROBE_AGAIN_AFTER: Final = 1.0
"""Seconds between two questions to a node that is suspected."""

_log = structlog.get_logger("rapport.store")


class Call:
    """A call that is under way."""

    __slots__ = ("_cut", "ask_at", "began", "contacts", "is_cut")

    def __init__(self, contacts: Touched, began: float) -> None:
        self.contacts = contacts
        self.began = began
        self.ask_at = began + _SLOW
        self.is_cut = False
        self._cut: Callable[[], None] | None = None

    def connected(self, cut: Callable[[], None]) -> None:
        """It has a connection, which `cut` cuts. Raises StoreUnavailable if it needs a node that hangs."""
        if self.is_cut:
            raise _unavailable()
        self._cut = cut

    def cut(self) -> None:
        """End it: it waits for a node that hangs."""
        self.is_cut = True
        if self._cut is not None:
            self._cut()


class Nodes:
    """The nodes that are suspected to hang, and the calls that are under way."""

    def __init__(self, url: str, placement: Placement, *, by_pgbouncer: bool) -> None:
        self._url = url
        self._placement = placement
        self._by_pgbouncer = by_pgbouncer
        self._suspected: set[int] = set()
        self._calls: set[Call] = set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to watch, in a task of the running event loop."""
        self._task = asyncio.create_task(self._watch(), name="nodes")

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def begin(self, contacts: Touched) -> Call:
        """Take note of a call. Raises StoreUnavailable if it needs a node that is suspected."""
        if self._suspected and contacts is not Every.PERHAPS and await self._needs(contacts, self._suspected):
            raise _unavailable()
        call = Call(contacts, asyncio.get_running_loop().time())
        self._calls.add(call)
        return call

    def end(self, call: Call) -> None:
        """The call is over."""
        self._calls.discard(call)

    def require_all(self) -> None:
        """Raise StoreUnavailable if any node is suspected."""
        if self._suspected:
            raise _unavailable()

    async def _needs(self, contacts: Touched, nodes: AbstractSet[int]) -> bool:
        if isinstance(contacts, Every):
            return True
        return not nodes.isdisjoint(await self._placement.nodes_of(contacts))

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        ask_again_at = 0.0
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            now = loop.time()
            slow = [call for call in self._calls if call.ask_at <= now]
            for call in slow:
                call.ask_at = now + (now - call.began)
            if slow or (self._suspected and now >= ask_again_at):
                with suppress(StoreUnavailable):
                    await self._look(everywhere=bool(slow))
                ask_again_at = loop.time() + _PROBE_AGAIN_AFTER

    async def _look(self, *, everywhere: bool) -> None:
        nodes = [node for node in self._placement.nodes if everywhere or node.number in self._suspected]
        responses = await asyncio.gather(*(self._is_silent(node) for node in nodes))
        # One that is gone, or has no contacts any more, is nobody's trouble.
        suspected = {node.number for node, is_silent in zip(nodes, responses, strict=True) if is_silent}
        for node in sorted(suspected - self._suspected):
            _log.warning("node suspected to hang", node=node)
        for node in sorted(self._suspected - suspected):
            _log.info("node answers again", node=node)
        self._suspected = suspected
        if suspected:
            for call in list(self._calls):
                if not call.is_cut and await self._needs(call.contacts, suspected):
                    call.cut()

    async def _is_silent(self, node: Node) -> bool:
        """Whether the node doesn't answer in time; not so, if the coordinator doesn't, or can tell at once."""
        try:
            connection = await connect(self._url, by_pgbouncer=self._by_pgbouncer)
        except StoreUnavailable:
            return False
        try:
            async with asyncio.timeout(2 * _SILENT):
                await connection.execute("BEGIN")
                await connection.execute(f"SET LOCAL citus.node_connection_timeout = {_SILENT * 1_000:.0f}")
                began = asyncio.get_running_loop().time()
                with suppress(PostgresError):
                    if await connection.fetchval(SQL["node_answers"], node.host, node.port):
                        return False
                return asyncio.get_running_loop().time() - began > _SILENT * 0.9
        except TimeoutError:
            return True
        except OSError:
            return False
        finally:
            connection.terminate()


def _unavailable() -> StoreUnavailable:
    return StoreUnavailable("a node of the cluster does not answer")
