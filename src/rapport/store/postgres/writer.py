"""Write to PostgreSQL. A group of batches is one transaction, which may be repeated if its outcome is unknown."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Final, TypeVar

import asyncpg

from rapport.activity import ActivityType
from rapport.catalog import CampaignUpdate, ContactUpdate, DefinitionUpdate
from rapport.errors import StoreUnavailable
from rapport.instant import Instant
from rapport.store.attributes import links_batch
from rapport.store.batch import Batch, Part
from rapport.store.erasure import ErasedContact
from rapport.store.feed import MAX_KEYS_PER_BATCH, FeedEntryBuilder
from rapport.store.ingest import Recorded
from rapport.store.merges import MergeResult
from rapport.store.permission import PERMISSION_TYPES
from rapport.store.postgres.binary import ACTIVITY, ActivityValues
from rapport.store.postgres.erase import ERASE_TIMEOUT, erase
from rapport.store.postgres.feed_writer import FeedWriter
from rapport.store.postgres.identifiers import ChangeCounter, IdCache
from rapport.store.postgres.insert import add_activities
from rapport.store.postgres.layout import ONE_DATABASE, Layout
from rapport.store.postgres.memberships import list_created_at, lower_created_at
from rapport.store.postgres.merge_contacts import merge_contacts
from rapport.store.postgres.permission import lock_contacts, update_permissions
from rapport.store.postgres.pool import SHARED, Connection, Contacts, Pool, Reach, copy
from rapport.store.postgres.prepared import (
    KEY,
    TYPE,
    Key,
    PreparedBatch,
    PreparedGroup,
    Resolved,
    prepare_batch,
)
from rapport.store.postgres.profiles import ContactCache, ProfileKeys
from rapport.store.postgres.queries import SQL
from rapport.store.postgres.redirects import contact_exists, redirect_batches, require_known_shards
from rapport.store.postgres.rollups import Counts, find_existing_engagement, increment_rollups
from rapport.store.postgres.tombstones import ErasureConflict, filter_erased_batches, lock_against_erasure
from rapport.store.postgres.upserts import (
    ensure_definitions,
    upsert_campaigns,
    upsert_contacts,
    upsert_definitions,
)
from rapport.store.subresources import Membership

WRITE_TIMEOUT: Final = 5.0
"""Seconds for a small write, including the wait for a connection."""
_ACTIVITY_TIMEOUT: Final = 0.002
"""Additional seconds for each activity of a group: ten times what it takes."""
_CAMPAIGN_TIMEOUT: Final = 0.05
"""The same for a campaign with its campaign activities."""

_ERASE_ATTEMPTS: Final = 4

_COPY_THRESHOLD: Final = 5_000
"""Activities from which it is worth trying to copy them straight into their table."""
_MAX_COPY_BACKOFF: Final = 64
_MAX_DEADLOCKS: Final = 3

T = TypeVar("T")


class Writer:
    """Writes through a pool. Groups may be written concurrently."""

    _copy_threshold = _COPY_THRESHOLD

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._ids = IdCache()
        self._contacts = ContactCache()
        self._feed = FeedWriter(pool)
        self._erasure_version = 0
        # The increments of the group that was prepared last.
        self._prepared: Counts | None = None
        # How many groups to stage before the next attempt to copy one. It doubles with each failed attempt.
        self._copy_backoff = 0
        self._next_copy_backoff = 1

    async def record(self, batches: Sequence[Batch]) -> list[Recorded]:
        """Record the batches in one transaction. Raises StoreUnavailable; the outcome is unknown then."""
        recorded = await self._record_with_retries(batches, ONE_DATABASE)
        await self._feed.prune()
        return recorded

    async def partition(self, batch: Batch) -> Sequence[Part]:
        """Return the whole batch: one database commits everything together."""
        return [(None, batch)]

    async def _record_with_retries(
        self, batches: Sequence[Batch], layout: Layout, contacts: Contacts = ()
    ) -> list[Recorded]:
        attempt = 0
        while True:
            try:
                return await self._record(batches, layout, contacts)
            except ErasureConflict as exc:
                self._clear_caches(exc.version)
            except StoreUnavailable as exc:
                # Two transactions wrote the same rows in a different order, and the database chose this one to fail.
                deadlock = isinstance(exc.__cause__, asyncpg.DeadlockDetectedError)
                if not deadlock or attempt == _MAX_DEADLOCKS:
                    raise
                attempt += 1

    def _clear_caches(self, erasure_version: int) -> None:
        """Look up contacts and links again after an erasure by another process, which may have deleted them."""
        self._erasure_version = erasure_version
        self._contacts.clear()
        self._ids.clear_links()

    async def prepare(self, batch: Batch) -> Batch:
        """Compute, in another thread, what doesn't need a transaction."""
        return await self._prepare(batch, ONE_DATABASE)

    async def _prepare(self, batch: Batch, layout: Layout, contacts: Contacts = ()) -> Batch:
        version = self._erasure_version
        seconds = WRITE_TIMEOUT + batch.size * _ACTIVITY_TIMEOUT
        try:
            async with self._pool.acquire(seconds, batch.account_id, contacts) as connection:
                (resolved,) = await self._resolve(connection, [batch], version)
        except (StoreUnavailable, ErasureConflict):
            # Nothing has been acknowledged: `record` does the same later, and reports the error.
            return batch
        prepared = await asyncio.to_thread(prepare_batch, batch, resolved, version, self._contacts, layout)
        if layout.has_staging and len(prepared.group.all_rows) >= _COPY_THRESHOLD:
            await self._look_up_engagement(prepared.group)
        return prepared

    async def _look_up_engagement(self, group: PreparedGroup) -> None:
        """Find existing engagement while another group is recorded, whose engagement isn't visible yet."""
        counts, previous, self._prepared = group.counts, self._prepared, group.counts
        seconds = WRITE_TIMEOUT + len(group.all_rows) * _ACTIVITY_TIMEOUT
        try:
            async with self._pool.acquire(seconds) as connection:
                existing = await find_existing_engagement(connection, counts)
        except StoreUnavailable:
            # It is looked up when the group is recorded.
            return
        group.existing_indexes = {*existing, *(() if previous is None else counts.find_common(previous))}

    async def _prepare_group(self, connection: Connection, batches: Sequence[Batch], layout: Layout) -> PreparedGroup:
        # As of now: a group that is written at the same time may find a later version.
        version = self._erasure_version
        for batch in batches:
            if isinstance(batch, PreparedBatch) and len(batches) == 1 and batch.group.erasure_version == version:
                return batch.group
        resolved = await self._resolve(connection, batches, version)
        for entry in resolved:
            require_known_shards(layout, entry.batch.account_id, entry.batch.contacts)
        return PreparedGroup(resolved, version, layout)

    async def _resolve(self, connection: Connection, batches: Sequence[Batch], erasure_version: int) -> list[Resolved]:
        # A link that only an erased contact clicked must not come back with a late delivery.
        guard = partial(lock_against_erasure, version=erasure_version)
        batches = await filter_erased_batches(connection, batches, erasure_version)
        if erasure_version:
            # Contacts are merged under the same version.
            batches = await redirect_batches(connection, batches)
            batches = await filter_erased_batches(connection, batches, erasure_version)
        return [Resolved(batch, *await self._ids.resolve(connection, batch, guard=guard)) for batch in batches]

    async def _record(self, batches: Sequence[Batch], layout: Layout, contacts: Contacts) -> list[Recorded]:
        size = sum(batch.size for batch in batches)
        seconds = WRITE_TIMEOUT + size * _ACTIVITY_TIMEOUT
        async with self._pool.acquire(seconds, SHARED, contacts) as connection:
            group = await self._prepare_group(connection, batches, layout)
            if len(group.all_rows) >= self._copy_threshold and self._copy_backoff == 0:
                recorded = await self._try_copy(connection, group)
                if recorded is not None:
                    return recorded
            self._copy_backoff = max(0, self._copy_backoff - 1)
            async with connection.transaction():
                await lock_against_erasure(connection, group.erasure_version, group.layout)
                created = await self._contacts.record(connection, group.profiles, group.layout)
                added = await add_activities(connection, group)
                is_all = len(added) == len(group.all_rows)
                counts = (
                    group.counts if is_all else group.counts_of([row for row in group.all_rows if KEY(row) in added])
                )
                await increment_rollups(connection, counts, group.layout)
                await _update_contacts(connection, group, created, added, _permission_contacts(group, added))
                outcomes, entries = _outcomes(group, added)
                await self._feed.append(connection, entries)
            self._cache_contacts(created, group.erasure_version)
            return outcomes

    async def _try_copy(self, connection: Connection, group: PreparedGroup) -> list[Recorded] | None:
        """Copy the activities straight into their table, which is twice as fast. Return None if one existed already."""
        if len(group.batches) != 1:
            return None
        (batch,) = group.batches
        entries = FeedEntryBuilder[bytes]()
        entries.add(batch.account_id, list(map(_key, group.all_rows[:MAX_KEYS_PER_BATCH])), group.counts.by_type)
        try:
            async with connection.transaction():
                await lock_against_erasure(connection, group.erasure_version, group.layout)
                created = await self._contacts.record(connection, group.profiles, group.layout, missing=group.missing)
                await copy(connection, "tracking_activity", ACTIVITY, group.copied)
                existing = group.existing_indexes
                if existing is None and group.layout.has_staging:
                    existing = await find_existing_engagement(connection, group.counts)
                await increment_rollups(connection, group.counts, group.layout, existing_indexes=existing)
                await _update_contacts(connection, group, created, map(_key, group.all_rows), group.permission_contacts)
                await self._feed.append(connection, entries)
        except (asyncpg.UniqueViolationError, asyncpg.InternalServerError):
            # A cluster reports a duplicate as XX000.
            self._copy_backoff = self._next_copy_backoff
            self._next_copy_backoff = min(self._next_copy_backoff * 2, _MAX_COPY_BACKOFF)
            return None
        self._cache_contacts(created, group.erasure_version)
        self._next_copy_backoff = 1
        return [Recorded(accepted=group.counts.by_type, duplicate=batch.size - len(group.all_rows))]

    def _cache_contacts(self, created: ProfileKeys, erasure_version: int) -> None:
        # Unless another group has found a later version since: one of these contacts may have been erased.
        if erasure_version == self._erasure_version:
            self._contacts.add(created)

    async def erase(
        self, account_id: str, contact_id: str, now: Instant, tombstone: ErasedContact | None = None
    ) -> bool:
        """Erase a contact. Return True if it existed."""
        async with self._pool.acquire(WRITE_TIMEOUT, account_id) as connection:
            # Writers don't have to wait for the erasure of a contact that doesn't exist.
            if not await contact_exists(connection, account_id, contact_id):
                return False
        return await self._erase(account_id, contact_id, now, tombstone, layout=ONE_DATABASE)

    async def _erase(
        self,
        account_id: str,
        contact_id: str,
        now: Instant,
        tombstone: ErasedContact | None,
        *,
        layout: Layout,
        contacts: Contacts = (),
    ) -> bool:
        async def run(connection: Connection) -> bool:
            return await erase(connection, account_id, contact_id, now, tombstone, layout=layout)

        return await self._lock_out_writers(account_id, contacts, run)

    async def _lock_out_writers(
        self, account_id: str, contacts: Contacts, run: Callable[[Connection], Awaitable[T]]
    ) -> T:
        """Run a transaction that locks out writers, and retry if running writes take long."""
        for attempts_left in range(_ERASE_ATTEMPTS - 1, -1, -1):
            try:
                async with self._pool.acquire(ERASE_TIMEOUT, account_id, contacts) as connection:
                    return await run(connection)
            except StoreUnavailable as exc:
                if not (attempts_left and isinstance(exc.__cause__, asyncpg.LockNotAvailableError)):
                    raise
                # Waiting writers continue meanwhile.
                await asyncio.sleep(1)
        raise AssertionError("unreachable")

    async def merge(self, account_id: str, old_id: str, new_id: str, now: Instant) -> MergeResult:
        """Merge a contact into another one."""
        return await self._merge(account_id, old_id, new_id, now, layout=ONE_DATABASE)

    async def _merge(
        self,
        account_id: str,
        old_id: str,
        new_id: str,
        now: Instant,
        *,
        layout: Layout,
        contacts: Contacts = (),
    ) -> MergeResult:
        async def merge(connection: Connection) -> MergeResult:
            return await merge_contacts(connection, account_id, old_id, new_id, now, layout=layout)

        return await self._lock_out_writers(account_id, contacts, merge)

    async def upsert_contacts(self, account_id: str, updates: Sequence[ContactUpdate]) -> int:
        """Merge updates into the contacts. Return how many changed something."""
        return await self._upsert_contacts(account_id, updates, ONE_DATABASE)

    async def _upsert_contacts(
        self, account_id: str, updates: Sequence[ContactUpdate], layout: Layout, contacts: Contacts = ()
    ) -> int:
        seconds = WRITE_TIMEOUT + len(updates) * _ACTIVITY_TIMEOUT
        async with self._pool.acquire(seconds, account_id, contacts) as connection:
            return await upsert_contacts(connection, self._ids, account_id, updates, layout)

    async def upsert_definitions(self, account_id: str, updates: Sequence[DefinitionUpdate]) -> int:
        """Merge updates into the definitions. Return how many changed something."""
        seconds = WRITE_TIMEOUT + len(updates) * _ACTIVITY_TIMEOUT
        async with self._pool.acquire(seconds, account_id) as connection:
            return await upsert_definitions(connection, await self._ids.account(connection, account_id), updates)

    async def ensure_definitions(self, account_id: str, references: Mapping[Membership, int]) -> None:
        """Create the definitions that contacts refer to."""
        if references:
            seconds = WRITE_TIMEOUT + len(references) * _ACTIVITY_TIMEOUT
            async with self._pool.acquire(seconds, account_id) as connection:
                await ensure_definitions(connection, await self._ids.account(connection, account_id), references)

    async def upsert_campaigns(self, account_id: str, updates: Sequence[CampaignUpdate]) -> int:
        """Merge updates into the campaigns. Return how many changed something."""
        links = sum(len(activity.links) for update in updates for activity in update.campaign_activities)
        seconds = WRITE_TIMEOUT + len(updates) * _CAMPAIGN_TIMEOUT + links * _ACTIVITY_TIMEOUT
        async with self._pool.acquire(seconds, account_id, Reach.ALL) as connection:
            version: int = await connection.fetchval(SQL["erasure"]["get_version"])
            if version != self._erasure_version:
                self._clear_caches(version)
            return await upsert_campaigns(connection, self._ids, account_id, updates)

    async def add_links(self, account_id: str, campaign: CampaignUpdate) -> bool:
        """Add the links of a campaign before the rest of its update. Return True if any is new."""
        batch = links_batch(account_id, campaign)
        changes = ChangeCounter()
        seconds = WRITE_TIMEOUT + len(batch.links) * _ACTIVITY_TIMEOUT
        async with self._pool.acquire(seconds, account_id, Reach.ALL) as connection:
            await self._ids.resolve(connection, batch, changes)
        return changes.count > 0


def _key(row: ActivityValues) -> Key:
    key: Key = KEY(row)
    return key


def _permission_contacts(group: PreparedGroup, added: Iterable[Key]) -> set[bytes]:
    """Return the contacts whose permission the added activities may change."""
    if not group.has_permissions:
        return set()
    return {contact for contact, activity_type, *_ in added if activity_type in PERMISSION_TYPES}


async def _update_contacts(
    connection: Connection,
    group: PreparedGroup,
    created: ProfileKeys,
    added: Iterable[Key],
    permission_contacts: Collection[bytes],
) -> None:
    """Update what is derived from the activities of contacts: when they were created, and their permissions."""
    created_at = await list_created_at(connection, created.existing)
    earlier: dict[bytes, int] = {}
    if created_at:
        # Of duplicates, which may have an earlier time, only the first delivery counts.
        for contact, _, time, _ in added:
            if time < created_at.get(contact, time):
                earlier[contact] = created_at[contact] = time
    created.contacts.update(created_at)
    if earlier:
        # All at once and in order, so that concurrent transactions don't wait for each other.
        await lock_contacts(connection, {*earlier, *permission_contacts}, group.layout)
        await lower_created_at(connection, earlier)
    await update_permissions(connection, permission_contacts, group.layout)


def _outcomes(group: PreparedGroup, added: set[Key]) -> tuple[list[Recorded], FeedEntryBuilder[bytes]]:
    """Return the outcome of each batch, and the feed's entries. An activity is new in the first batch that has it."""
    outcomes, entries = [], FeedEntryBuilder[bytes]()
    for batch, rows in zip(group.batches, group.rows, strict=True):
        accepted = dict.fromkeys(batch.rows, 0)
        keys = []
        for row in rows:
            key = _key(row)
            if key in added:
                added.discard(key)
                accepted[ActivityType(row[TYPE])] += 1
                keys.append(key)
        entries.add(batch.account_id, keys[:MAX_KEYS_PER_BATCH], accepted)
        outcomes.append(
            Recorded(
                accepted={activity_type: count for activity_type, count in accepted.items() if count},
                duplicate=batch.size - sum(accepted.values()),
            )
        )
    return outcomes, entries
