"""Read tables, CSV in any dialect and Excel workbooks, as rows of cells. An invalid row doesn't affect the others."""

import csv
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, time
from typing import Any, Final, NamedTuple

import python_calamine

from rapport.errors import InvalidField, UnreadableFile
from rapport.recording.activity_codec import WHOLE_LINE
from rapport.recording.content import SAMPLE_BYTES, Content
from rapport.recording.csv_cells import NULLS, read_cell

MAX_FILE_LINE_BYTES: Final = 64 * 1024
"""The maximum length of a line in bytes. The rest of a longer line isn't kept in memory."""

_BUFFER: Final = 1 << 20
_DELIMITERS: Final = ",;\t|"
_SAMPLE_ROWS: Final = 200
_MARKS: Final = ("'", "=")
"""How a cell begins that isn't read as it is."""

# A cell this long means an unclosed quote: its first line is rejected, and the other lines are read again.
csv.field_size_limit(MAX_FILE_LINE_BYTES)


class InvalidLine(NamedTuple):
    """A line that can't be recorded: its number, counted from 1, what is wrong, and its text."""

    number: int
    error: InvalidField
    text: str


class Table(ABC):
    """A table that is read row by row."""

    header: list[str]
    problem: InvalidField | None = None
    """What is wrong with the row, if it can be recorded nevertheless as far as it goes."""

    @property
    @abstractmethod
    def number(self) -> int:
        """The line number of the current row, counted from 1."""

    @abstractmethod
    def next_row(self) -> list[str] | InvalidLine | None:
        """Return the cells of the next row, as many as the header has; None at the end."""

    @abstractmethod
    def reject(self, error: InvalidField) -> InvalidLine:
        """Return the current row as an invalid line."""

    @abstractmethod
    def sample(self) -> list[list[str]]:
        """Return rows from the beginning, from which formats can be inferred."""


class Line(NamedTuple):
    """A physical line: its number and bytes; if it is too long, its beginning and the number of its quotes."""

    number: int
    content: bytes
    quotes: int | None


def split_lines(content: Content) -> Iterator[Line]:
    """Yield the lines of a file; only the beginning of a line that is too long is kept."""
    number = 0
    while content_line := content.readline(MAX_FILE_LINE_BYTES + 1):
        number += 1
        if len(content_line) <= MAX_FILE_LINE_BYTES:
            yield Line(number, content_line, None)
            continue
        quotes, part = content_line.count(b'"'), content_line
        while part and not part.endswith(b"\n"):
            part = content.readline(_BUFFER)
            quotes += part.count(b'"')
        yield Line(number, content_line, quotes)


def too_long(number: int, line: bytes) -> InvalidLine:
    """Return a line that is too long as an invalid line."""
    error = InvalidField(WHOLE_LINE, None, f"must not be longer than {MAX_FILE_LINE_BYTES} bytes")
    return InvalidLine(number, error, line[:200].decode(errors="replace") + "…")


class _TextLine(NamedTuple):
    """A physical line as the csv reader gets it, and its error, if any."""

    number: int
    text: str
    error: InvalidField | None


class _TextLines:
    """The physical lines of a CSV file, as the csv reader pulls them: a row takes more than one where a cell does."""

    def __init__(self, content: Content, note: Callable[[str], None]) -> None:
        self._lines = split_lines(content)
        self._note = note
        self._pushed_back: list[_TextLine] = []
        self.row: list[_TextLine] = []

    def __iter__(self) -> "_TextLines":
        return self

    def __next__(self) -> str:
        line = self._pushed_back.pop() if self._pushed_back else self._read()
        self.row.append(line)
        return line.text

    def push_back(self) -> None:
        """Read all lines of the row but the first again, because a stray quote had joined them to it."""
        self._pushed_back += reversed(self.row[1:])
        del self.row[1:]

    def _read(self) -> _TextLine:
        number, line, quotes = next(self._lines)
        if quotes is not None:
            # The reader needs only to know whether a cell ends in it.
            error = InvalidField(WHOLE_LINE, None, f"must not be longer than {MAX_FILE_LINE_BYTES} bytes")
            return _TextLine(number, '"' * (quotes % 2) + "\n", error)
        try:
            return _TextLine(number, line.decode(), None)
        except UnicodeDecodeError:
            self._note("not UTF-8: read as Windows-1252")
            return _TextLine(number, line.decode("cp1252", errors="replace"), None)


class CsvTable(Table):
    """A table of delimited text. The delimiter is detected with `is_known`, which recognizes names of columns."""

    def __init__(
        self, head: bytes, content: Content, is_known: Callable[[str], bool], note: Callable[[str], None]
    ) -> None:
        lines = _sample_lines(head)
        declared = _declared_delimiter(lines)
        self._delimiter = declared or _detect_delimiter(lines, is_known)
        self._sample = _parse_leniently(lines[declared is not None :], self._delimiter)
        self._lines = _TextLines(content, note)
        if declared is not None:
            next(self._lines)
        self._reader = csv.reader(self._lines, delimiter=self._delimiter, skipinitialspace=True, strict=True)
        self.header = self._read_header()
        self._width = len(self.header)

    @property
    def number(self) -> int:
        """The line number of the current row, counted from 1."""
        return self._lines.row[0].number

    def sample(self) -> list[list[str]]:
        """Return rows from the beginning."""
        return [_clean_marked(row) for row in self._sample[1:]]

    def next_row(self) -> list[str] | InvalidLine | None:
        """Return the cells of the next row; None at the end."""
        self.problem = None
        while True:
            self._lines.row = []
            try:
                row = next(self._reader)
            except StopIteration:
                return None
            except csv.Error as exc:
                return self._read_single_line(exc)
            is_marked = False
            for _, text, error in self._lines.row:
                if error is not None:
                    return self.reject(error)
                is_marked = is_marked or "'" in text or "=" in text
            row = _clean_marked(row) if is_marked else _clean(row)
            if any(row):
                return row if len(row) == self._width else self._fit(row)

    def _fit(self, row: list[str]) -> list[str] | InvalidLine:
        if len(row) > self._width and not any(row[self._width :]):
            return row[: self._width]
        reason = f"has {len(row)} cells, but the header has {self._width} columns"
        if len(row) < self._width and len(self._lines.row) == 1:
            # Excel leaves out empty cells at the end.
            self.problem = InvalidField(WHOLE_LINE, None, reason)
            return row + [""] * (self._width - len(row))
        self._lines.push_back()
        if len(row) > self._width:
            reason += f"; a cell that contains {self._delimiter!r} must be in quotes"
        return self.reject(InvalidField(WHOLE_LINE, None, reason))

    def reject(self, error: InvalidField) -> InvalidLine:
        """Return the current row as an invalid line."""
        text = "".join(line.text for line in self._lines.row).rstrip("\r\n")
        return InvalidLine(self._lines.row[0].number, error, text)

    def _read_single_line(self, exc: csv.Error) -> list[str] | InvalidLine:
        """Return the cells of a line that has blanks between a quote and a delimiter, or quotes after backslashes."""
        self._lines.push_back()
        line = self._lines.row[0]
        if line.error is not None:
            return self.reject(line.error)
        row = self._read_leniently(line.text, escape=None)
        if row is None or len(row) != self._width or any('"' in cell for cell in row):
            row = self._read_leniently(line.text, escape="\\") if '\\"' in line.text else None
        if row is not None and len(row) == self._width:
            return row
        return self.reject(InvalidField(WHOLE_LINE, None, f"must be CSV: {exc}"))

    def _read_leniently(self, text: str, escape: str | None) -> list[str] | None:
        if escape is None and text.count('"') % 2:
            return None
        reader = csv.reader(
            [text], delimiter=self._delimiter, skipinitialspace=True, escapechar=escape, doublequote=escape is None
        )
        try:
            return _clean_marked(next(reader))
        except csv.Error:
            return None

    def _read_header(self) -> list[str]:
        """Return the first row that isn't blank, without empty columns at its end."""
        try:
            header = next((row for row in self._reader if any(cell.strip() for cell in row)), [])
        except csv.Error as exc:
            raise UnreadableFile(f"the header must be a line of CSV: {exc}") from None
        return _trim_header(header)


class WorkbookTable(Table):
    """The first sheet of an Excel workbook that has any cells."""

    def __init__(self, content: Content, note: Callable[[str], None]) -> None:
        try:
            workbook = python_calamine.load_workbook(content)
            names = workbook.sheet_names
            sheets = ((name, workbook.get_sheet_by_name(name).to_python(skip_empty_area=False)) for name in names)
            name, self._rows = next(((name, rows) for name, rows in sheets if rows), ("", []))
        except (python_calamine.CalamineError, OSError) as exc:
            raise UnreadableFile(f"the workbook can't be read: {exc}") from None
        if len(names) > 1:
            note(f"the sheet {name!r} was read, and no other")
        self._next = 0
        self.header: list[str] = []
        while self._next < len(self._rows) and not self.header:
            self.header = _trim_header(list(map(_cell_text, self._rows[self._next])))
            self._next += 1

    @property
    def number(self) -> int:
        """The line number of the current row, counted from 1."""
        return self._next

    def sample(self) -> list[list[str]]:
        """Return rows from the beginning."""
        rows = self._rows[self._next : self._next + _SAMPLE_ROWS]
        return [self._fit(row) for row in rows]

    def next_row(self) -> list[str] | InvalidLine | None:
        """Return the cells of the next row; None at the end."""
        while self._next < len(self._rows):
            row = self._fit(self._rows[self._next])
            self._next += 1
            if any(row):
                return row
        return None

    def reject(self, error: InvalidField) -> InvalidLine:
        """Return the current row as an invalid line."""
        cells = ",".join(map(_cell_text, self._rows[self._next - 1]))
        return InvalidLine(self._next, error, cells[:MAX_FILE_LINE_BYTES])

    def _fit(self, row: Sequence[Any]) -> list[str]:
        cells = _clean(list(map(_cell_text, row[: len(self.header)])))
        return cells + [""] * (len(self.header) - len(cells))


def _cell_text(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime):
        return value.isoformat(" ", "milliseconds" if value.microsecond else "seconds")
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value)


def _clean_marked(row: list[str]) -> list[str]:
    """Return the cells as `_clean` does, but those with a guard or formula as they were before they were exported."""
    if any(cell.lstrip().startswith(_MARKS) for cell in row):
        return list(map(read_cell, row))
    return _clean(row)


def _clean(row: list[str]) -> list[str]:
    """Return the cells trimmed, and empty where a database export has NULL."""
    row = [cell.strip() for cell in row]
    if not NULLS.isdisjoint(row):
        row = ["" if cell in NULLS else cell for cell in row]
    return row


def _trim_header(header: list[str]) -> list[str]:
    header = [name.strip().removeprefix("\ufeff") for name in header]
    while header and not header[-1]:
        header.pop()
    return header


def _sample_lines(head: bytes) -> list[str]:
    try:
        text = head.decode()
    except UnicodeDecodeError as exc:
        # The sample may end within a character.
        is_cut = exc.end >= len(head) - 3 and exc.start >= len(head) - 3
        text = head.decode("utf-8" if is_cut else "cp1252", errors="replace")
    lines = text.splitlines(keepends=True)
    is_cut = len(head) >= SAMPLE_BYTES and len(lines) > 1
    return lines[:-1] if is_cut else lines


def _declared_delimiter(lines: list[str]) -> str | None:
    """Return the delimiter that a line `sep=;` declares, as Excel writes it."""
    first = lines[0].strip("\r\n").strip('"') if lines else ""
    if first[:4].lower() == "sep=" and len(first) == 5 and first[4] in _DELIMITERS:
        return first[4]
    return None


def _detect_delimiter(lines: list[str], is_known: Callable[[str], bool]) -> str:
    """Return the delimiter with which the most columns of the header are known; if equal, the most columns exist."""

    def rank(delimiter: str) -> tuple[int, int]:
        header = next((row for row in _parse_leniently(lines[:50], delimiter) if any(map(str.strip, row))), [])
        return sum(is_known(name.strip()) for name in header), len(header)

    return max(_DELIMITERS, key=rank)


def _parse_leniently(lines: list[str], delimiter: str) -> list[list[str]]:
    rows: list[list[str]] = []
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    try:
        for row in reader:
            if any(map(str.strip, row)):
                rows.append(row)
            if len(rows) > _SAMPLE_ROWS:
                break
    except csv.Error:
        pass
    return rows
