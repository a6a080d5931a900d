"""A whole file into the store, chunk by chunk.

Stopped halfway and begun again, it loses and doubles nothing: what is recorded already is told by its identity,
and counted as a duplicate.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import BinaryIO, Final, TypeVar

import msgspec
from msgspec.structs import replace

from rapport.catalogue import CampaignUpdate, ContactUpdate
from rapport.errors import UnreadableFile
from rapport.instant import Instant
from rapport.recording.files import read_file
from rapport.recording.lines import Form
from rapport.recording.options import NO_OPTIONS, ImportOptions
from rapport.recording.reader import Chunk, Rejected, read_beside, rejected
from rapport.recording.reading_log import MAX_NOTICES, Notice, ReadingLog
from rapport.recording.tables import InvalidLine
from rapport.store.protocol import Store


class Receipt(msgspec.Struct, kw_only=True):
    """What became of the lines that came in, and what there is to say about the file."""

    accepted: int = 0
    duplicate: int = 0
    rejected: int = 0
    notes: list[str] = []
    skipped: dict[str, int] = {}
    notices: list[Notice] = []

    @property
    def warnings(self) -> int:
        """How many fields were changed or left out."""
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
    store: Store,
    account_id: str,
    file: BinaryIO,
    name: str,
    receipt: Receipt,
    *,
    now: Instant,
    reject: Callable[[Rejected], None],
    progress: Callable[[], None],
    options: ImportOptions = NO_OPTIONS,
) -> None:
    """Record every activity of an open file; hand each line that can't be recorded to `reject`.

    `name` is for messages, see `rapport.recording.files`. After each chunk, which is durable then, the receipt is
    brought up to date and `progress` called. Raises UnreadableFile and StoreUnavailable.
    """
    with read_beside(file, name, account_id, now, options) as chunks:
        finished: list[Chunk] = []
        async with aclosing(_one_ahead(store, chunks, finished)) as ready:
            async for chunk in ready:
                for line in chunk.rejected:
                    reject(line)
                receipt.rejected += len(chunk.rejected)
                receipt.add(chunk.notes, chunk.skipped, chunk.notices)
                if chunk.batch.size:
                    (recorded,) = await store.record([chunk.batch])
                    receipt.accepted += sum(recorded.accepted.values())
                    receipt.duplicate += recorded.duplicate
                progress()
                if chunk.unreadable is not None:
                    raise UnreadableFile(chunk.unreadable)
                finished.append(chunk)
                del chunk


async def _one_ahead(store: Store, chunks: Iterator[Chunk], finished: list[Chunk]) -> AsyncGenerator[Chunk, None]:
    """The chunks, each read and made ready while the one before is recorded: that waits for the disk, this works.

    Chunks that are finished are given up then as well: to free all that is in one takes as long as a round trip.
    """
    upcoming = asyncio.create_task(_next(store, chunks, finished))
    try:
        while (chunk := await upcoming) is not None:
            upcoming = asyncio.create_task(_next(store, chunks, finished))
            yield chunk
            del chunk
    finally:
        upcoming.cancel()
        await asyncio.gather(upcoming, return_exceptions=True)


async def _next(store: Store, chunks: Iterator[Chunk], finished: list[Chunk]) -> Chunk | None:
    chunk = await asyncio.to_thread(_read, chunks, finished)
    if chunk is None or not chunk.batch.size:
        return chunk
    return replace(chunk, batch=await store.prepare(chunk.batch))


def _read(chunks: Iterator[Chunk], finished: list[Chunk]) -> Chunk | None:
    chunk = next(chunks, None)
    # Only now, as the store answers one short question after the other when it begins to record.
    finished.clear()
    return chunk


STATEMENTS: Final = 2_000
"""Statements that are read, and then made durable, together."""

T = TypeVar("T", ContactUpdate, CampaignUpdate)


async def import_statements(
    state: Callable[[Sequence[T]], Awaitable[int]],
    file: BinaryIO,
    name: str,
    form: Form[T],
    receipt: Receipt,
    *,
    now: Instant,
    reject: Callable[[Rejected], None],
    progress: Callable[[], None],
    options: ImportOptions = NO_OPTIONS,
) -> None:
    """Do the same with a file of contacts or campaigns: `state` updates them."""
    log = ReadingLog()
    lines = read_file(file, name, now, form, options=options, log=log)
    while True:
        statements, others = await asyncio.to_thread(_some, lines)
        receipt.add(*log.drain())
        for line in others:
            reject(rejected(line, log.member))
        receipt.rejected += len(others)
        if statements:
            changes = await state(statements)
            receipt.accepted += changes
            receipt.duplicate += len(statements) - changes
        progress()
        if not statements and not others:
            return


def _some(lines: Iterator[T | InvalidLine]) -> tuple[list[T], list[InvalidLine]]:
    statements: list[T] = []
    others: list[InvalidLine] = []
    for line in lines:
        if isinstance(line, InvalidLine):
            others.append(line)
        else:
            statements.append(line)
        if len(statements) + len(others) == STATEMENTS:
            break
    return statements, others
