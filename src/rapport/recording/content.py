"""Decompress a file and detect its format, in constant memory. Texts become UTF-8 with line feeds."""

import codecs
import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from enum import Enum
from pathlib import PurePosixPath
from tempfile import TemporaryFile
from typing import Any, BinaryIO, Final, NamedTuple, Protocol, TypeAlias, cast

import msgspec
import zstandard

from rapport.errors import UnreadableFile

Content: TypeAlias = "io.BufferedReader[Any]"
"""A file of bytes."""

READ_ERRORS: Final = (OSError, EOFError, zlib.error, zstandard.ZstdError, zipfile.BadZipFile, NotImplementedError)
"""The errors that reading a broken file raises."""

SAMPLE_BYTES: Final = 64 * 1024
"""The beginning of a file that is inspected to detect its format."""

_BUFFER: Final = 1 << 20
_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_ZIP: Final = b"PK\x03\x04"
_EMPTY_ZIP: Final = b"PK\x05\x06"
_OLD_EXCEL: Final = b"\xd0\xcf\x11\xe0"
_UNKNOWN_FORMAT: Final = "is neither CSV, JSON, NDJSON nor an Excel workbook"
_OTHER_FORMATS: Final = {
    b"BZh": "but packed with bzip2: unpack it first",
    b"\xfd7zXZ": "but packed with xz: unpack it first",
    b"7z\xbc\xaf": "but packed with 7-Zip: unpack it first",
    b"Rar!": "but packed with RAR: unpack it first",
    b"PAR1": "but Parquet: export the data as NDJSON or CSV",
    b"%PDF": "but a PDF: export the data as CSV",
    b"\x89PNG": "but a picture",
    _EMPTY_ZIP: "but an empty archive",
    b"SQLite format 3": "but a database: export its tables as CSV",
}
"""What can't be imported, by how it begins."""

_QUOTED_OR_LINE_END: Final = re.compile(rb'"[^"]*"|\r+\n|\r|\n')
_ZSTD_PIECE: Final = 1024
"""Bytes that are unpacked at once: at most 32 MiB."""

_MAX_LEVELS: Final = 4
_MAX_WORKBOOK: Final = 512 * 1024 * 1024
"""Bytes of an unpacked workbook: it is read into memory."""

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class FileFormat(Enum):
    """The format of a file."""

    NDJSON = "NDJSON"
    JSON = "JSON"
    TABLE = "CSV"
    WORKBOOK = "Excel"


class Source(NamedTuple):
    """A file, or a file within an archive. `name` is empty unless an archive holds several.

    `head` is the beginning of `content`, which is UTF-8 without a byte order mark and with line feeds; a workbook is
    unchanged. `note` describes a conversion that users should know of.
    """

    format: FileFormat
    name: str
    head: bytes
    content: Content
    note: str | None = None


class _Reader(Protocol):
    def read(self, size: int, /) -> bytes: ...


def open_sources(raw: "BinaryIO | Content", encoding: str | None = None) -> Iterator[Source]:
    """Yield the files in a file, which has several if it is an archive. Read each one before you request the next.

    `encoding` is the encoding of its texts, if it is known. Raises UnreadableFile, after all others if it is about some
    files of an archive, and READ_ERRORS.
    """
    opener = _Opener(encoding)
    yield from opener.unpack(cast("_Reader", raw), "", _MAX_LEVELS)
    if opener.problems:
        raise UnreadableFile("; ".join(opener.problems))


class _Opener:
    """Unpacks a file. `problems` are those of the files in an archive of several, of which the others are read."""

    def __init__(self, encoding: str | None) -> None:
        self.problems: list[str] = []
        self._encoding = encoding

    def unpack(self, raw: _Reader, member: str, levels: int) -> Iterator[Source]:
        head, content = peek(raw)
        if head.startswith((_GZIP, _ZSTD, _ZIP)) and not levels:
            raise UnreadableFile(f"is packed more than {_MAX_LEVELS} times")
        if head.startswith(_GZIP):
            yield from self.unpack(cast("_Reader", gzip.GzipFile(fileobj=content)), member, levels - 1)
        elif head.startswith(_ZSTD):
            yield from self.unpack(cast("_Reader", buffer(_Zstandard(content))), member, levels - 1)
        elif head.startswith(_ZIP):
            yield from self._unzip(content, member, levels - 1)
        elif head.startswith(_OLD_EXCEL):
            yield Source(FileFormat.WORKBOOK, member, head, content)
        elif (other := _find_other_format(head)) is not None:
            raise UnreadableFile(f"{_UNKNOWN_FORMAT}, {other}")
        else:
            yield self._open_text(head, content, member)

    def _unzip(self, content: Content, member: str, levels: int) -> Iterator[Source]:
        # The directory of an archive is at its end.
        with TemporaryFile() as spooled:
            while piece := content.read(_BUFFER):
                spooled.write(piece)
            spooled.seek(0)
            with zipfile.ZipFile(spooled) as archive:
                infos = archive.infolist()
                if any(info.filename in {"xl/workbook.xml", "xl/workbook.bin"} for info in infos):
                    if sum(info.file_size for info in infos) > _MAX_WORKBOOK:
                        raise UnreadableFile("is too large for a workbook; save it as CSV")
                    spooled.seek(0)
                    yield Source(FileFormat.WORKBOOK, member, b"", io.BufferedReader(cast("Any", spooled)))
                    return
                files = [info for info in infos if _is_file(info)]
                if not files:
                    raise UnreadableFile("the archive holds no files")
                for info in files:
                    yield from self._open_member(
                        archive, info, member or (info.filename if len(files) > 1 else ""), levels
                    )

    def _open_member(
        self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, member: str, levels: int
    ) -> Iterator[Source]:
        try:
            if info.flag_bits & 1:
                raise UnreadableFile("is encrypted; unpack it first")
            with archive.open(info) as file:
                yield from self.unpack(cast("_Reader", file), member, levels)
        except UnreadableFile as exc:
            if not member:
                raise
            self.problems.append(f"{member}: {exc}")

    def _open_text(self, head: bytes, content: Content, member: str) -> Source:
        encoding, mark = (self._encoding, 0) if self._encoding is not None else _detect_unicode(head)
        if mark:
            content.read(mark)
            head = head[mark:]
        if encoding != "utf-8":
            content = buffer(_Transcoder(content, encoding))
            head, content = peek(cast("_Reader", content))
        if b"\0" in head.partition(b"\n")[0]:
            raise UnreadableFile(f"{_UNKNOWN_FORMAT}; if it is a text, add --encoding NAME")
        if _has_carriage_returns(head):
            content = buffer(_LineFeeds(content))
            head = head.replace(b"\r", b"\n")
        note = "read as UTF-16" if encoding.startswith("utf-16") else None
        return Source(_detect_format(head), member, head, content, note)


def _find_other_format(head: bytes) -> str | None:
    """Return what a file is that can't be imported, by its first bytes; None if it may be a text."""
    return next((other for mark, other in _OTHER_FORMATS.items() if head.startswith(mark)), None)


def _has_carriage_returns(head: bytes) -> bool:
    """Return True if lines end with carriage returns alone: the first one does, apart from what is in quotes."""
    ends = (match[0] for match in _QUOTED_OR_LINE_END.finditer(head) if match[0][:1] != b'"')
    end = next(ends, None)
    return end == b"\r" or (end is None and b"\r" in head and b"\n" not in head)


def _is_file(info: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(info.filename)
    return not info.is_dir() and not any(part.startswith((".", "__MACOSX")) for part in path.parts)


def _detect_unicode(head: bytes) -> tuple[str, int]:
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return encoding, len(mark)
    sample = head[:1_000]
    if len(sample) > 3:
        # Without a mark, every other byte of a Latin text is a NUL.
        if sample[1::2].count(0) > len(sample) // 4 and not sample[::2].count(0):
            return "utf-16-le", 0
        if sample[::2].count(0) > len(sample) // 4 and not sample[1::2].count(0):
            return "utf-16-be", 0
    return "utf-8", 0


def _detect_format(head: bytes) -> FileFormat:
    text = head.lstrip()
    if text.startswith(b"["):
        return FileFormat.JSON
    if not text.startswith(b"{"):
        return FileFormat.TABLE if text else FileFormat.NDJSON
    line, newline, rest = text.partition(b"\n")
    if not newline and len(head) >= SAMPLE_BYTES:
        # Too long for one activity: a whole document.
        return FileFormat.JSON
    if _is_value(line) or (_has_objects(rest) and b"}{" not in line):
        return FileFormat.NDJSON
    # An object that continues in the next line, or is followed by another one in the same line.
    return FileFormat.JSON if rest.strip() or b"}{" in line else FileFormat.NDJSON


def _is_value(line: bytes) -> bool:
    try:
        msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _has_objects(rest: bytes) -> bool:
    """Return True if other lines are objects of their own, so that the first one is only broken."""
    return any(line.startswith(b"{") and _is_value(line) for line in rest.splitlines()[:100])


def peek(file: _Reader) -> tuple[bytes, Content]:
    """Return the beginning of a file, and the file from its beginning: a pipe may give it in small pieces."""
    pieces: list[bytes] = []
    size = 0
    while size < SAMPLE_BYTES and (piece := file.read(SAMPLE_BYTES - size)):
        pieces.append(piece)
        size += len(piece)
    head = b"".join(pieces)
    return head, buffer(_Resumed(head, file))


def buffer(raw: io.RawIOBase) -> Content:
    """Return a buffered reader of a raw file."""
    return io.BufferedReader(cast("Any", raw), _BUFFER)


class _Pieces(io.RawIOBase):
    """A raw file that is read in pieces of any size."""

    def __init__(self) -> None:
        self._pending: bytes = b""

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:  # noqa: ANN401 - a writable buffer, which has no type before Python 3.12
        while not self._pending:
            piece = self._next_piece()
            if piece is None:
                return 0
            self._pending = piece
        size = min(len(target), len(self._pending))
        target[:size] = self._pending[:size]
        self._pending = self._pending[size:]
        return size

    def _next_piece(self) -> bytes | None:
        """Return the next piece, which may be empty; None at the end."""
        raise NotImplementedError


class _Resumed(io.RawIOBase):
    """A file whose first bytes have already been read, from its start."""

    def __init__(self, head: bytes, rest: _Reader) -> None:
        self._head = memoryview(head)
        self._rest: Any = rest

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:  # noqa: ANN401 - a writable buffer, which has no type before Python 3.12
        if self._head:
            size = min(len(target), len(self._head))
            target[:size] = self._head[:size]
            self._head = self._head[size:]
            return size
        if hasattr(self._rest, "readinto1"):
            return int(self._rest.readinto1(target))
        return int(self._rest.readinto(target))


class _Transcoder(_Pieces):
    """A text in another encoding, converted to UTF-8."""

    def __init__(self, content: Content, encoding: str) -> None:
        super().__init__()
        self._content = content
        self._decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
        self._is_done = False

    def _next_piece(self) -> bytes | None:
        if self._is_done:
            return None
        piece = self._content.read(SAMPLE_BYTES)
        self._is_done = not piece
        return self._decoder.decode(piece, final=self._is_done).encode()


class _Zstandard(_Pieces):
    """What one or more frames of Zstandard contain. Raises EOFError if the last one is cut off."""

    def __init__(self, content: Content) -> None:
        super().__init__()
        self._content = content
        self._decompressor = zstandard.ZstdDecompressor()
        self._frame: zstandard.ZstdDecompressionObj | None = None
        self._rest = b""

    def _next_piece(self) -> bytes | None:
        packed = self._rest or self._content.read(_ZSTD_PIECE)
        self._rest = b""
        if not packed:
            if self._frame is not None:
                raise EOFError("Compressed file ended before the end-of-stream marker was reached")
            return None
        frame = self._frame or self._decompressor.decompressobj()
        piece = frame.decompress(packed)
        self._frame, self._rest = (None, frame.unused_data) if frame.eof else (frame, b"")
        return piece


class _LineFeeds(_Pieces):
    """A text whose lines end with carriage returns, with line feeds instead."""

    def __init__(self, content: Content) -> None:
        super().__init__()
        self._content = content

    def _next_piece(self) -> bytes | None:
        return self._content.read(SAMPLE_BYTES).replace(b"\r", b"\n") or None
