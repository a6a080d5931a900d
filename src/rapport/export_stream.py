"""Send an export as it is read, in any of its formats."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from rapport.errors import InvalidField
from rapport.pacing import PacedStream
from rapport.recording.export import Rows, write_rows
from rapport.recording.export_formats import Column, ExportFormat, ParquetUnavailable, Row, make_writer
from rapport.url_paths import quote_id

FORMATS: Final = tuple(export_format.value for export_format in ExportFormat)

_CHUNK_SIZE: Final = 64 * 1024


def parse_format(name: str) -> ExportFormat:
    """Return the format with a name. Raises InvalidField."""
    if name not in FORMATS:
        raise InvalidField("format", name, f"must be one of {', '.join(FORMATS)}")
    return ExportFormat(name)


def get_headers(name: str, export_format: ExportFormat) -> dict[str, str]:
    """Return the headers of a download."""
    return {
        "cache-control": "no-store",
        "content-disposition": f"attachment; {_filename(name, export_format.value)}",
        "x-content-type-options": "nosniff",
    }


async def stream_export(
    columns: Sequence[Column], rows: Rows, export_format: ExportFormat, name: str, *, with_bom: bool = False
) -> PacedStream:
    """Return a response that downloads the rows as a file. Raises what the first rows raise, and InvalidField."""
    try:
        writer = make_writer(export_format, columns, with_bom=with_bom)
    except ParquetUnavailable as exc:
        raise InvalidField("format", export_format.value, f"isn't available: {exc}") from None
    # Read the first rows before the response starts, so that errors can still be sent.
    first = await anext(rows, None)
    content = _split(write_rows(_prepend(first, rows), writer))
    return PacedStream(content, export_format.media_type, get_headers(name, export_format))


async def _prepend(first: Sequence[Row] | None, rows: Rows) -> Rows:
    if first is not None:
        yield first
    async for batch in rows:
        yield batch


async def _split(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the parts in chunks, each of which a slow client can receive in time."""
    async for part in parts:
        for start in range(0, len(part), _CHUNK_SIZE):
            yield part[start : start + _CHUNK_SIZE]


def _filename(name: str, suffix: str) -> str:
    """Return the parameter with the file's name: encoded as in RFC 6266 if it has other characters than letters."""
    quoted = quote_id(name)
    return f'filename="{name}.{suffix}"' if quoted == name else f"filename*=utf-8''{quoted}.{suffix}"
