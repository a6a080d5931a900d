"""The formats of exports: NDJSON, CSV and Parquet.

Each is written in parts, so that an export of any size needs little memory.
"""

import codecs
import csv
import enum
import importlib.util
import io
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from rapport.errors import RapportError
from rapport.instant import Instant, iso
from rapport.recording.csv_cells import guard_cell

Cell: TypeAlias = str | int | Sequence[Any] | None
Row: TypeAlias = Sequence[Cell]
"""The values of a row in the order of the columns; times are instants. A list is a list in JSON, and text elsewhere."""

_ROW_GROUP: Final = 50_000
"""Rows of Parquet that are compressed together: enough to compress well, and few enough to be kept in memory."""


class ColumnType(enum.Enum):
    """The type of a column's values."""

    TEXT = "text"
    TIME = "time"
    NUMBER = "number"


class Column(NamedTuple):
    """A column: its name and its type."""

    name: str
    type: ColumnType = ColumnType.TEXT


class ExportFormat(enum.Enum):
    """A format, by the suffix of its files."""

    NDJSON = "ndjson"
    CSV = "csv"
    PARQUET = "parquet"

    @property
    def media_type(self) -> str:
        """Return its media type."""
        return MEDIA_TYPES[self]


MEDIA_TYPES: Final = {
    ExportFormat.NDJSON: "application/x-ndjson",
    ExportFormat.CSV: "text/csv",
    ExportFormat.PARQUET: "application/vnd.apache.parquet",
}


class ParquetUnavailable(RapportError):
    """Parquet was requested, but pyarrow is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "Parquet needs pyarrow, which is not installed: pip install 'rapport-server[parquet]', or use csv or ndjson"
        )


def list_available_formats() -> list[str]:
    """Return the names of the formats whose libraries are installed."""
    return [
        export_format.value
        for export_format in ExportFormat
        if export_format is not ExportFormat.PARQUET or importlib.util.find_spec("pyarrow") is not None
    ]


class ExportWriter(ABC):
    """Encodes rows, part by part."""

    def begin(self) -> bytes:
        """Return the bytes before the first row."""
        return b""

    @abstractmethod
    def encode(self, rows: Iterable[Row]) -> bytes:
        """Return the bytes of the next rows, which may be returned with later ones."""

    def finish(self) -> bytes:
        """Return the bytes after the last row."""
        return b""


def make_writer(export_format: ExportFormat, columns: Sequence[Column], *, with_bom: bool = False) -> ExportWriter:
    """Return a writer. `with_bom` marks CSV as UTF-8, which Excel needs. Raises ParquetUnavailable."""
    if export_format is ExportFormat.NDJSON:
        return _NdjsonWriter(columns)
    if export_format is ExportFormat.CSV:
        return _CsvWriter(columns, with_bom=with_bom)
    if importlib.util.find_spec("pyarrow") is None:
        raise ParquetUnavailable
    return _ParquetWriter(columns)


class _NdjsonWriter(ExportWriter):
    """An object per line, without the fields that have no value."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._encode_lines = msgspec.json.Encoder().encode_lines

    def encode(self, rows: Iterable[Row]) -> bytes:
        return self._encode_lines([self._to_object(row) for row in rows])

    def _to_object(self, row: Row) -> dict[str, Cell]:
        return {
            column.name: iso(Instant(value)) if column.type is ColumnType.TIME and isinstance(value, int) else value
            for column, value in zip(self._columns, row, strict=True)
            if value is not None
        }


class _CsvWriter(ExportWriter):
    """CSV in UTF-8, as in RFC 4180, with guarded cells."""

    def __init__(self, columns: Sequence[Column], *, with_bom: bool) -> None:
        self._columns = columns
        self._start = codecs.BOM_UTF8 if with_bom else b""

    def begin(self) -> bytes:
        return self._start + self._encode([[column.name for column in self._columns]])

    def encode(self, rows: Iterable[Row]) -> bytes:
        return self._encode(map(self._to_cells, rows))

    def _to_cells(self, row: Row) -> list[str]:
        return [
            ""
            if value is None
            else guard_cell(value)
            if isinstance(value, str)
            else guard_cell(_to_text(value))
            if not isinstance(value, int)
            else iso(Instant(value))
            if column.type is ColumnType.TIME
            else str(value)
            for column, value in zip(self._columns, row, strict=True)
        ]

    @staticmethod
    def _encode(rows: Iterable[Sequence[str]]) -> bytes:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows(rows)
        return text.getvalue().encode()


class _ParquetWriter(ExportWriter):
    """Parquet with typed columns, compressed with Zstandard."""

    def __init__(self, columns: Sequence[Column]) -> None:
        import pyarrow as pa  # noqa: PLC0415 - an optional dependency, and slow to import
        import pyarrow.parquet as pq  # noqa: PLC0415

        self._pa = pa
        types = {
            ColumnType.TEXT: pa.string(),
            ColumnType.TIME: pa.timestamp("ms", tz="UTC"),
            ColumnType.NUMBER: pa.int64(),
        }
        self._schema = pa.schema([(column.name, types[column.type]) for column in columns])
        self._rows: list[Row] = []
        self._sink = _Sink()
        self._writer: Any = pq.ParquetWriter(self._sink, self._schema, compression="zstd")

    def encode(self, rows: Iterable[Row]) -> bytes:
        self._rows += rows
        while len(self._rows) >= _ROW_GROUP:
            self._write(self._rows[:_ROW_GROUP])
            del self._rows[:_ROW_GROUP]
        return self._sink.take()

    def finish(self) -> bytes:
        if self._rows:
            self._write(self._rows)
            self._rows = []
        self._writer.close()
        return self._sink.take()

    def _write(self, rows: Sequence[Row]) -> None:
        arrays = [
            self._pa.array(list(map(_to_plain, values)), type=field.type)
            for values, field in zip(zip(*rows, strict=True), self._schema, strict=True)
        ]
        self._writer.write_batch(self._pa.record_batch(arrays, schema=self._schema))


def _to_plain(value: Cell) -> str | int | None:
    return value if value is None or isinstance(value, str | int) else _to_text(value)


def _to_text(items: Sequence[Any]) -> str:
    """Return a list as the cell of a table that an import reads: ids separated by commas, or JSON."""
    if all(isinstance(item, str) for item in items):
        return ",".join(items)
    return msgspec.json.encode(items).decode()


class _Sink(io.RawIOBase):
    """A file that keeps what was written until it is taken."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._position = 0

    def writable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the number of bytes that were written."""
        return self._position

    def write(self, data: Any, /) -> int:  # noqa: ANN401 - any buffer
        """Keep the data."""
        part = bytes(data)
        self._parts.append(part)
        self._position += len(part)
        return len(part)

    def take(self) -> bytes:
        """Return what was written since the last call."""
        data = b"".join(self._parts)
        self._parts.clear()
        return data
