"""From a file to what its lines state, in constant memory: NDJSON or CSV, plain or gzip, or from standard input."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, Final, NamedTuple, TypeAlias, TypeVar

from rapport.errors import InvalidField, UnreadableFile
from rapport.instant import Instant
from rapport.recording.lines import WHOLE_LINE, Form

LONGEST_LINE: Final = 64 * 1024
"""Bytes of one line. What is longer is not kept in memory."""

T = TypeVar("T")

ByteFile: TypeAlias = "io.BufferedReader[Any]"
"""A file of bytes as it is opened."""

_Content: TypeAlias = "ByteFile"

STANDARD_INPUT: Final = "-"

_GZIP: Final = b"\x1f\x8b"
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_BUFFER: Final = 1 << 20

# A cell that doesn't end is a quote that nobody closed: its line is given up, and the others are read again.
csv.field_size_limit(LONGEST_LINE)


class InvalidLine(NamedTuple):
    """A line that states nothing that can be taken: its number, counted from 1, what is wrong, and its text."""

    number: int
    problem: InvalidField
    text: str


def read_file(raw: "ByteFile | BinaryIO", name: str, now: Instant, form: Form[T]) -> Iterator[T | InvalidLine]:
    """What each line, or row of CSV, of the open file `raw` turned out to be, in order.

    `name` tells the form: `.ndjson` or `.csv`, either with `.gz`; under the name `-` the first bytes tell it.
    Raises UnreadableFile, where reading ends early: what was yielded before is good.
    """
    ending = _ending(name)
    try:
        head, content = _with_head(raw)
        if name.endswith(".gz") or (ending is None and head.startswith(_GZIP)):
            head, content = _with_head(gzip.GzipFile(fileobj=content))
        if head == _BYTE_ORDER_MARK:
            content.read(len(head))
            head, content = _with_head(content)
        if ending is None:
            ending = "ndjson" if head[:1] in {b"{", b""} else "csv"
        yield from (_rows if ending == "csv" else _json_lines)(content, now, form)
    except (OSError, EOFError, zlib.error) as problem:
        raise UnreadableFile(f"{name}: can't be read to its end: {problem}") from problem


class _Rewound(io.RawIOBase):
    """A file again from its first bytes, which were read already: a pipe may give them one by one, and can't seek."""

    def __init__(self, head: bytes, rest: Any) -> None:  # noqa: ANN401 - what has readinto1
        self._head = head
        self._rest = rest

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - a writable buffer, which has no type before Python 3.12
        """What is left of the first bytes, then the rest."""
        if not self._head:
            return int(self._rest.readinto1(buffer))
        size = min(len(buffer), len(self._head))
        buffer[:size], self._head = self._head[:size], self._head[size:]
        return size


def _with_head(file: Any) -> tuple[bytes, _Content]:  # noqa: ANN401 - what has read and readinto
    """The first bytes, fewer only if there are no more, and the file from its begin."""
    head = file.read(len(_BYTE_ORDER_MARK))
    return head, io.BufferedReader(_Rewound(head, file), _BUFFER)


def _ending(name: str) -> str | None:
    if name == STANDARD_INPUT:
        return None
    ending = name.removesuffix(".gz").rpartition(".")[2]
    if ending not in {"ndjson", "csv"}:
        raise UnreadableFile(f"{name}: its name must end in .ndjson or .csv, or one of them and .gz")
    return ending


_Line: TypeAlias = tuple[int, bytes, int | None]
"""A line's number, its bytes, and None; of one that is too long the first bytes, and how many quotes it has in all."""


def _lines(content: _Content) -> Iterator[_Line]:
    number = 0
    while line := content.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) <= LONGEST_LINE:
            yield number, line, None
            continue
        quotes, part = line.count(b'"'), line
        while part and not part.endswith(b"\n"):
            part = content.readline(_BUFFER)
            quotes += part.count(b'"')
        yield number, line, quotes


def _too_long(number: int, line: bytes) -> InvalidLine:
    problem = InvalidField(WHOLE_LINE, None, f"must not be longer than {LONGEST_LINE} bytes")
    return InvalidLine(number, problem, line[:200].decode(errors="replace") + "…")


def _json_lines(content: _Content, now: Instant, form: Form[T]) -> Iterator[T | InvalidLine]:
    of_json = form.of_json
    for number, line, quotes in _lines(content):
        if quotes is not None:
            yield _too_long(number, line)
            continue
        try:
            yield of_json(line, now)
        except InvalidField as problem:
            text = line.decode(errors="replace").rstrip("\r\n")
            if text.strip():
                yield InvalidLine(number, problem, text)


class _RowLine(NamedTuple):
    """A physical line as the csv reader gets it, and what is wrong with it."""

    number: int
    text: str
    problem: InvalidField | None


class _RowLines:
    """The physical lines of a CSV file, as the csv reader pulls them: a row takes more than one where a cell does."""

    def __init__(self, content: _Content) -> None:
        self._lines = _lines(content)
        self._row: list[_RowLine] = []
        self._again: list[_RowLine] = []

    def __iter__(self) -> "_RowLines":
        return self

    def __next__(self) -> str:
        line = self._again.pop() if self._again else self._read()
        self._row.append(line)
        return line.text

    def _read(self) -> _RowLine:
        number, line, quotes = next(self._lines)
        if quotes is not None:
            # The reader needs only to know whether a cell ends in it.
            problem = InvalidField(WHOLE_LINE, None, f"must not be longer than {LONGEST_LINE} bytes")
            return _RowLine(number, '"' * (quotes % 2) + "\n", problem)
        try:
            return _RowLine(number, line.decode(), None)
        except UnicodeDecodeError:
            return _RowLine(number, line.decode(errors="replace"), InvalidField(WHOLE_LINE, None, "must be UTF-8"))

    def begin_row(self) -> None:
        """Forget the lines of the last row."""
        self._row = []

    @property
    def problem(self) -> InvalidField | None:
        """What is wrong with a line of the row."""
        return next((line.problem for line in self._row if line.problem is not None), None)

    def rejected(self, problem: InvalidField) -> InvalidLine:
        """The row as a rejected line."""
        text = "".join(line.text for line in self._row).rstrip("\r\n")
        return InvalidLine(self._row[0].number, problem, text)

    def rejected_alone(self, problem: InvalidField) -> InvalidLine:
        """The first line of the row as a rejected line. The others are read again: a stray quote took them along."""
        first, *others = self._row
        self._again += reversed(others)
        return InvalidLine(first.number, problem, first.text.rstrip("\r\n"))


def _rows(content: _Content, now: Instant, form: Form[T]) -> Iterator[T | InvalidLine]:
    lines = _RowLines(content)
    reader = csv.reader(lines, strict=True)
    columns = _columns(_header(reader), form)
    while True:
        lines.begin_row()
        try:
            row = next(reader)
            if lines.problem is not None:
                raise lines.problem
            if not row:
                continue
            if len(row) != len(columns):
                problem = f"has {len(row)} columns where the header has {len(columns)}"
                yield lines.rejected_alone(InvalidField(WHOLE_LINE, None, problem))
                continue
            yield form.of_row(dict(zip(columns, row, strict=True)), now)
        except StopIteration:
            return
        except csv.Error as problem:
            yield lines.rejected_alone(InvalidField(WHOLE_LINE, None, f"must be CSV: {problem}"))
        except InvalidField as problem:
            yield lines.rejected(problem)


def _header(reader: Iterator[list[str]]) -> list[str]:
    """The first row that isn't blank."""
    try:
        return next((row for row in reader if any(cell.strip() for cell in row)), [])
    except csv.Error as problem:
        raise UnreadableFile(f"the header must be a line of CSV: {problem}") from None


def _columns(header: list[str], form: Form[T]) -> list[str]:
    columns = [column.strip() for column in header]
    for column in columns:
        if column not in form.columns:
            raise UnreadableFile(
                f"the column {column[:50]!r} is no field of {form.what}. The first line must name the columns, "
                f"separated by commas; there are {', '.join(form.columns)}"
            )
        if columns.count(column) > 1:
            raise UnreadableFile(f"the column {column!r} is there twice")
    return columns
