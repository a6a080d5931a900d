"""Responses that wait for their client to read, for a while: large ones, and those without a known end.

The server takes over a body that it is given whole, and keeps it for as long as the client likes. Given piece by piece,
it asks for the next one when the client has read; so what waits here is known, bounded, and given up in time.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from rapport.disconnects import CancelledByDisconnect
from rapport.errors import TooMuchUnread
from rapport.worker import abort_connection

LARGE: Final = 128 * 1024
"""Bytes of a body from which on its response is paced."""

_PIECE: Final = 64 * 1024
_STALLED_AFTER: Final = 10.0
"""Seconds that a client may take to make room for a piece."""
_MAX_UNREAD: Final = 64_000_000
"""Bytes of paced responses in one worker. An account may have as much as is still free, so that it alone has half."""
_STREAM_WEIGHT: Final = 2_000_000
_RETRY_AFTER: Final = 5


class _Unread:
    """What paced responses hold until their clients have read them."""

    def __init__(self) -> None:
        self._free = _MAX_UNREAD
        self._held = Counter[str]()

    @contextmanager
    def hold(self, scope: Scope, size: int) -> Iterator[None]:
        """Count a response while it is sent. Raises TooMuchUnread."""
        principal = scope.get("principal")
        account_id = "" if principal is None else principal.account_id
        if self._held[account_id] and self._held[account_id] + size > self._free:
            raise TooMuchUnread(_RETRY_AFTER)
        self._free -= size
        self._held[account_id] += size
        try:
            yield
        finally:
            self._free += size
            self._held[account_id] -= size
            if not self._held[account_id]:
                del self._held[account_id]


_UNREAD: Final = _Unread()


class PacedResponse(Response):
    """A response whose large body is sent piece by piece. A client that doesn't read is cut off."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response. Raises TooMuchUnread before anything is sent."""
        if len(self.body) < LARGE or scope["method"] == "HEAD":
            await super().__call__(scope, receive, send)
            return
        with _UNREAD.hold(scope, len(self.body)), CancelledByDisconnect():
            await _send_paced(scope, send, self._messages())

    async def _messages(self) -> AsyncIterator[Message]:
        yield {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        body = memoryview(self.body)
        for first in range(0, len(body), _PIECE):
            piece = bytes(body[first : first + _PIECE])
            yield {"type": "http.response.body", "body": piece, "more_body": first + _PIECE < len(body)}


class PacedStream(Response):
    """A response of which only the beginning is known when it begins."""

    def __init__(self, content: AsyncIterator[bytes], media_type: str, headers: Mapping[str, str]) -> None:
        super().__init__(headers=dict(headers), media_type=media_type)
        del self.headers["content-length"]
        self._content = content

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response. Raises TooMuchUnread before anything is sent."""
        del receive
        with _UNREAD.hold(scope, _STREAM_WEIGHT), CancelledByDisconnect():
            await _send_paced(scope, send, self._messages())

    async def _messages(self) -> AsyncIterator[Message]:
        yield {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        async for piece in self._content:
            yield {"type": "http.response.body", "body": piece, "more_body": True}
        yield {"type": "http.response.body", "body": b"", "more_body": False}


async def _send_paced(scope: Scope, send: Send, messages: AsyncIterator[Message]) -> None:
    async for message in messages:
        try:
            async with asyncio.timeout(_STALLED_AFTER):
                await send(message)
        except TimeoutError:
            if scope["client"] is not None:
                host, port = scope["client"]
                abort_connection(host, int(port))
            return
