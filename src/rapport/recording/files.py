"""Read files of NDJSON or CSV, plain or gzip, or standard input, line by line in constant memory."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, Final, NamedTuple, TypeAlias, TypeVar

from rapport.errors import InvalidField, UnreadableFile
from rapport.instant import Instant
from rapport.recording.activity_codec import WHOLE_LINE, LineFormat

MAX_FILE_LINE_BYTES: Final = 64 * 1024
"""The longest accepted line of a file, in bytes. The rest of a longer one is skipped without being kept in memory."""

T = TypeVar("T")

ByteFile: TypeAlias = "io.BufferedReader[Any]"
"""A buffered binary file."""

STANDARD_INPUT: Final = "-"

_GZIP: Final = b"\x1f\x8b"
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_BUFFER: Final = 1 << 20

# A longer cell is most likely an unclosed quote: its first line is rejected and the lines after it are read again.
csv.field_size_limit(MAX_FILE_LINE_BYTES)


class InvalidLine(NamedTuple):
    """A line that can't be decoded: its number, counted from 1, the error, and its text."""

    number: int
    error: InvalidField
    text: str


def read_file(
    raw: "ByteFile | BinaryIO", name: str, now: Instant, line_format: LineFormat[T]
) -> Iterator[T | InvalidLine]:
    """Decode the lines, or rows of CSV, of the open file `raw` in order; yield an InvalidLine for those that fail.

    The extension of `name` gives the file's type: `.ndjson` or `.csv`, either followed by `.gz`. If the name is `-`,
    the first bytes decide. Raises UnreadableFile if reading ends early; everything yielded before is valid.
    """
    ending = _get_ending(name)
    try:
        head, content = _peek(raw)
        if name.endswith(".gz") or (ending is None and head.startswith(_GZIP)):
            head, content = _peek(gzip.GzipFile(fileobj=content))
        if head == _BYTE_ORDER_MARK:
            content.read(len(head))
            head, content = _peek(content)
        if ending is None:
            ending = "ndjson" if head[:1] in {b"{", b""} else "csv"
        yield from (_read_csv if ending == "csv" else _read_json)(content, now, line_format)
    except (OSError, EOFError, zlib.error) as exc:
        raise UnreadableFile(f"{name}: can't be read to the end: {exc}") from exc


class _PeekedFile(io.RawIOBase):
    """A file whose first bytes have already been read, from its start. Works for pipes, which can't seek."""

    def __init__(self, head: bytes, rest: Any) -> None:  # noqa: ANN401 - any object with readinto1
        self._head = head
        self._rest = rest

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - a writable buffer, which has no type before Python 3.12
        """Read the rest of the first bytes, then the file."""
        if not self._head:
            return int(self._rest.readinto1(buffer))
        size = min(len(buffer), len(self._head))
        buffer[:size], self._head = self._head[:size], self._head[size:]
        return size


def _peek(file: Any) -> tuple[bytes, ByteFile]:  # noqa: ANN401 - any object with read and readinto1
    """Return the first bytes, as many as a byte order mark has or the whole file, and the file from its start."""
    head = file.read(len(_BYTE_ORDER_MARK))
    return head, io.BufferedReader(_PeekedFile(head, file), _BUFFER)


def _get_ending(name: str) -> str | None:
    if name == STANDARD_INPUT:
        return None
    ending = name.removesuffix(".gz").rpartition(".")[2]
    if ending not in {"ndjson", "csv"}:
        raise UnreadableFile(f"{name}: the name must end in .ndjson, .csv, .ndjson.gz or .csv.gz")
    return ending


_NumberedLine: TypeAlias = tuple[int, bytes, int | None]
"""A line's number, its bytes, and None. If it is too long: its first bytes, and the number of quotes in all of it."""


def _split_lines(content: ByteFile) -> Iterator[_NumberedLine]:
    number = 0
    while line := content.readline(MAX_FILE_LINE_BYTES + 1):
        number += 1
        if len(line) <= MAX_FILE_LINE_BYTES:
            yield number, line, None
            continue
        quotes, part = line.count(b'"'), line
        while part and not part.endswith(b"\n"):
            part = content.readline(_BUFFER)
            quotes += part.count(b'"')
        yield number, line, quotes


def _reject_too_long(number: int, line: bytes) -> InvalidLine:
    error = InvalidField(WHOLE_LINE, None, f"must not be longer than {MAX_FILE_LINE_BYTES} bytes")
    return InvalidLine(number, error, line[:200].decode(errors="replace") + "…")


def _read_json(content: ByteFile, now: Instant, line_format: LineFormat[T]) -> Iterator[T | InvalidLine]:
    decode_json = line_format.decode_json
    for number, line, quotes in _split_lines(content):
        if quotes is not None:
            yield _reject_too_long(number, line)
            continue
        try:
            yield decode_json(line, now)
        except InvalidField as exc:
            text = line.decode(errors="replace").rstrip("\r\n")
            if text.strip():
                yield InvalidLine(number, exc, text)


class _RowLine(NamedTuple):
    """A physical line as passed to the csv reader, and its error, if any."""

    number: int
    text: str
    error: InvalidField | None


class _RowLines:
    """Iterator over the physical lines of a CSV file that remembers those of the current row.

    A row has several physical lines if a cell has line breaks.
    """

    def __init__(self, content: ByteFile) -> None:
        self._lines = _split_lines(content)
        self._row: list[_RowLine] = []
        self._pushback: list[_RowLine] = []

    def __iter__(self) -> "_RowLines":
        return self

    def __next__(self) -> str:
        line = self._pushback.pop() if self._pushback else self._read()
        self._row.append(line)
        return line.text

    def _read(self) -> _RowLine:
        number, line, quotes = next(self._lines)
        if quotes is not None:
            # Of a skipped line the csv reader only needs to know whether it opens or closes a quoted cell.
            error = InvalidField(WHOLE_LINE, None, f"must not be longer than {MAX_FILE_LINE_BYTES} bytes")
            return _RowLine(number, '"' * (quotes % 2) + "\n", error)
        try:
            return _RowLine(number, line.decode(), None)
        except UnicodeDecodeError:
            return _RowLine(number, line.decode(errors="replace"), InvalidField(WHOLE_LINE, None, "must be UTF-8"))

    def begin_row(self) -> None:
        """Forget the lines of the previous row."""
        self._row = []

    @property
    def error(self) -> InvalidField | None:
        """The first error of a line of the row, or None."""
        return next((line.error for line in self._row if line.error is not None), None)

    def reject_row(self, error: InvalidField) -> InvalidLine:
        """Return the whole row as an invalid line."""
        text = "".join(line.text for line in self._row).rstrip("\r\n")
        return InvalidLine(self._row[0].number, error, text)

    def reject_first_line(self, error: InvalidField) -> InvalidLine:
        """Return the row's first line as an invalid line, and have the others read again.

        A stray quote makes the csv reader take the following lines for part of the row.
        """
        first, *others = self._row
        self._pushback += reversed(others)
        return InvalidLine(first.number, error, first.text.rstrip("\r\n"))


def _read_csv(content: ByteFile, now: Instant, line_format: LineFormat[T]) -> Iterator[T | InvalidLine]:
    lines = _RowLines(content)
    reader = csv.reader(lines, strict=True)
    columns = _check_columns(_read_header(reader), line_format)
    while True:
        lines.begin_row()
        try:
            row = next(reader)
            if lines.error is not None:
                raise lines.error
            if not row:
                continue
            if len(row) != len(columns):
                reason = f"has {len(row)} columns where the header has {len(columns)}"
                yield lines.reject_first_line(InvalidField(WHOLE_LINE, None, reason))
                continue
            yield line_format.decode_fields(dict(zip(columns, row, strict=True)), now)
        except StopIteration:
            return
        except csv.Error as exc:
            yield lines.reject_first_line(InvalidField(WHOLE_LINE, None, f"must be CSV: {exc}"))
        except InvalidField as exc:
            yield lines.reject_row(exc)


def _read_header(reader: Iterator[list[str]]) -> list[str]:
    """Return the first row that isn't blank."""
    try:
        return next((row for row in reader if any(cell.strip() for cell in row)), [])
    except csv.Error as exc:
        raise UnreadableFile(f"the header must be a line of CSV: {exc}") from None


def _check_columns(header: list[str], line_format: LineFormat[T]) -> list[str]:
    columns = [column.strip() for column in header]
    for column in columns:
        if column not in line_format.columns:
            raise UnreadableFile(
                f"unknown column {column[:50]!r}. The first line must name the columns of {line_format.noun}, "
                f"separated by commas; allowed: {', '.join(line_format.columns)}"
            )
        if columns.count(column) > 1:
            raise UnreadableFile(f"the column {column!r} occurs twice")
    return columns
