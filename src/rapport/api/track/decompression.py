"""Decompress gzip in steps of bounded size."""

import zlib
from typing import Final

from rapport.api.track.body_limits import MAX_BYTES, too_large
from rapport.errors import MalformedBody, PayloadTooLarge

MAX_GZIP_MEMBERS: Final = 1_000

_PIECE: Final = 64 * 1024
"""The number of bytes that are read or written in one call of zlib."""
_GZIP: Final = 31
"""zlib's window bits for a gzip header and the largest window."""


class Decompressor:
    """Decompresses gzip, which may have several members (RFC 1952, 2.2), in steps of bounded size."""

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
        """The total size of the compressed and the decompressed data."""
        return len(self._body) + self._size

    def decompressed(self) -> bytes:
        """Return the decompressed body, after `step` has returned True."""
        self._body = memoryview(b"")
        whole = b"".join(self._pieces)
        self._pieces.clear()
        return whole

    def step(self, size: int) -> bool:
        """Read and write about `size` more bytes at most; return True if the end is reached.

        Raises MalformedBody and PayloadTooLarge.
        """
        stop_reading, stop_writing = self._position + size, self._size + size
        while self._position < stop_reading and self._size < stop_writing:
            if self._member is None:
                if self._position == len(self._body):
                    self.is_done = True
                    break
                self._members += 1
                if self._members > MAX_GZIP_MEMBERS:
                    raise PayloadTooLarge(f"a gzip body may have {MAX_GZIP_MEMBERS} members; compress it as one member")
                self._member = zlib.decompressobj(_GZIP)
            self._decompress_piece(self._member)
        return self.is_done

    def _decompress_piece(self, member: "zlib._Decompress") -> None:
        # Small pieces, because the rest of a piece after the end of a member is copied.
        compressed = self._body[self._position : self._position + _PIECE]
        try:
            decompressed = member.decompress(compressed, _PIECE)
        except zlib.error as exc:
            raise MalformedBody(f"the body is not gzip: {exc}") from None
        self._position += len(compressed) - len(member.unconsumed_tail) - len(member.unused_data)
        if decompressed:
            self._size += len(decompressed)
            if self._size > MAX_BYTES:
                raise too_large()
            self._pieces.append(decompressed)
        if member.eof:
            self._member = None
        elif not compressed and not decompressed:
            raise MalformedBody("the body is gzip that ends too early")
