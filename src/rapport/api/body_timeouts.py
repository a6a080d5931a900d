"""Timeouts of request bodies, for clients that stop sending or send too slowly.

Granian has a timeout for a request's header, but none for its body.
"""

import asyncio
from typing import Final

from starlette.types import Message, Receive, Scope

from rapport.auth.token import Principal

MAX_PAUSE: Final = 30.0
"""Seconds between two chunks of a body."""
MIN_BYTES_PER_SECOND: Final = 10_000
"""The slowest average rate, after the first `MAX_PAUSE` seconds."""
ANONYMOUS_TIMEOUT: Final = 10.0
"""Seconds for the whole body of a request without a token or session, such as the sign-in form."""
STOP_TIMEOUT: Final = 2.0
"""Seconds for unfinished bodies once the server is stopping."""

_MAX_ANONYMOUS: Final = 64
_ANONYMOUS_GRACE: Final = 0.5
_MAX_PER_ACCOUNT: Final = 128
_ACCOUNT_GRACE: Final = 5.0
"""The total seconds of the oldest body when an account has more than `_MAX_PER_ACCOUNT` unfinished ones."""

_LENGTH: Final = b"content-length"


class BodyReceiver:
    """The ASGI `receive` of a request. After a timeout it returns `http.disconnect`."""

    def __init__(self, bodies: "UnfinishedBodies", scope: Scope, receive: Receive) -> None:
        self.timed_out = False
        self._bodies = bodies
        self._scope = scope
        self._receive = receive
        self._complete = False
        self._group: str | None = None
        self._timeout: asyncio.Timeout | None = None
        self._began = 0.0
        self._latest = float("inf")
        self._bytes = 0
        self._length: int | None = None

    async def __call__(self) -> Message:
        """Return the next ASGI message."""
        if self._complete:
            return await self._receive()
        now = asyncio.get_running_loop().time()
        if self._group is None:
            self._begin(now)
        try:
            async with asyncio.timeout_at(min(self._next_deadline(now), self._latest)) as self._timeout:
                message = await self._receive()
        except TimeoutError:
            self.timed_out = True
            message = {"type": "http.disconnect"}
        finally:
            self._timeout = None
        self._bytes += len(message.get("body", b""))
        if self._bytes == self._length:
            # Granian would send another message for this.
            message["more_body"] = False
        if not message.get("more_body", False):
            self.close()
        return message

    def limit(self, deadline: float) -> None:
        """Time out at `deadline`, in the event loop's time, if the body isn't complete by then."""
        self._latest = min(self._latest, deadline)
        timeout = self._timeout
        if timeout is not None and not timeout.expired() and (timeout.when() or 0.0) > self._latest:
            timeout.reschedule(self._latest)

    def limit_to(self, seconds: float) -> None:
        """Time out `seconds` after the start of the body if it isn't complete by then."""
        self.limit(self._began + seconds)

    def close(self) -> None:
        """Stop the timeout, because the body is complete or no longer read."""
        self._complete = True
        if self._group is not None:
            self._bodies.remove(self, self._group)

    def _begin(self, now: float) -> None:
        principal: Principal | None = self._scope.get("principal")
        self._began = now
        self._length = next((_read_length(value) for name, value in self._scope["headers"] if name == _LENGTH), None)
        # An account's id is never empty.
        self._group = "" if principal is None else principal.account_id
        self._bodies.add(self, self._group, now)

    def _next_deadline(self, now: float) -> float:
        if not self._group:
            return self._began + ANONYMOUS_TIMEOUT
        return min(now + MAX_PAUSE, self._began + MAX_PAUSE + self._bytes / MIN_BYTES_PER_SECOND)


def _read_length(value: bytes) -> int | None:
    return int(value) if value.isdigit() else None


class UnfinishedBodies:
    """The request bodies that a worker is receiving, by account."""

    def __init__(self) -> None:
        self._receivers: set[BodyReceiver] = set()
        # Without those whose time was shortened, oldest first.
        self._groups: dict[str, dict[BodyReceiver, None]] = {}
        self._stops_at: float | None = None

    def add(self, receiver: BodyReceiver, group: str, now: float) -> None:
        """Add a body. If its group has too many, shorten the time of the oldest one."""
        self._receivers.add(receiver)
        receivers = self._groups.setdefault(group, {})
        receivers[receiver] = None
        if len(receivers) > (_MAX_PER_ACCOUNT if group else _MAX_ANONYMOUS):
            oldest = next(iter(receivers))
            del receivers[oldest]
            oldest.limit_to(_ACCOUNT_GRACE if group else _ANONYMOUS_GRACE)
        if self._stops_at is not None:
            receiver.limit(max(self._stops_at, now))

    def remove(self, receiver: BodyReceiver, group: str) -> None:
        """Remove a body."""
        self._receivers.discard(receiver)
        receivers = self._groups.get(group)
        if receivers is not None:
            receivers.pop(receiver, None)
            if not receivers:
                del self._groups[group]

    def stop(self) -> None:
        """Time out all bodies that aren't complete in `STOP_TIMEOUT` seconds, because the server is stopping."""
        self._stops_at = asyncio.get_running_loop().time() + STOP_TIMEOUT
        for receiver in self._receivers:
            receiver.limit(self._stops_at)
