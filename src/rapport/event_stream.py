"""Server-sent events: a response that continues while its client is connected, keeps up, and is authorized."""

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

MEDIA_TYPE: Final = "text/event-stream"
HEADERS: Final = {
    "content-type": MEDIA_TYPE,
    # no-transform and X-Accel-Buffering: a proxy that compresses or buffers the stream would delay its events.
    "cache-control": "no-store, no-transform",
    "x-accel-buffering": "no",
    "x-content-type-options": "nosniff",
    # Nothing follows a stream on its connection, so that the connection can be closed.
    "connection": "close",
}

Serializer: TypeAlias = Callable[[ActivityEvent | GapEvent], bytes]
"""Formats an event."""
IsAuthorized: TypeAlias = Callable[[], Awaitable[bool]]
"""Returns True while the client may receive events."""

_RETRY_INTERVAL: Final = 2_000
"""Milliseconds after which a disconnected client should reconnect."""
_KEEPALIVE_INTERVAL: Final = 15.0
"""Seconds without events after which a comment is sent, so that no proxy closes the connection as idle."""
_AUTH_CHECK_INTERVAL: Final = 1.0
"""Seconds between two checks that the client is still authorized."""
_SEND_TIMEOUT: Final = 5.0
"""Seconds that a client may take to make room for more data."""

_CHUNK_SIZE: Final = 64 * 1024
"""The maximum number of bytes that wait for a client that doesn't read."""

_LINE_ENDS: Final = re.compile(r"\r\n|\r|\n")


def format_sse_event(event: str, data: str, event_id: str | None = None) -> bytes:
    """Return the event as it is sent. Without an event id, the client's last event id stays as it was."""
    lines = [f"event: {event}", *(f"data: {line}" for line in _LINE_ENDS.split(data))]
    if event_id is not None:
        lines.append(f"id: {event_id}")
    return ("\n".join(lines) + "\n\n").encode()


class EventStream(Response):
    """The events of a subscription, as server-sent events. Unsubscribes when the stream ends."""

    def __init__(
        self,
        feed: LiveFeed,
        subscription: Subscription,
        serialize: Serializer,
        is_authorized: IsAuthorized,
        *,
        with_event_ids: bool,
    ) -> None:
        super().__init__(headers=HEADERS)
        del self.headers["content-length"]
        self._feed = feed
        self._subscription = subscription
        self._serialize = serialize
        self._is_authorized = is_authorized
        self._with_event_ids = with_event_ids

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until the client disconnects, may no longer receive them, or the feed ends."""
        del scope
        watch_client(None)
        disconnect = asyncio.create_task(_wait_for_disconnect(receive))
        disconnect.add_done_callback(lambda _: self._subscription.close())
        try:
            # A slow client can resume the stream from its last event id; likewise if the store is unavailable.
            with suppress(TimeoutError, StoreUnavailable):
                await self._stream(send)
            if not disconnect.done():
                with suppress(TimeoutError):
                    await _send(send, b"", is_last=True)
        finally:
            disconnect.cancel()
            self._feed.unsubscribe(self._subscription)

    async def _stream(self, send: Send) -> None:
        async with asyncio.timeout(_SEND_TIMEOUT):
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await _send(send, f"retry: {_RETRY_INTERVAL}\n{self._format_event_id()}\n".encode())
        last_sent = time.monotonic()
        while not self._subscription.is_closed and await self._is_authorized():
            events = await self._subscription.get(_AUTH_CHECK_INTERVAL)
            if not events:
                if time.monotonic() - last_sent < _KEEPALIVE_INTERVAL:
                    continue
                await _send(send, f": keep-alive\n{self._format_event_id()}\n".encode())
            chunk = bytearray()
            for event in events:
                chunk += self._serialize(event)
                if len(chunk) >= _CHUNK_SIZE:
                    await _send(send, bytes(chunk))
                    chunk.clear()
            if chunk:
                await _send(send, bytes(chunk))
            last_sent = time.monotonic()

    def _format_event_id(self) -> str:
        """Return the position as an event id, so that a client resumes after events that weren't for it."""
        position = self._subscription.position if self._with_event_ids else None
        return "" if position is None else f"id: {position}\n"


async def _send(send: Send, chunk: bytes, *, is_last: bool = False) -> None:
    async with asyncio.timeout(_SEND_TIMEOUT):
        await send({"type": "http.response.body", "body": chunk, "more_body": not is_last})


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
