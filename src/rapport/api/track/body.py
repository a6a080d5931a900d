"""Request bodies with activities, contacts or campaigns: received, decompressed and split into lines.

A small body may decompress to a large one, and a large one may contain millions of values. So bodies are decompressed
in steps in a thread, items are counted before they are decoded, and other requests run after each step. The memory for
the bodies is limited, for each account and in total.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Self

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive

from rapport.api.endpoint import JSON, NDJSON, NDJSON_NAMES
from rapport.api.track.body_limits import MAX_BYTES, too_large
from rapport.api.track.decompression import Decompressor
from rapport.api.track.splitting import split_body
from rapport.errors import TooManyBodies, UnsupportedMediaType

_MAX_HELD: Final = 128 * 1024 * 1024
_MAX_HELD_BY_ACCOUNT: Final = 64 * 1024 * 1024
"""The maximum total size, in bytes, of the bodies that a worker is reading; small ones don't count."""
_SMALL: Final = 64 * 1024
_MAX_WAITING: Final = 16
"""The maximum number of an account's large bodies that wait for another one to be read."""
_RETRY_AFTER: Final = 1

_SLICE_BYTES: Final = 256 * 1024
_SLICE_LINES: Final = 200
"""The size of the slices between which other requests run."""
_STEP: Final = 1024 * 1024
"""The number of bytes that are decompressed in one step in the thread."""


class Lines:
    """The lines of a body: the non-blank lines of NDJSON, or the items of a JSON array. A context manager."""

    def __init__(self, lines: list[bytes | msgspec.Raw], reservation: "_Reservation") -> None:
        self._lines = lines
        self._reservation = reservation

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.clear()
        self._reservation.release()

    def slices(self) -> Iterator[tuple[int, list[bytes | msgspec.Raw]]]:
        """Yield the index of a slice's first line, and its lines. `await let_others_run()` between two slices."""
        first = 0
        while first < len(self._lines):
            last = size = 0
            for last in range(first, min(first + _SLICE_LINES, len(self._lines))):
                size += len(self._lines[last])
                if size >= _SLICE_BYTES:
                    break
            yield first, self._lines[first : last + 1]
            first = last + 1

    async def let_others_run(self) -> None:
        """Give other requests their turn. Raises ClientDisconnect."""
        await self._reservation.let_others_run()


class BodyReader:
    """Reads the bodies of a worker's requests."""

    def __init__(self) -> None:
        self.held = Counter[str]()
        self.turns: dict[str, asyncio.Lock] = {}
        self.waiting = Counter[str]()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="decompress")

    async def read(self, request: Request, account_id: str) -> Lines:
        """Return the lines of the body.

        Raises UnsupportedMediaType, PayloadTooLarge, MalformedBody, TooManyBodies, ClientDisconnect.
        """
        media_type, encoding = _check_headers(request)
        reservation = _Reservation(self, account_id)
        try:
            body = await self._read(request, encoding, reservation)
            return Lines(await split_body(body, media_type == JSON, reservation.let_others_run), reservation)
        except BaseException:
            reservation.release()
            raise

    async def _read(self, request: Request, encoding: str, reservation: "_Reservation") -> bytes:
        body = await _receive(request, reservation)
        is_large = len(body) > _SMALL
        if encoding == "identity":
            if is_large:
                await reservation.take_turn(request.receive)
            return body
        decompressor = Decompressor(body)
        del body
        if not decompressor.step(_SMALL) or is_large:
            await reservation.take_turn(request.receive)
            loop = asyncio.get_running_loop()
            while not decompressor.is_done:
                reservation.check_connection()
                await loop.run_in_executor(self._thread, decompressor.step, _STEP)
                reservation.hold(decompressor.bytes_held)
        return decompressor.decompressed()


class _Reservation:
    """A request's share of its worker's memory for bodies, and for a large body its account's lock."""

    def __init__(self, reader: BodyReader, account_id: str) -> None:
        self._reader = reader
        self._account_id = account_id
        self._bytes = 0
        self._turn: asyncio.Lock | None = None
        self._closed: asyncio.Task[None] | None = None

    def hold(self, size: int) -> None:
        """Increase the reserved bytes to `size`. Raises TooManyBodies."""
        if size <= _SMALL or size <= self._bytes:
            return
        held = self._reader.held
        more = size - self._bytes
        if held[self._account_id] + more > _MAX_HELD_BY_ACCOUNT or held.total() + more > _MAX_HELD:
            raise TooManyBodies(_RETRY_AFTER)
        held[self._account_id] += more
        self._bytes = size

    async def take_turn(self, receive: Receive) -> None:
        """Wait until no other large body of the account is being read. Raises TooManyBodies, ClientDisconnect."""
        reader, account_id = self._reader, self._account_id
        if reader.waiting[account_id] > _MAX_WAITING:
            raise TooManyBodies(_RETRY_AFTER)
        self._closed = asyncio.create_task(_wait_for_disconnect(receive))
        turn = reader.turns.setdefault(account_id, asyncio.Lock())
        reader.waiting[account_id] += 1
        try:
            await turn.acquire()
            self._turn = turn
        finally:
            if self._turn is None:
                self._leave_queue()
        self.check_connection()

    def check_connection(self) -> None:
        """Raise ClientDisconnect if the client of a large body has disconnected."""
        if self._closed is not None and self._closed.done():
            raise ClientDisconnect

    async def let_others_run(self) -> None:
        """Give other requests their turn. Raises ClientDisconnect."""
        await asyncio.sleep(0)
        self.check_connection()

    def release(self) -> None:
        """Release the memory and the lock."""
        if self._closed is not None:
            self._closed.cancel()
            self._closed = None
        if self._turn is not None:
            self._turn.release()
            self._turn = None
            self._leave_queue()
        if self._bytes:
            held = self._reader.held
            held[self._account_id] -= self._bytes
            if not held[self._account_id]:
                del held[self._account_id]
            self._bytes = 0

    def _leave_queue(self) -> None:
        waiting = self._reader.waiting
        waiting[self._account_id] -= 1
        if not waiting[self._account_id]:
            del waiting[self._account_id], self._reader.turns[self._account_id]


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _check_headers(request: Request) -> tuple[str, str]:
    """Return media type and encoding. Raises UnsupportedMediaType, and PayloadTooLarge for an announced length."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != JSON and media_type not in NDJSON_NAMES:
        raise UnsupportedMediaType(
            f"the Content-Type must be {NDJSON} or {JSON}; with curl: -H 'Content-Type: {NDJSON}' and --data-binary"
        )
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"identity", "gzip", "x-gzip"}:
        raise UnsupportedMediaType("the Content-Encoding must be gzip, or none")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > MAX_BYTES:
        raise too_large()
    return media_type, encoding


async def _receive(request: Request, reservation: _Reservation) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > MAX_BYTES:
            raise too_large()
        reservation.hold(size)
        pieces.append(piece)
    return b"".join(pieces)
