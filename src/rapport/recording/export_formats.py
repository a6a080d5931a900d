"""The formats of exports: NDJSON, CSV and Parquet.

Each is written in parts, so that an export of any size needs little memory.
"""

import codecs
import csv
import enum
import importlib.util
import io
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from rapport.errors import RapportError
from rapport.instant import Instant, iso
from rapport.recording.csv_cells import guard_cell

Cell: TypeAlias = str | int | Sequence[Any] | None
Row: TypeAlias = Sequence[Cell]
"""The values of a row in the order of the columns; times are instants. A list is a list in JSON, and text elsewhere."""

_SEPARATED: Final = re.compile(r"\A\[|[,;]")
"""What an id has that can't be separated from others by a comma."""

_ROW_GROUP: Final = 50_000
"""Rows of Parquet that are compressed together: enough to compress well, and few enough to be kept in memory."""


_PLAIN: Final = frozenset({str, int, type(None)})


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
    def encode(self, rows: Sequence[Row]) -> bytes:
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
        self._object = msgspec.defstruct("Line", [(column.name, Any, None) for column in columns], omit_defaults=True)
        self._encode_lines = msgspec.json.Encoder().encode_lines

    def encode(self, rows: Sequence[Row]) -> bytes:
        values = (
            _format_times(values) if column.type is ColumnType.TIME else values
            for column, values in zip(self._columns, _transpose(rows), strict=False)
        )
        return self._encode_lines(list(map(self._object, *values)) if rows else [])


class _CsvWriter(ExportWriter):
    """CSV in UTF-8, as in RFC 4180, with guarded cells."""

    def __init__(self, columns: Sequence[Column], *, with_bom: bool) -> None:
        self._columns = columns
        self._start = codecs.BOM_UTF8 if with_bom else b""

    def begin(self) -> bytes:
        return self._start + self._encode([[column.name for column in self._columns]])

    def encode(self, rows: Sequence[Row]) -> bytes:
        cells = (
            _format_times(values) if column.type is ColumnType.TIME else _to_cells(values)
            for column, values in zip(self._columns, _transpose(rows), strict=False)
        )
        return self._encode(zip(*cells, strict=True))

    @staticmethod
    def _encode(rows: Iterable[Sequence[str | None]]) -> bytes:
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
        self._batches: list[Any] = []
        self._pending = 0
        self._sink = _Sink()
        self._writer: Any = pq.ParquetWriter(self._sink, self._schema, compression="zstd")

    def encode(self, rows: Sequence[Row]) -> bytes:
        if rows:
            arrays = [
                self._pa.array(_to_plain(values), type=field.type)
                for values, field in zip(_transpose(rows), self._schema, strict=True)
            ]
            self._batches.append(self._pa.record_batch(arrays, schema=self._schema))
            self._pending += len(rows)
        if self._pending >= _ROW_GROUP:
            self._write()
        return self._sink.take()

    def finish(self) -> bytes:
        if self._batches:
            self._write()
        self._writer.close()
        return self._sink.take()

    def _write(self) -> None:
        """Write what is pending as one group of rows."""
        self._writer.write_table(self._pa.Table.from_batches(self._batches), row_group_size=self._pending)
        self._batches, self._pending = [], 0


def _transpose(rows: Sequence[Row]) -> Iterator[tuple[Cell, ...]]:
    """Return the values of each column: whole columns are converted much faster than rows."""
    return zip(*rows, strict=True)


def _format_times(values: Sequence[Cell]) -> list[str | None]:
    return [iso(Instant(value)) if isinstance(value, int) else None for value in values]


def _to_cells(values: Sequence[Cell]) -> list[str]:
    """Return the texts of cells. Most columns have few different values, of which each is converted once."""
    try:
        cells = {value: _to_cell(value) for value in set(values)}
    except TypeError:
        # Lists can't be compared so.
        return list(map(_to_cell, values))
    return [cells[value] for value in values]


def _to_cell(value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, int):
        return str(value)
    return guard_cell(value if isinstance(value, str) else _to_text(value))


def _to_plain(values: Sequence[Cell]) -> Sequence[Cell]:
    """Return the values with lists as texts."""
    if {type(value) for value in values} <= _PLAIN:
        return values
    return [value if value is None or isinstance(value, str | int) else _to_text(value) for value in values]


def _to_text(items: Sequence[Any]) -> str:
    """Return a list as the cell of a table that an import reads: ids separated by commas, or JSON."""
    if all(isinstance(item, str) and _SEPARATED.search(item) is None for item in items):
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
