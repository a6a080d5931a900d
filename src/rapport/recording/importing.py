"""A whole file into the store, batch by batch.

Stopped halfway and begun again, it loses and doubles nothing: what is recorded already is told by its identity,
and counted as a duplicate.
"""

from collections.abc import Callable
from itertools import islice
from typing import Final

import msgspec

from rapport.activity import Activity
from rapport.errors import UnreadableFile
from rapport.instant import Instant
from rapport.recording.files import ByteFile, Read, RejectedLine, read_activities
from rapport.store.protocol import Batch, Store

BATCH: Final = 20_000
"""Lines in one transaction: enough to share its fsync, few enough that a server beside it waits only briefly."""


class Receipt(msgspec.Struct, kw_only=True):
    """What became of the lines that came in."""

    accepted: int = 0
    duplicate: int = 0
    rejected: int = 0


async def import_file(
    store: Store,
    account_id: str,
    file: ByteFile,
    name: str,
    receipt: Receipt,
    *,
    now: Instant,
    reject: Callable[[RejectedLine], None],
    progress: Callable[[], None],
) -> None:
    """Record every activity of an open file; hand each line that is none to `reject`.

    `name` tells the file's form, see `read_activities`. After each batch, which is durable then, the receipt is
    brought up to date and `progress` called. Raises UnreadableFile and StoreUnavailable.
    """
    lines = read_activities(file, name, now)
    unreadable: UnreadableFile | None = None
    while unreadable is None:
        batch: list[Read] = []
        try:
            batch.extend(islice(lines, BATCH))
        except UnreadableFile as problem:
            # What was read before the file broke off is recorded all the same.
            unreadable = problem
        if not batch:
            break
        await _record(store, account_id, batch, receipt, reject)
        progress()
    if unreadable is not None:
        raise unreadable


async def _record(
    store: Store, account_id: str, batch: list[Read], receipt: Receipt, reject: Callable[[RejectedLine], None]
) -> None:
    activities: list[Activity] = []
    for line in batch:
        if isinstance(line, RejectedLine):
            reject(line)
            receipt.rejected += 1
        else:
            activities.append(line)
    if activities:
        (recorded,) = await store.record([Batch(account_id, activities)])
        receipt.accepted += sum(recorded.accepted.values())
        receipt.duplicate += recorded.duplicate
