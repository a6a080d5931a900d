"""A whole file into the store, chunk by chunk.

Stopped halfway and begun again, it loses and doubles nothing: what is recorded already is told by its identity,
and counted as a duplicate.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from typing import BinaryIO, Final, TypeVar

import msgspec
from msgspec.structs import replace

from rapport.catalogue import CampaignUpdate, ContactUpdate
from rapport.errors import UnreadableFile
from rapport.instant import Instant
from rapport.recording.files import InvalidLine, read_file
from rapport.recording.lines import Form
from rapport.recording.reader import Chunk, Rejected, read_beside, rejected
from rapport.store.protocol import Store


class Receipt(msgspec.Struct, kw_only=True):
    """What became of the lines that came in."""

    accepted: int = 0
    duplicate: int = 0
    rejected: int = 0


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
) -> None:
    """Record every activity of an open file; hand each line that is none to `reject`.

    `name` tells the file's form, see `rapport.recording.files`. After each chunk, which is durable then, the receipt
    is brought up to date and `progress` called. Raises UnreadableFile and StoreUnavailable.
    """
    with read_beside(file, name, account_id, now) as chunks:
        finished: list[Chunk] = []
        async with aclosing(_one_ahead(store, chunks, finished)) as ready:
            async for chunk in ready:
                for line in chunk.rejected:
                    reject(line)
                receipt.rejected += len(chunk.rejected)
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
) -> None:
    """The same for a file that states contacts or campaigns: `state` takes them in."""
    lines = read_file(file, name, now, form)
    while True:
        statements, others = await asyncio.to_thread(_some, lines)
        for line in others:
            reject(rejected(line))
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
