"""A whole file into the store, chunk by chunk.

Stopped halfway and begun again, it loses and doubles nothing: what is recorded already is told by its identity,
and counted as a duplicate.
"""

from collections.abc import Callable
from typing import BinaryIO

import msgspec

from rapport.errors import UnreadableFile
from rapport.instant import Instant
from rapport.recording.reader import Rejected, read_beside
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
        for chunk in chunks:
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
