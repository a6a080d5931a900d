"""Record activities in SQLite: a group of batches in one transaction."""

import time
from collections.abc import Sequence
from operator import itemgetter
from typing import Final

import apsw

from rapport.activity import ActivityType
from rapport.instant import Instant
from rapport.store.batch import Batch, Part
from rapport.store.feed import MAX_KEYS_PER_BATCH, FeedEntryBuilder
from rapport.store.hashing import contact_order
from rapport.store.ingest import Recorded
from rapport.store.permission import PERMISSION_TYPES
from rapport.store.rollups import RollUps
from rapport.store.sqlite.engine import SHARED, Engine
from rapport.store.sqlite.feed_writer import append
from rapport.store.sqlite.identifiers import account_key, campaign_activity_keys, link_keys
from rapport.store.sqlite.permission import update_permissions
from rapport.store.sqlite.profiles import ContactCache
from rapport.store.sqlite.queries import SQL
from rapport.store.sqlite.redirects import redirect_batches
from rapport.store.sqlite.rollups import COUNTED_COLUMNS, ActivityValues, increment_rollups, watch_inserts
from rapport.store.sqlite.tombstones import filter_erased_batches

_ADD_ACTIVITY: Final = SQL["ingest"]["add_activity"]


class SQLiteIngest:
    """Records activities in the writer's thread."""

    batch_size: Final = 20_000
    """Enough to share an fsync, and few enough that a server which writes to the same file waits only briefly."""

    def __init__(self, engine: Engine, cache: ContactCache) -> None:
        self._engine = engine
        self._cache = cache

    async def partition(self, batch: Batch) -> Sequence[Part]:
        """Return the whole batch: one file commits everything together."""
        return [(None, batch)]

    async def prepare(self, batch: Batch) -> Batch:
        """Return the batch: only the transaction takes long."""
        return batch

    async def record(self, batches: Sequence[Batch]) -> list[Recorded]:
        """Record the batches in one transaction. Raises StoreUnavailable; nothing is recorded then."""
        return await self._engine.run(SHARED, lambda connection: self._record_group(connection, batches))

    def _record_group(self, connection: apsw.Connection, batches: Sequence[Batch]) -> list[Recorded]:
        try:
            recorded = self._engine.commit(connection, lambda connection: self._record_all(connection, batches))
        except BaseException:
            self._cache.clear()
            raise
        self._cache.committed(connection)
        return recorded

    def _record_all(self, connection: apsw.Connection, batches: Sequence[Batch]) -> list[Recorded]:
        self._cache.begin(connection)
        rollups, entries = RollUps[int](), FeedEntryBuilder[int]()
        now = _now()
        batches = filter_erased_batches(connection, batches, now)
        redirected = redirect_batches(connection, batches, now)
        if redirected is not batches:
            batches = filter_erased_batches(connection, redirected, now)
        recorded = [self._record(connection, batch, rollups, entries) for batch in batches]
        increment_rollups(connection, rollups)
        append(connection, entries)
        return recorded

    def record_moved(self, connection: apsw.Connection, batch: Batch) -> Recorded:
        """Record activities that belonged to another contact, in the running transaction and without the feed."""
        self._cache.begin(connection)
        rollups = RollUps[int]()
        recorded = self._record(connection, batch, rollups, FeedEntryBuilder[int]())
        increment_rollups(connection, rollups)
        return recorded

    def _record(
        self, connection: apsw.Connection, batch: Batch, rollups: RollUps[int], entries: FeedEntryBuilder[int]
    ) -> Recorded:
        account = account_key(connection, batch.account_id, _now())
        resolved = self._cache.resolve(connection, account, batch)
        contacts, profiles, created_later = resolved
        orders = [contact_order(batch.account_id, contact_id) for contact_id in batch.contacts]
        campaign_activities = campaign_activity_keys(connection, account, batch.campaign_activities)
        links = link_keys(connection, campaign_activities, batch.links)
        accepted: dict[ActivityType, int] = {}
        keys: list[tuple[int, int, int, int]] = []
        for activity_type, rows in batch.rows.items():
            values: list[ActivityValues] = [
                (
                    contacts[contact],
                    activity_type,
                    created_time,
                    identity,
                    campaign_activities[campaign_activity],
                    None if profile is None else profiles[profile],
                    None if link is None else links[link],
                    device_type,
                    bounce_code,
                    opt_out_reason,
                    event_id,
                    orders[contact],
                )
                for (
                    contact,
                    created_time,
                    identity,
                    campaign_activity,
                    profile,
                    link,
                    device_type,
                    bounce_code,
                    opt_out_reason,
                    event_id,
                ) in rows
            ]
            # In the order of the key, so that neighbours are written while their page is cached.
            values.sort(key=itemgetter(0))
            added: list[ActivityValues] = []
            connection.executemany(_ADD_ACTIVITY, watch_inserts(connection, values, added, []))
            rollups.count(map(COUNTED_COLUMNS, added))
            if created_later:
                resolved.lower_created_at(connection, ((row[0], row[2]) for row in added))
            accepted[activity_type] = len(added)
            keys += [row[:4] for row in added[: MAX_KEYS_PER_BATCH - len(keys)]]
            if activity_type in PERMISSION_TYPES:
                update_permissions(connection, {row[0] for row in added})
        entries.add(batch.account_id, keys, accepted)
        return Recorded(
            accepted={activity_type: count for activity_type, count in accepted.items() if count},
            duplicate=batch.size - sum(accepted.values()),
        )


def _now() -> Instant:
    return Instant(time.time_ns() // 1_000_000)
