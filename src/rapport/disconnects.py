"""Cancellation of requests whose client has disconnected while they wait for something slow.

The server doesn't cancel such a request; it reports the disconnect when more of the request is read. That takes a
task, which is started only once something has taken a while.
"""

import asyncio
from contextvars import ContextVar
from types import TracebackType
from typing import Final

from starlette.types import Receive

_WATCH_AFTER: Final = 0.05
"""Seconds that an operation may take before its client is watched."""


class Client:
    """The client of the request that a task handles. The request's body must have been read."""

    __slots__ = ("_receive", "_task_id", "has_left")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        # Not the task itself, whose context refers to this object: the cycle would have to be garbage-collected.
        self._task_id = id(asyncio.current_task())
        self.has_left = False

    def is_served_by(self, task: "asyncio.Task[object] | None") -> bool:
        """Return True for the task that handles the request, but not for tasks that it has started."""
        return id(task) == self._task_id

    async def cancel_when_left(self, task: "asyncio.Task[object]") -> None:
        """Wait until the client disconnects, then cancel the task that handles its request."""
        while (await self._receive())["type"] != "http.disconnect":
            pass
        if not self.has_left:
            self.has_left = True
            task.cancel()


_client: Final[ContextVar[Client | None]] = ContextVar("client", default=None)


def watch_client(receive: Receive | None) -> None:
    """Watch the client of the request that this task handles, whenever the task waits for something slow.

    None ends the watch.
    """
    _client.set(None if receive is None else Client(receive))


def is_cancelled_by_disconnect() -> bool:
    """Return True if this task was cancelled because its client disconnected, and undo the cancellation."""
    client, task = _client.get(), asyncio.current_task()
    if client is None or task is None or not client.has_left:
        return False
    task.uncancel()
    return True


class CancelledByDisconnect:
    """A context in which the request is cancelled when its client disconnects. It does nothing outside of a request."""

    __slots__ = ("_client", "_timer", "_watch")

    def __enter__(self) -> None:
        client = _client.get()
        self._timer: asyncio.TimerHandle | None = None
        self._watch: asyncio.Task[None] | None = None
        task = asyncio.current_task()
        if client is not None and task is not None and client.is_served_by(task):
            self._timer = asyncio.get_running_loop().call_later(_WATCH_AFTER, self._start_watch, client, task)

    def _start_watch(self, client: Client, task: "asyncio.Task[object]") -> None:
        self._watch = asyncio.get_running_loop().create_task(client.cancel_when_left(task), name="disconnect")

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._watch is not None:
            self._watch.cancel()
