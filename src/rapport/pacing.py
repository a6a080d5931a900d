"""Responses that are sent at the client's pace, for large bodies and for bodies whose length isn't known.

The server buffers a body that it gets as a whole for as long as the client takes to read it. A body that it gets in
chunks is requested chunk by chunk as the client reads, so that the buffered amount is known, bounded, and dropped in
time.
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

LARGE: Final = 128 * 1024
"""The size in bytes from which a response is paced."""

_CHUNK_SIZE: Final = 64 * 1024
_SEND_TIMEOUT: Final = 10.0
"""Seconds that a client may take to make room for a chunk."""
_MAX_UNREAD: Final = 64_000_000
"""The maximum size of a worker's paced responses in bytes. An account may use as much as is still free, so at most half
if it is the only one."""
_STREAM_WEIGHT: Final = 2_000_000
_RETRY_AFTER: Final = 5


class _Unread:
    """The total size of paced responses that are being sent, by account."""

    def __init__(self) -> None:
        self._free = _MAX_UNREAD
        self._used = Counter[str]()

    @contextmanager
    def reserve(self, scope: Scope, size: int) -> Iterator[None]:
        """Reserve space for a response while it is sent. Raises TooMuchUnread."""
        principal = scope.get("principal")
        account_id = "" if principal is None else principal.account_id
        if self._used[account_id] and self._used[account_id] + size > self._free:
            raise TooMuchUnread(_RETRY_AFTER)
        self._free -= size
        self._used[account_id] += size
        try:
            yield
        finally:
            self._free += size
            self._used[account_id] -= size
            if not self._used[account_id]:
                del self._used[account_id]


_UNREAD: Final = _Unread()


class PacedResponse(Response):
    """A response whose body is sent in chunks if it is large. A client that doesn't read doesn't get the rest."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response. Raises TooMuchUnread before anything is sent."""
        if len(self.body) < LARGE or scope["method"] == "HEAD":
            await super().__call__(scope, receive, send)
            return
        with _UNREAD.reserve(scope, len(self.body)), CancelledByDisconnect():
            await _send_paced(send, self._messages())

    async def _messages(self) -> AsyncIterator[Message]:
        yield {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        body = memoryview(self.body)
        for start in range(0, len(body), _CHUNK_SIZE):
            chunk = bytes(body[start : start + _CHUNK_SIZE])
            yield {"type": "http.response.body", "body": chunk, "more_body": start + _CHUNK_SIZE < len(body)}


class PacedStream(Response):
    """A response whose body is generated while it is sent."""

    def __init__(self, content: AsyncIterator[bytes], media_type: str, headers: Mapping[str, str]) -> None:
        super().__init__(headers=dict(headers), media_type=media_type)
        del self.headers["content-length"]
        self._content = content

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response. Raises TooMuchUnread before anything is sent."""
        del receive
        with _UNREAD.reserve(scope, _STREAM_WEIGHT), CancelledByDisconnect():
            await _send_paced(send, self._messages())

    async def _messages(self) -> AsyncIterator[Message]:
        yield {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        async for chunk in self._content:
            yield {"type": "http.response.body", "body": chunk, "more_body": True}
        yield {"type": "http.response.body", "body": b"", "more_body": False}


async def _send_paced(send: Send, messages: AsyncIterator[Message]) -> None:
    async for message in messages:
        try:
            async with asyncio.timeout(_SEND_TIMEOUT):
                await send(message)
        except TimeoutError:
            # The server closes the connection once the client has read what was sent.
            return
