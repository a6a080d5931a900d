"""Merge a contact into another one, in a transaction that keeps writers out."""

from collections.abc import Collection, Sequence
from typing import Any, Final

from rapport.instant import Instant
from rapport.store.activity_rows import activity_from_row
from rapport.store.attributes import ContactAttributes, contact_updates, load_attributes
from rapport.store.batch import build_batch
from rapport.store.erasure import ErasureSnapshot
from rapport.store.hashing import contact_key
from rapport.store.merges import MergeResult, check_not_erased, find_duplicates, move_keys
from rapport.store.postgres.erase import delete_contact, lock_against_writes
from rapport.store.postgres.feed_writer import FEED_KEY
from rapport.store.postgres.identifiers import IdCache
from rapport.store.postgres.insert import add_activities
from rapport.store.postgres.layout import Layout
from rapport.store.postgres.memberships import read_contacts, write_contacts
from rapport.store.postgres.permission import update_permissions
from rapport.store.postgres.pool import Connection
from rapport.store.postgres.prepared import KEY, PreparedGroup, Resolved
from rapport.store.postgres.profiles import ContactCache
from rapport.store.postgres.queries import SQL
from rapport.store.postgres.redirects import find_targets, require_known_shards
from rapport.store.postgres.rollups import increment_hours, increment_rollups, increment_stats
from rapport.store.postgres.tombstones import erased_times
from rapport.store.postgres.upserts import upsert_contacts
from rapport.store.rollups import HourRow, StatsRow

_SQL: Final = SQL["merges"]
_ERASURE: Final = SQL["erasure"]
_FEED: Final = SQL["feed"]
_INGEST: Final = SQL["ingest"]


async def merge_contacts(
    connection: Connection, account_id: str, old_id: str, new_id: str, now: Instant, *, layout: Layout
) -> MergeResult:
    """Merge the contacts in a transaction during which nothing is recorded."""
    # A separate cache: that of the writer must not contain ids from a transaction that may be rolled back.
    ids = IdCache()
    account = await ids.account(connection, account_id)
    async with connection.transaction():
        await lock_against_writes(connection, layout)
        targets = await find_targets(connection, account_id, {old_id, new_id})
        old_id, new_id = targets.get(old_id, old_id), targets.get(new_id, new_id)
        if old_id == new_id:
            return MergeResult(new_id, is_changed=False)
        require_known_shards(layout, account_id, [old_id, new_id])
        old_key, new_key = contact_key(account_id, old_id), contact_key(account_id, new_id)
        old = await connection.fetchrow(_SQL["get_contact"], old_key)
        moved = duplicate = 0
        if old is not None:
            check_not_erased(new_id, is_erased=bool(await erased_times(connection, [new_key])))
            move = _Move(connection, ids, account_id, account, layout)
            moved, duplicate = await move.move(old_id, new_id, old[1], old[2])
            updates = list(contact_updates(ContactAttributes(new_id, load_attributes(old[0]))))
            if updates:
                await upsert_contacts(connection, ids, account_id, updates, layout)
            await update_permissions(connection, {new_key}, layout)
            await write_contacts(connection, await read_contacts(connection, [new_key]))
        await connection.execute(_SQL["move"], account, old_id, new_id)
        await connection.execute(_SQL["add"], old_key, account, old_id, new_id, now)
        await connection.execute(_SQL["move_messages"], account, old_id, new_id)
        # Writers notice that contacts have changed, as after an erasure.
        await connection.execute(_ERASURE["bump_version"], now)
    return MergeResult(new_id, is_changed=True, moved=moved, duplicate=duplicate)


class _Move:
    """Moves the history of a contact to another one, within a transaction."""

    def __init__(self, connection: Connection, ids: IdCache, account_id: str, account: int, layout: Layout) -> None:
        self._connection = connection
        self._ids = ids
        self._account_id = account_id
        self._account = account
        self._layout = layout

    async def move(self, old_id: str, new_id: str, created_at: int, updated_at: int) -> tuple[int, int]:
        """Record the old contact's activities under the new id, and delete the old contact.

        Return how many activities are new to the new contact, and how many it has as well.
        """
        connection = self._connection
        old, new = contact_key(self._account_id, old_id), contact_key(self._account_id, new_id)
        rows = await connection.fetch(_SQL["list_activities"], old)
        batch = build_batch(self._account_id, (activity_from_row(new_id, tuple(row)) for row in rows))
        counted = await connection.fetch(_ERASURE["list_activities"], old)
        snapshot = ErasureSnapshot[bytes](tuple(row) for row in counted)
        old_keys = [tuple(row) for row in await connection.fetch(_SQL["list_keys"], old)]
        new_keys = [tuple(row) for row in await connection.fetch(_SQL["list_keys"], new)]
        duplicates = find_duplicates(old_keys, new_keys)
        await self._delete(snapshot, old)
        values: list[list[Any]] = [[new], [self._account], [new_id], [None], [None], [None], [created_at], [updated_at]]
        await self._layout.insert(connection, _INGEST, "add_contacts", values, by=0)
        if rows:
            _, campaign_activities, links = await self._ids.resolve(connection, batch)
            resolved = Resolved(batch, self._account, campaign_activities, links)
            await self._record(PreparedGroup([resolved], 0, self._layout))
        if duplicates:
            await self._recount_stats(snapshot.stats)
            await self._recount_hours(snapshot.hours)
        await self._move_feed(old, new, duplicates)
        return len(rows) - len(duplicates), len(duplicates)

    async def _delete(self, snapshot: ErasureSnapshot[bytes], contact: bytes) -> None:
        """Delete a contact, and subtract its activities from all counts."""
        bucket = self._layout.bucket_of(contact)
        hour_bucket = self._layout.hour_bucket_of(bucket)
        stats = [
            (key, activity_type, detail, -total, None if contacts is None else -contacts, last_time, bucket)
            for key, activity_type, detail, total, contacts, last_time in snapshot.stats
        ]
        hours = [(key, hour, activity_type, -total, hour_bucket) for key, hour, activity_type, total in snapshot.hours]
        await increment_stats(self._connection, stats, self._layout)
        await increment_hours(self._connection, hours, self._layout)
        await delete_contact(self._connection, snapshot, contact)

    async def _record(self, group: PreparedGroup) -> None:
        await ContactCache().record(self._connection, group.profiles, self._layout)
        added = await add_activities(self._connection, group)
        counts = group.counts_of([row for row in group.all_rows if KEY(row) in added])
        await increment_rollups(self._connection, counts, self._layout)

    async def _recount_stats(self, stats: Sequence[StatsRow]) -> None:
        """Delete stats that are 0, and correct the times of the last activities, which may not have been moved."""
        connection = self._connection
        keys = {row[:3] for row in stats}
        rows = await connection.fetch(_SQL["sum_stats"], sorted({row[0] for row in stats}))
        for *key, total in rows:
            if tuple(key) not in keys:
                continue
            if total == 0:
                await connection.execute(_SQL["delete_stats"], *key)
                continue
            times = [
                await connection.fetchval(_SQL["last_time"], *key),
                await connection.fetchval(_SQL["erased_last_time"], *key),
            ]
            await connection.execute(_SQL["set_last_time"], *key, max(time for time in times if time is not None))

    async def _recount_hours(self, hours: Sequence[HourRow]) -> None:
        """Delete hours that are 0."""
        keys = {row[:3] for row in hours}
        values: list[Any] = [sorted({row[index] for row in hours}) for index in (0, 1)]
        for *key, total in await self._connection.fetch(_SQL["sum_hours"], *values):
            if total == 0 and tuple(key) in keys:
                await self._connection.execute(_SQL["delete_hours"], *key)

    async def _move_feed(self, old: bytes, new: bytes, duplicates: Collection[tuple[int, int, int]]) -> None:
        for number, keys in await self._connection.fetch(_FEED["find_by_contact"], old):
            moved = move_keys(FEED_KEY, keys, old, new, duplicates)
            await self._connection.execute(_FEED["update_keys"], number, moved)
