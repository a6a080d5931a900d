"""The body of a request that records: read within bounds, unpacked within bounds, cut into lines."""

import asyncio
import zlib
from typing import Final

import msgspec
from starlette.requests import ClientDisconnect, Request

from rapport.errors import MalformedBody, TooLarge, UnsupportedMediaType

MOST_BYTES: Final = 16 * 1024 * 1024
MOST_LINES: Final = 10_000

NDJSON: Final = "application/x-ndjson"
JSON: Final = "application/json"

_ARRAY: Final = msgspec.json.Decoder(list[msgspec.Raw])
_GZIP: Final = 31
"""zlib's window bits for a gzip header and the largest window."""


async def read_lines(request: Request) -> list[bytes | msgspec.Raw]:
    """The lines of the body: of NDJSON each line that isn't blank, of a JSON array each item.

    Raises UnsupportedMediaType, TooLarge, MalformedBody.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in {NDJSON, JSON}:
        raise UnsupportedMediaType(
            f"the Content-Type must be {NDJSON} or {JSON}; with curl: -H 'Content-Type: {NDJSON}' and --data-binary"
        )
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"identity", "gzip", "x-gzip"}:
        raise UnsupportedMediaType("the Content-Encoding must be gzip, or none")
    body = await _read(request)
    if encoding != "identity":
        # In a thread: zlib lets the event loop go on, and a small body may unpack to a large one.
        body = await asyncio.to_thread(_unpacked, body)
    lines = _lines(body) if media_type == NDJSON else _items(body)
    if len(lines) > MOST_LINES:
        raise TooLarge(f"a request may have {MOST_LINES} activities, and this one has {len(lines)}")
    return lines


async def _read(request: Request) -> bytes:
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > MOST_BYTES:
        raise _too_large()
    chunks = bytearray()
    try:
        async for chunk in request.stream():
            chunks += chunk
            if len(chunks) > MOST_BYTES:
                raise _too_large()
    except ClientDisconnect:
        raise MalformedBody("the body ended before its end") from None
    return bytes(chunks)


def _too_large() -> TooLarge:
    return TooLarge(f"a body may have {MOST_BYTES} bytes, also once it is unpacked; send it in parts")


def _unpacked(body: bytes) -> bytes:
    unpacked = bytearray()
    while body:
        packed = zlib.decompressobj(_GZIP)
        try:
            unpacked += packed.decompress(body, MOST_BYTES + 1 - len(unpacked))
        except zlib.error as problem:
            raise MalformedBody(f"the body is not gzip: {problem}") from None
        if len(unpacked) > MOST_BYTES:
            raise _too_large()
        if not packed.eof:
            raise MalformedBody("the body is gzip that ends too early")
        # A gzip file may have several members, one behind the other (RFC 1952, 2.2).
        body = packed.unused_data
    return bytes(unpacked)


def _lines(body: bytes) -> list[bytes | msgspec.Raw]:
    return [line for line in body.split(b"\n") if line.strip()]


def _items(body: bytes) -> list[bytes | msgspec.Raw]:
    try:
        return list(_ARRAY.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise MalformedBody(f"the body must be a JSON array of activities: {problem}") from None
