"""Server-sent events: an answer that goes on for as long as its client listens, keeps up, and may."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, TypeAlias

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from rapport.disconnects import watch_client
from rapport.errors import StoreUnavailable
from rapport.reporting.live_feed import ActivityEvent, GapEvent, LiveFeed, Subscription
from rapport.worker import abort_connection

MEDIA_TYPE: Final = "text/event-stream"
HEADERS: Final = {
    "content-type": MEDIA_TYPE,
    # no-transform and X-Accel-Buffering: a proxy that packs or collects what passes would hold it back.
    "cache-control": "no-store, no-transform",
    "x-accel-buffering": "no",
    "x-content-type-options": "nosniff",
    # After a stream there is nothing more on its connection, so that it can be cut.
    "connection": "close",
}

Shape: TypeAlias = Callable[[ActivityEvent | GapEvent], bytes]
"""How what is heard is said."""
Holds: TypeAlias = Callable[[], Awaitable[bool]]
"""Whether who listens may go on."""

_RETRY: Final = 2_000
"""Milliseconds after which a client that was cut off is to come back."""
_AWAKE_EVERY: Final = 15.0
"""Seconds of silence after which something is said, so that no proxy takes the stream for dead."""
_ASK_EVERY: Final = 1.0
"""Seconds until it is asked again whether this may go on."""
_STALLED_AFTER: Final = 5.0
"""Seconds that a client may take until there is room for more."""

_PIECE: Final = 64 * 1024
"""Bytes that are sent together, so that a client that doesn't read holds no more."""

_HANG_UP_AFTER: Final = 2.0
"""Seconds after the end in which a client may still take what it was sent."""

_LINE_ENDS: Final = re.compile(r"\r\n|\r|\n")


def said(event: str, data: str, position: str | None = None) -> bytes:
    """An event as it is sent; without a position it says nothing of where its reader is."""
    lines = [f"event: {event}", *(f"data: {line}" for line in _LINE_ENDS.split(data))]
    if position is not None:
        lines.append(f"id: {position}")
    return ("\n".join(lines) + "\n\n").encode()


class EventStream(Response):
    """The events of a subscription, as server-sent events. Unsubscribes when the stream ends, for whatever reason."""

    def __init__(
        self, feed: LiveFeed, subscription: Subscription, shape: Shape, holds: Holds, *, with_positions: bool
    ) -> None:
        super().__init__(headers=HEADERS)
        del self.headers["content-length"]
        self._feed = feed
        self._subscription = subscription
        self._shape = shape
        self._holds = holds
        self._with_positions = with_positions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Speak until there is nobody to hear it, or nothing more to say."""
        watch_client(None)
        gone = asyncio.create_task(_gone(receive))
        gone.add_done_callback(lambda _: self._subscription.close())
        try:
            # Who doesn't read is cut off, and can begin again where it was; a store that can't be read ends it as well.
            with suppress(TimeoutError, StoreUnavailable):
                await self._speak(send)
            if not gone.done():
                with suppress(TimeoutError):
                    await _send(send, b"", is_last=True)
        finally:
            if not gone.done() and scope["client"] is not None:
                host, port = scope["client"]
                asyncio.get_running_loop().call_later(_HANG_UP_AFTER, abort_connection, host, int(port))
            gone.cancel()
            self._feed.unsubscribe(self._subscription)

    async def _speak(self, send: Send) -> None:
        async with asyncio.timeout(_STALLED_AFTER):
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await _send(send, f"retry: {_RETRY}\n{self._position()}\n".encode())
        spoke = time.monotonic()
        while not self._subscription.is_closed and await self._holds():
            heard = await self._subscription.get(_ASK_EVERY)
            if not heard:
                if time.monotonic() - spoke < _AWAKE_EVERY:
                    continue
                await _send(send, f": awake\n{self._position()}\n".encode())
            text = bytearray()
            for each in heard:
                text += self._shape(each)
                if len(text) >= _PIECE:
                    await _send(send, bytes(text))
                    text.clear()
            if text:
                await _send(send, bytes(text))
            spoke = time.monotonic()

    def _position(self) -> str:
        """Where the reader is, as it has heard everything: what wasn't for it needs not be looked through again."""
        position = self._subscription.position if self._with_positions else None
        return "" if position is None else f"id: {position}\n"


async def _send(send: Send, text: bytes, *, is_last: bool = False) -> None:
    async with asyncio.timeout(_STALLED_AFTER):
        await send({"type": "http.response.body", "body": text, "more_body": not is_last})


async def _gone(receive: Receive) -> None:
    """Return when the client has hung up."""
    while (await receive())["type"] != "http.disconnect":
        pass
