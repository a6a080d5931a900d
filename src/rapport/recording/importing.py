"""Import a file into the store, chunk by chunk.

An interrupted import can be run again without losing or duplicating anything: activities that are already recorded are
recognized by their identity and counted as duplicates.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import BinaryIO, Final, TypeVar

import msgspec
from msgspec.structs import replace

from rapport.catalog import CampaignUpdate, ContactMerge, ContactUpdate, DefinitionUpdate
from rapport.errors import UnreadableFile
from rapport.instant import Instant
from rapport.recording.activity_codec import LineFormat
from rapport.recording.files import read_file
from rapport.recording.options import NO_OPTIONS, ImportOptions
from rapport.recording.reader_process import Chunk, RejectedLine, describe_rejected, read_in_subprocess
from rapport.recording.reading_log import MAX_NOTICES, Notice, ReadingLog
from rapport.recording.tables import InvalidLine
from rapport.store.ingest import IngestRepository


class ImportResult(msgspec.Struct, kw_only=True):
    """The number of accepted, duplicate and rejected lines, and notes about the file."""

    accepted: int = 0
    duplicate: int = 0
    rejected: int = 0
    notes: list[str] = []
    skipped: dict[str, int] = {}
    notices: list[Notice] = []

    @property
    def warnings(self) -> int:
        """The number of fields that were changed or left out."""
        return sum(notice.count for notice in self.notices)

    def add(self, notes: Sequence[str], skipped: Mapping[str, int], notices: Sequence[Notice]) -> None:
        """Add what was noted while a part of the file was read."""
        self.notes += (note for note in notes if note not in self.notes)
        for label, count in skipped.items():
            self.skipped[label] = self.skipped.get(label, 0) + count
        known = {(notice.field, notice.action): notice for notice in self.notices}
        for notice in notices:
            same = known.get((notice.field, notice.action))
            if same is not None:
                same.count += notice.count
            elif len(self.notices) < MAX_NOTICES:
                self.notices.append(notice)


async def import_file(
    ingest: IngestRepository,
    account_id: str,
    file: BinaryIO,
    name: str,
    result: ImportResult,
    *,
    now: Instant,
    reject: Callable[[RejectedLine], None],
    progress: Callable[[], None],
    options: ImportOptions = NO_OPTIONS,
) -> None:
    """Record every activity of an open file, and call `reject` with each invalid line.

    `rapport.recording.files.read_file` documents `name`. Each chunk is durable once it is recorded; then `result` is
    updated and `progress` called. Raises UnreadableFile and StoreUnavailable.
    """
    with read_in_subprocess(file, name, account_id, now, size=ingest.batch_size, options=options) as chunks:
        finished: list[Chunk] = []
        async with aclosing(_prefetch(ingest, chunks, finished)) as ready:
            async for chunk in ready:
                for line in chunk.rejected:
                    reject(line)
                result.rejected += len(chunk.rejected)
                result.add(chunk.notes, chunk.skipped, chunk.notices)
                if chunk.batch.size:
                    (recorded,) = await ingest.record([chunk.batch])
                    result.accepted += sum(recorded.accepted.values())
                    result.duplicate += recorded.duplicate
                progress()
                if chunk.unreadable is not None:
                    raise UnreadableFile(chunk.unreadable)
                finished.append(chunk)
                del chunk


async def _prefetch(
    ingest: IngestRepository, chunks: Iterator[Chunk], finished: list[Chunk]
) -> AsyncGenerator[Chunk, None]:
    """Yield the chunks, reading and preparing each one while the previous one is recorded and waits for the disk.

    The memory of finished chunks is freed at the same time, because freeing one takes as long as a round trip.
    """
    upcoming = asyncio.create_task(_read_next(ingest, chunks, finished))
    try:
        while (chunk := await upcoming) is not None:
            upcoming = asyncio.create_task(_read_next(ingest, chunks, finished))
            yield chunk
            del chunk
    finally:
        upcoming.cancel()
        await asyncio.gather(upcoming, return_exceptions=True)


async def _read_next(ingest: IngestRepository, chunks: Iterator[Chunk], finished: list[Chunk]) -> Chunk | None:
    chunk = await asyncio.to_thread(_read_chunk, chunks, finished)
    if chunk is None or not chunk.batch.size:
        return chunk
    return replace(chunk, batch=await ingest.prepare(chunk.batch))


def _read_chunk(chunks: Iterator[Chunk], finished: list[Chunk]) -> Chunk | None:
    chunk = next(chunks, None)
    # Not earlier, because the store starts recording with many short queries, which freeing memory would delay.
    finished.clear()
    return chunk


UPDATES_PER_BATCH: Final = 2_000
"""Updates that are read, and then committed, together."""

T = TypeVar("T", ContactUpdate, CampaignUpdate, DefinitionUpdate, ContactMerge)


async def import_updates(
    upsert: Callable[[Sequence[T]], Awaitable[int]],
    file: BinaryIO,
    name: str,
    line_format: LineFormat[T],
    result: ImportResult,
    *,
    now: Instant,
    reject: Callable[[RejectedLine], None],
    progress: Callable[[], None],
    options: ImportOptions = NO_OPTIONS,
) -> None:
    """Import a file of updates as `import_file` does one of activities; `upsert` stores each batch."""
    log = ReadingLog()
    lines = read_file(file, name, now, line_format, options=options, log=log)
    while True:
        updates, invalid_lines = await asyncio.to_thread(_take_batch, lines)
        result.add(*log.drain())
        for line in invalid_lines:
            reject(describe_rejected(line, log.member))
        result.rejected += len(invalid_lines)
        if updates:
            changes = await upsert(updates)
            result.accepted += changes
            result.duplicate += len(updates) - changes
        progress()
        if not updates and not invalid_lines:
            return


def _take_batch(lines: Iterator[T | InvalidLine]) -> tuple[list[T], list[InvalidLine]]:
    updates: list[T] = []
    invalid_lines: list[InvalidLine] = []
    for line in lines:
        if isinstance(line, InvalidLine):
            invalid_lines.append(line)
        else:
            updates.append(line)
        if len(updates) + len(invalid_lines) == UPDATES_PER_BATCH:
            break
    return updates, invalid_lines
