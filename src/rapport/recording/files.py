"""From a file to activities, in constant memory: NDJSON or CSV, plain or gzip, or what comes on standard input."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from typing import Any, Final, NamedTuple, TypeAlias

from rapport.activity import Activity
from rapport.errors import InvalidField, UnreadableFile
from rapport.instant import Instant
from rapport.recording.lines import FIELDS, WHOLE_LINE, activity_of_json, activity_of_row

LONGEST_LINE: Final = 64 * 1024
"""Bytes of one line. What is longer is no activity, and is not kept in memory."""

ByteFile: TypeAlias = "io.BufferedReader[Any]"
"""A file of bytes as it is opened."""

_Content: TypeAlias = "ByteFile | gzip.GzipFile"

STANDARD_INPUT: Final = "-"

_GZIP: Final = b"\x1f\x8b"
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_BUFFER: Final = 1 << 20

# A cell that doesn't end is a quote that nobody closed; the row is given up here, and the next line is read as one.
csv.field_size_limit(LONGEST_LINE)


class RejectedLine(NamedTuple):
    """A line that states no activity: its number, counted from 1, what is wrong, and its text."""

    number: int
    problem: InvalidField
    text: str


Read: TypeAlias = Activity | RejectedLine
"""What one line, or one row of CSV, turned out to be."""


def read_activities(raw: ByteFile, name: str, now: Instant) -> Iterator[Read]:
    """Each line of the open file `raw`, in order.

    `name` tells the form: `.ndjson` or `.csv`, either with `.gz`; under the name `-` the first bytes tell it.
    Raises UnreadableFile, where reading ends early: what was yielded before is good.
    """
    form = _form(name)
    try:
        packed = name.endswith(".gz") or (form is None and raw.peek(2)[:2] == _GZIP)
        content = gzip.GzipFile(fileobj=raw) if packed else raw
        if content.peek(3)[:3] == _BYTE_ORDER_MARK:
            content.read(3)
        if form is None:
            form = "ndjson" if content.peek(1)[:1] in {b"{", b""} else "csv"
        yield from (_rows if form == "csv" else _json_lines)(content, now)
    except (OSError, EOFError, zlib.error) as problem:
        raise UnreadableFile(f"{name}: can't be read to its end: {problem}") from problem


def _form(name: str) -> str | None:
    if name == STANDARD_INPUT:
        return None
    form = name.removesuffix(".gz").rpartition(".")[2]
    if form not in {"ndjson", "csv"}:
        raise UnreadableFile(f"{name}: its name must end in .ndjson or .csv, or one of them and .gz")
    return form


def _lines(content: _Content) -> Iterator[tuple[int, bytes, bool]]:
    """Each line's number, its bytes, and whether they are only its beginning: then it is too long."""
    number = 0
    while line := content.readline(LONGEST_LINE + 1):
        number += 1
        cut = len(line) > LONGEST_LINE
        yield number, line, cut
        while cut and not line.endswith(b"\n"):
            line = content.readline(_BUFFER)
            cut = bool(line)


def _too_long(number: int, line: bytes) -> RejectedLine:
    problem = InvalidField(WHOLE_LINE, None, f"must not be longer than {LONGEST_LINE} bytes")
    return RejectedLine(number, problem, line[:200].decode(errors="replace") + "…")


def _json_lines(content: _Content, now: Instant) -> Iterator[Read]:
    for number, line, cut in _lines(content):
        if cut:
            yield _too_long(number, line)
            continue
        try:
            yield activity_of_json(line, now)
        except InvalidField as problem:
            text = line.decode(errors="replace").rstrip("\r\n")
            if text.strip():
                yield RejectedLine(number, problem, text)


class _RowLines:
    """The physical lines of a CSV file, as the csv reader pulls them: a row takes more than one where a cell does."""

    def __init__(self, content: _Content) -> None:
        self._lines = _lines(content)
        self._text: list[str] = []
        self._begins = 1
        self.problem: InvalidField | None = None

    def __iter__(self) -> "_RowLines":
        return self

    def __next__(self) -> str:
        number, line, cut = next(self._lines)
        if not self._text:
            self._begins = number
        if cut:
            self.problem = InvalidField(WHOLE_LINE, None, f"must not be longer than {LONGEST_LINE} bytes")
            line = line[:200] + b"\n"
        try:
            text = line.decode()
        except UnicodeDecodeError:
            self.problem = InvalidField(WHOLE_LINE, None, "must be UTF-8")
            text = line.decode(errors="replace")
        self._text.append(text)
        return text

    def begin_row(self) -> None:
        """Forget the lines of the last row."""
        self._text.clear()
        self.problem = None

    def rejected(self, problem: InvalidField) -> RejectedLine:
        """The row as a rejected line."""
        return RejectedLine(self._begins, problem, "".join(self._text).rstrip("\r\n"))


def _rows(content: _Content, now: Instant) -> Iterator[Read]:
    lines = _RowLines(content)
    reader = csv.reader(lines, strict=True)
    columns = _columns(next(reader, []))
    while True:
        lines.begin_row()
        try:
            row = next(reader)
            if lines.problem is not None:
                raise lines.problem
            if not row:
                continue
            if len(row) != len(columns):
                raise InvalidField(WHOLE_LINE, None, f"has {len(row)} columns where the header has {len(columns)}")
            yield activity_of_row(dict(zip(columns, row, strict=True)), now)
        except StopIteration:
            return
        except csv.Error as problem:
            yield lines.rejected(InvalidField(WHOLE_LINE, None, f"must be CSV: {problem}"))
        except InvalidField as problem:
            yield lines.rejected(problem)


def _columns(header: list[str]) -> list[str]:
    columns = [column.strip() for column in header]
    for column in columns:
        if column not in FIELDS:
            raise UnreadableFile(f"the column {column!r} is no field of an activity; there are {', '.join(FIELDS)}")
        if columns.count(column) > 1:
            raise UnreadableFile(f"the column {column!r} is there twice")
    return columns
