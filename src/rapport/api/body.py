"""The body of a request that records: read within bounds, unpacked within bounds, cut into lines.

A small body may stand for a large one, and a large one for millions of values. So a body is unpacked in pieces in a
thread, its items are counted before they become objects, and other requests have their turn after each piece. What a
worker holds of bodies is bounded, for each account and in all.
"""

import asyncio
import contextlib
import re
import zlib
from collections import Counter
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive

from rapport.errors import MalformedBody, TooLarge, TooManyBodies, UnsupportedMediaType

MOST_BYTES: Final = 16 * 1024 * 1024
MOST_LINES: Final = 10_000
MAX_GZIP_MEMBERS: Final = 1_000

NDJSON: Final = "application/x-ndjson"
JSON: Final = "application/json"

_MAX_HELD: Final = 128 * 1024 * 1024
_MAX_HELD_BY_ACCOUNT: Final = 64 * 1024 * 1024
"""Bytes of bodies that a worker holds at once; small ones don't count."""
_SMALL: Final = 64 * 1024
_MAX_WAITING: Final = 16
"""Large bodies of one account that wait for another one of it to be read."""
_RETRY_AFTER: Final = 1

_SLICE_BYTES: Final = 256 * 1024
_SLICE_LINES: Final = 200
_SCAN_BYTES: Final = 128 * 1024
_SCAN_TOKENS: Final = 4_000
"""What is read at a stretch; then other requests have their turn."""
_STEP: Final = 1024 * 1024
_PIECE: Final = 64 * 1024
"""Bytes that are unpacked at a stretch in the thread, and in one call of zlib."""
_FEW_COMMAS: Final = 20 * MOST_LINES
"""An array with no more commas may be decoded before its items are counted."""
_MAX_BRACKETS: Final = 1_000_000
"""Objects and arrays in one body."""

_BRACKETS: Final = {b"[": 1, b"{": 1, b"]": -1, b"}": -1}
_ARRAY: Final = msgspec.json.Decoder(list[msgspec.Raw])
_GZIP: Final = 31
"""zlib's window bits for a gzip header and the largest window."""

_TEXT: Final = re.compile(rb"\S")
_STRING: Final = rb'"(?:[^"\\]++|\\.)*+"'
_FLAT: Final = rb'(?:[^"\[\]{}]++|' + _STRING + rb")"
_IN_ARRAY: Final = re.compile(_STRING + rb'|[\[\]{},"]', re.DOTALL)
_IN_ITEM: Final = re.compile(rb"(?:" + _FLAT + rb"|\{" + _FLAT + rb"*+\}|\[" + _FLAT + rb'*+\])++|[\[\]{}"]', re.DOTALL)
"""The next string or structural character of an array; in its items, whatever holds nothing nested is skipped at once.

A quotation mark alone is a string that goes on after the slice.
"""


class Lines:
    """The lines of a body: of NDJSON each line that isn't blank, of a JSON array each item."""

    def __init__(self, lines: list[bytes | msgspec.Raw], connection: "_Connection") -> None:
        self._lines = lines
        self._connection = connection

    async def slices(self) -> AsyncIterator[tuple[int, list[bytes | msgspec.Raw]]]:
        """Yield the index of a slice's first line, and its lines; other requests have their turn between two slices.

        Raises ClientDisconnect.
        """
        first = 0
        while first < len(self._lines):
            if first:
                await self._connection.let_others_run()
            last = size = 0
            for last in range(first, min(first + _SLICE_LINES, len(self._lines))):
                size += len(self._lines[last])
                if size >= _SLICE_BYTES:
                    break
            yield first, self._lines[first : last + 1]
            first = last + 1

    def clear(self) -> None:
        """Forget the lines."""
        self._lines.clear()


class BodyReader:
    """Reads the bodies of a worker's requests."""

    def __init__(self) -> None:
        self._held = Counter[str]()
        self._turns: dict[str, asyncio.Lock] = {}
        self._waiting = Counter[str]()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="unpack")

    @contextlib.asynccontextmanager
    async def read(self, request: Request, account_id: str) -> AsyncIterator[Lines]:
        """Read the lines of the body, and hold them until the context ends.

        Raises UnsupportedMediaType, TooLarge, MalformedBody, TooManyBodies, ClientDisconnect.
        """
        media_type, encoding = _check_headers(request)
        share = _Share(self._held, account_id)
        connection = _Connection(request.receive)
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(share.release)
            body = await _receive(request, share)
            is_large = len(body) > _SMALL
            unpacker = None
            if encoding != "identity":
                unpacker = _Unpacker(body)
                is_large = not unpacker.step(_SMALL) or is_large
            if is_large:
                await stack.enter_async_context(connection.watched())
                await stack.enter_async_context(self._turn(account_id))
                connection.check()
            if unpacker is not None:
                body = await self._unpack(unpacker, share, connection)
                del unpacker
            cut = _cut_lines if media_type == NDJSON else _cut_items
            lines = Lines(await cut(body, connection), connection)
            del body
            stack.callback(lines.clear)
            yield lines

    @contextlib.asynccontextmanager
    async def _turn(self, account_id: str) -> AsyncIterator[None]:
        """Wait until no other large body of the account is being read. Raises TooManyBodies."""
        if self._waiting[account_id] > _MAX_WAITING:
            raise TooManyBodies(_RETRY_AFTER)
        self._waiting[account_id] += 1
        try:
            async with self._turns.setdefault(account_id, asyncio.Lock()):
                yield
        finally:
            self._waiting[account_id] -= 1
            if not self._waiting[account_id]:
                del self._waiting[account_id], self._turns[account_id]

    async def _unpack(self, unpacker: "_Unpacker", share: "_Share", connection: "_Connection") -> bytes:
        loop = asyncio.get_running_loop()
        while not unpacker.is_done:
            connection.check()
            await loop.run_in_executor(self._thread, unpacker.step, _STEP)
            share.hold(unpacker.bytes_held)
        return unpacker.unpacked()


class _Share:
    """What one request holds of the bytes that a worker may hold."""

    def __init__(self, held: Counter[str], account_id: str) -> None:
        self._held = held
        self._account_id = account_id
        self._bytes = 0

    def hold(self, size: int) -> None:
        """Hold as many bytes in all. Raises TooManyBodies."""
        if size <= _SMALL or size <= self._bytes:
            return
        more = size - self._bytes
        if self._held[self._account_id] + more > _MAX_HELD_BY_ACCOUNT or self._held.total() + more > _MAX_HELD:
            raise TooManyBodies(_RETRY_AFTER)
        self._held[self._account_id] += more
        self._bytes = size

    def release(self) -> None:
        """Hold nothing any more."""
        if self._bytes:
            self._held[self._account_id] -= self._bytes
            if not self._held[self._account_id]:
                del self._held[self._account_id]
            self._bytes = 0


class _Connection:
    """The client of a large body, which may hang up while it is worked on."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._closed: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Notice when the client hangs up."""
        self._closed = asyncio.create_task(_wait_for_disconnect(self._receive))
        try:
            yield
        finally:
            self._closed.cancel()
            self._closed = None

    def check(self) -> None:
        """Raise ClientDisconnect if the client has hung up."""
        if self._closed is not None and self._closed.done():
            raise ClientDisconnect

    async def let_others_run(self) -> None:
        """Give other requests their turn. Raises ClientDisconnect."""
        await asyncio.sleep(0)
        self.check()


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _check_headers(request: Request) -> tuple[str, str]:
    """Return media type and encoding. Raises UnsupportedMediaType, and TooLarge for an announced length."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in {NDJSON, JSON}:
        raise UnsupportedMediaType(
            f"the Content-Type must be {NDJSON} or {JSON}; with curl: -H 'Content-Type: {NDJSON}' and --data-binary"
        )
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"identity", "gzip", "x-gzip"}:
        raise UnsupportedMediaType("the Content-Encoding must be gzip, or none")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > MOST_BYTES:
        raise _too_large()
    return media_type, encoding


async def _receive(request: Request, share: _Share) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > MOST_BYTES:
            raise _too_large()
        share.hold(size)
        pieces.append(piece)
    return b"".join(pieces)


def _too_large() -> TooLarge:
    return TooLarge(f"a body may have {MOST_BYTES} bytes, also once it is unpacked; send it in parts")


def _too_many(count: str) -> TooLarge:
    return TooLarge(f"a request may have {MOST_LINES} lines, and this one has {count}; send it in parts")


class _Unpacker:
    """Unpacks gzip, which may have several members (RFC 1952, 2.2), in steps of bounded size."""

    def __init__(self, body: bytes) -> None:
        self.is_done = False
        self._body = memoryview(body)
        self._position = 0
        self._members = 0
        self._member: zlib._Decompress | None = None
        self._pieces: list[bytes] = []
        self._size = 0

    @property
    def bytes_held(self) -> int:
        """The size of what is packed and unpacked."""
        return len(self._body) + self._size

    def unpacked(self) -> bytes:
        """Return the whole, once it is unpacked."""
        self._body = memoryview(b"")
        whole = b"".join(self._pieces)
        self._pieces.clear()
        return whole

    def step(self, size: int) -> bool:
        """Read and write at most about `size` bytes more; return True if that was all.

        Raises MalformedBody and TooLarge.
        """
        stop_reading, stop_writing = self._position + size, self._size + size
        while self._position < stop_reading and self._size < stop_writing:
            if self._member is None:
                if self._position == len(self._body):
                    self.is_done = True
                    break
                self._members += 1
                if self._members > MAX_GZIP_MEMBERS:
                    raise TooLarge(f"a gzip body may have {MAX_GZIP_MEMBERS} members; pack it in one piece")
                self._member = zlib.decompressobj(_GZIP)
            self._unpack_piece(self._member)
        return self.is_done

    def _unpack_piece(self, member: "zlib._Decompress") -> None:
        # Small pieces: what is left of one after the end of a member is copied.
        packed = self._body[self._position : self._position + _PIECE]
        try:
            unpacked = member.decompress(packed, _PIECE)
        except zlib.error as exc:
            raise MalformedBody(f"the body is not gzip: {exc}") from None
        self._position += len(packed) - len(member.unconsumed_tail) - len(member.unused_data)
        if unpacked:
            self._size += len(unpacked)
            if self._size > MOST_BYTES:
                raise _too_large()
            self._pieces.append(unpacked)
        if member.eof:
            self._member = None
        elif not packed and not unpacked:
            raise MalformedBody("the body is gzip that ends too early")


async def _cut_lines(body: bytes, connection: _Connection) -> list[bytes | msgspec.Raw]:
    if body.count(b"\n") <= 2 * MOST_LINES:
        lines: list[bytes | msgspec.Raw] = [line for line in body.split(b"\n") if line.strip()]
    else:
        lines = []
        position = 0
        while position < len(body) and len(lines) <= MOST_LINES:
            # Most lines are blank, and millions of them are skipped at once.
            text = _TEXT.search(body, position, position + _SLICE_BYTES)
            if text is None:
                position += _SLICE_BYTES
                await connection.let_others_run()
                continue
            end = body.find(b"\n", text.start())
            position = len(body) if end < 0 else end + 1
            lines.append(body[text.start() : position])
    if len(lines) > MOST_LINES:
        raise _too_many("more")
    return lines


async def _cut_items(body: bytes, connection: _Connection) -> list[bytes | msgspec.Raw]:
    if body.count(b",") > _FEW_COMMAS:
        await _check_item_count(body, connection)
    try:
        items: list[bytes | msgspec.Raw] = list(_ARRAY.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise MalformedBody(f"the body must be a JSON array of activities: {exc}") from None
    if len(items) > MOST_LINES:
        raise _too_many(str(len(items)))
    return items


async def _check_item_count(body: bytes, connection: _Connection) -> None:
    """Raise TooLarge if an array has too many items, without making them."""
    if body.count(b"{") + body.count(b"[") > _MAX_BRACKETS:
        raise TooLarge(f"a body may have {_MAX_BRACKETS} objects and arrays; send it in parts")
    counter = _ItemCounter(body)
    while not counter.is_done:
        counter.step()
        await connection.let_others_run()


class _ItemCounter:
    """Counts the items of a JSON array without making them. What isn't JSON may be miscounted."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._position = 0
        self._depth = 0
        self._items = 1
        self._tokens = 0

    @property
    def is_done(self) -> bool:
        """True once all is read."""
        return self._position >= len(self._body)

    def step(self) -> None:
        """Read the next slice. Raises TooLarge."""
        stop = self._position + _SCAN_BYTES
        self._tokens = 0
        while not self.is_done and self._position < stop and self._tokens < _SCAN_TOKENS:
            self._position = self._read_array() if self._depth <= 1 else self._read_item()

    def _read_array(self) -> int:
        """Read on until an item begins that is an array or an object; return the position there."""
        end = self._position + _SCAN_BYTES
        for token in _IN_ARRAY.finditer(self._body, self._position, end):
            self._tokens += 1
            character = token[0]
            if character == b",":
                self._items += self._depth
                if self._items > MOST_LINES:
                    raise _too_many("more")
            elif character in _BRACKETS:
                self._depth += _BRACKETS[character]
                return token.end()
            elif character == b'"':
                return self._begin_of_string(token)
        return end

    def _read_item(self) -> int:
        """Read on until the item ends; return the position there."""
        end = self._position + _SCAN_BYTES
        for token in _IN_ITEM.finditer(self._body, self._position, end):
            self._tokens += 1
            if token.end() > token.start() + 1:
                continue
            character = token[0]
            if character in _BRACKETS:
                self._depth += _BRACKETS[character]
                if self._depth <= 1 or self._tokens >= _SCAN_TOKENS:
                    return token.end()
            elif character == b'"':
                return self._begin_of_string(token)
        return end

    def _begin_of_string(self, token: re.Match[bytes]) -> int:
        """Return where a string begins that goes on after the slice: the next slice begins there. Raises TooLarge."""
        if token.start() == self._position:
            raise TooLarge(f"a text may have {_SCAN_BYTES} bytes")
        return token.start()
