"""Writes: a group of batches in one transaction, which may be repeated for as long as nobody knows how it ended."""

import asyncio
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Final

import asyncpg
from msgspec.structs import replace

from rapport.activity import ActivityType
from rapport.catalogue import CampaignUpdate, ContactUpdate
from rapport.errors import StoreUnavailable
from rapport.instant import DAY, SECOND, Instant
from rapport.store.batch import Batch, Part
from rapport.store.catalogue import named_in
from rapport.store.digests import contact_key
from rapport.store.erasure import ErasedContact, Tombstones
from rapport.store.feed import MAX_KEYS_PER_BATCH, FeedEntryBuilder
from rapport.store.permission import PERMISSION_TYPES
from rapport.store.postgres.binary import ACTIVITY, ActivityValues
from rapport.store.postgres.catalogue import upsert_campaigns, upsert_contacts
from rapport.store.postgres.citus.tables import LARGE, LOCAL, SMALL
from rapport.store.postgres.contacts import Contacts, Made
from rapport.store.postgres.erasing import SQL as ERASE
from rapport.store.postgres.erasing import (
    ErasedMeanwhile,
    erase,
    import_tombstones,
    lock_against_erasure,
    read_tombstones,
    with_erased_left_out,
)
from rapport.store.postgres.feed import FeedWriter
from rapport.store.postgres.layout import ONE_DATABASE, Layout
from rapport.store.postgres.names import Learnt, Names
from rapport.store.postgres.permission import update_permissions
from rapport.store.postgres.pool import SHARED, Connection, Every, Pool, Touched, copy
from rapport.store.postgres.ready import KEY, Key, PreparedBatch, Ready, Resolved, prepare_batch
from rapport.store.postgres.rollups import Counts, columns, find_known_engagement, roll_up
from rapport.store.postgres.write import SQL
from rapport.store.protocol import Recorded
from rapport.store.request_count import RequestCount

WRITE_WITHIN: Final = 5.0
"""Seconds within which a small group is committed, or its senders told to try again."""
_AN_ACTIVITY: Final = 0.002
"""Seconds that each activity of a group gets beyond that: ten times what it takes."""

_A_CAMPAIGN: Final = 0.05
"""The same for a campaign, with its campaign activities."""

_ERASE_WITHIN: Final = 60.0
"""Seconds for a contact with very many activities, and to wait for those who record."""

_ERASE_TRIES: Final = 4

_FEW: Final = 500
"""Activities that go as arrays in one statement; more of them are copied to the database first."""
_MANY: Final = 5_000
"""Activities that are worth a try to copy them right into their table, where none is there yet."""
_LONGEST_DOUBT: Final = 64
_DEADLOCKS: Final = 3


class Writer:
    """Writes through a pool; groups may be written at the same time."""

    _many = _MANY

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._names = Names()
        self._contacts = Contacts()
        self._feed = FeedWriter(pool)
        self._erasures = 0
        # What the last group that was made ready ahead adds to the roll-ups.
        self._prepared: Counts | None = None
        # How many groups to stage before the next try to copy one right in: it doubles with each that failed.
        self._doubt = 0
        self._next_doubt = 1

    async def record(self, batches: Sequence[Batch]) -> list[Recorded]:
        """Record the batches in one transaction. Raises StoreUnavailable: what became of them isn't known then."""
        recorded = await self._record_again(batches, ONE_DATABASE)
        await self._feed.prune()
        return recorded

    async def partition(self, batch: Batch) -> Sequence[Part]:
        """The batch, whole: one database commits all that waits together."""
        return [(None, batch)]

    async def _record_again(self, batches: Sequence[Batch], layout: Layout, contacts: Touched = ()) -> list[Recorded]:
        attempt = 0
        while True:
            try:
                return await self._record(batches, layout, contacts)
            except ErasedMeanwhile as problem:
                # Somebody else has erased a contact: who is remembered as being there may be gone.
                self._forget_erased(problem.erasures)
            except StoreUnavailable as problem:
                # Two that wrote the same in another order; the database picked this one to start again.
                deadlock = isinstance(problem.__cause__, asyncpg.DeadlockDetectedError)
                if not deadlock or attempt == _DEADLOCKS:
                    raise
                attempt += 1

    def _forget_erased(self, erasures: int) -> None:
        """Look up contacts and links again after an erasure by another process: they may be gone."""
        self._erasures = erasures
        self._contacts.forget()
        self._names.forget_links()

    async def prepare(self, batch: Batch) -> Batch:
        """The batch with all worked out, in another thread, that takes no transaction with others."""
        return await self._make_ready(batch, ONE_DATABASE)

    async def _make_ready(self, batch: Batch, layout: Layout, contacts: Touched = ()) -> Batch:
        erasures = self._erasures
        seconds = WRITE_WITHIN + batch.size * _AN_ACTIVITY
        try:
            async with self._pool.acquire(seconds, batch.account_id, contacts) as connection:
                (resolved,) = await self._resolve(connection, [batch], erasures)
        except (StoreUnavailable, ErasedMeanwhile):
            # Nobody has been promised anything: `record` has the same to do then, and tells how that went.
            return batch
        prepared = await asyncio.to_thread(prepare_batch, batch, resolved, erasures, self._contacts, layout)
        if layout.has_staging and len(prepared.ready.every) >= _MANY:
            await self._look_up_engagement(prepared.ready)
        return prepared

    async def _look_up_engagement(self, ready: Ready) -> None:
        """Find the engagement that is there, while another group is recorded, whose engagement can't be seen yet."""
        counts, before, self._prepared = ready.counts, self._prepared, ready.counts
        try:
            async with self._pool.acquire(WRITE_WITHIN + len(ready.every) * _AN_ACTIVITY) as connection:
                known = await find_known_engagement(connection, counts)
        except StoreUnavailable:
            # It is looked up when the group is recorded.
            return
        ready.known_places = {*known, *(() if before is None else counts.find_common(before))}

    async def _ready(self, connection: Connection, batches: Sequence[Batch], layout: Layout) -> Ready:
        # As known now: a group that is written at the same time may learn of more.
        erasures = self._erasures
        for batch in batches:
            if isinstance(batch, PreparedBatch) and len(batches) == 1 and batch.ready.erasures == erasures:
                return batch.ready
        return Ready(await self._resolve(connection, batches, erasures), erasures, layout)

    async def _resolve(self, connection: Connection, batches: Sequence[Batch], erasures: int) -> list[Resolved]:
        # A link that only an erased contact clicked must not come back with a late delivery.
        guard = partial(lock_against_erasure, erasures=erasures)
        return [
            Resolved(batch, *await self._names.resolve(connection, batch, guard=guard))
            for batch in await with_erased_left_out(connection, batches, erasures)
        ]

    async def _record(self, batches: Sequence[Batch], layout: Layout, contacts: Touched) -> list[Recorded]:
        size = sum(batch.size for batch in batches)
        async with self._pool.acquire(WRITE_WITHIN + size * _AN_ACTIVITY, SHARED, contacts) as connection:
            ready = await self._ready(connection, batches, layout)
            if len(ready.every) >= self._many and self._doubt == 0:
                recorded = await self._try_copy(connection, ready)
                if recorded is not None:
                    return recorded
            self._doubt = max(0, self._doubt - 1)
            async with connection.transaction():
                await lock_against_erasure(connection, ready.erasures, ready.layout)
                made = await self._contacts.record(connection, ready.named, ready.layout)
                added = await _add(connection, ready)
                is_all = len(added) == len(ready.every)
                counts = ready.counts if is_all else ready.counts_of([row for row in ready.every if KEY(row) in added])
                await roll_up(connection, counts, ready.layout)
                await self._update_permissions(connection, ready, added)
                outcomes, news = _outcomes(ready, added)
                await self._feed.tell(connection, news)
            self._remember(made, ready.erasures)
            return outcomes

    async def _try_copy(self, connection: Connection, ready: Ready) -> list[Recorded] | None:
        """Copy the activities right into their table, which is twice as fast; None if one was there already."""
        if len(ready.batches) != 1:
            return None
        (batch,) = ready.batches
        news = FeedEntryBuilder[bytes]()
        news.add(batch.account_id, list(map(_key, ready.every[:MAX_KEYS_PER_BATCH])), ready.counts.by_type)
        try:
            async with connection.transaction():
                await lock_against_erasure(connection, ready.erasures, ready.layout)
                made = await self._contacts.record(connection, ready.named, ready.layout, missing=ready.missing)
                await copy(connection, "tracking_activity", ACTIVITY, ready.copied)
                known = ready.known_places
                if known is None and ready.layout.has_staging:
                    known = await find_known_engagement(connection, ready.counts)
                await roll_up(connection, ready.counts, ready.layout, known_places=known)
                await update_permissions(connection, ready.permission_contacts, ready.layout)
                await self._feed.tell(connection, news)
        except (asyncpg.UniqueViolationError, asyncpg.InternalServerError):
            # A cluster tells of a duplicate by XX000.
            self._doubt, self._next_doubt = self._next_doubt, min(self._next_doubt * 2, _LONGEST_DOUBT)
            return None
        self._remember(made, ready.erasures)
        self._next_doubt = 1
        return [Recorded(accepted=ready.counts.by_type, duplicate=batch.size - len(ready.every))]

    async def _update_permissions(self, connection: Connection, ready: Ready, added: Iterable[Key]) -> None:
        if ready.has_permissions:
            contacts = {key[0] for key in added if key[1] in PERMISSION_TYPES}
            await update_permissions(connection, contacts, ready.layout)

    def _remember(self, made: Made, erasures: int) -> None:
        # Unless another group has heard of an erasure since: it may have been one of these.
        if erasures == self._erasures:
            self._contacts.remember(made)

    async def erase(self, account_id: str, contact_id: str, now: Instant, known: ErasedContact | None = None) -> bool:
        """Erase a contact. Return True if it existed."""
        async with self._pool.acquire(WRITE_WITHIN, account_id) as connection:
            # Nobody has to wait for an erasure of nothing.
            if await connection.fetchval(ERASE["contact"], contact_key(account_id, contact_id)) is None:
                return False
        return await self._erase(account_id, contact_id, now, known, layout=ONE_DATABASE)

    async def _erase(
        self,
        account_id: str,
        contact_id: str,
        now: Instant,
        known: ErasedContact | None,
        *,
        layout: Layout,
        contacts: Touched = (),
    ) -> bool:
        for left in range(_ERASE_TRIES - 1, -1, -1):
            try:
                async with self._pool.acquire(_ERASE_WITHIN, account_id, contacts) as connection:
                    return await erase(connection, account_id, contact_id, now, known, layout=layout)
            except StoreUnavailable as problem:
                if not (left and isinstance(problem.__cause__, asyncpg.LockNotAvailableError)):
                    raise
                # Who waits to record gets on meanwhile.
                await asyncio.sleep(1)
        raise AssertionError("unreachable")

    async def upsert_contacts(self, account_id: str, statements: Sequence[ContactUpdate]) -> int:
        """Take in what is stated of contacts. How many statements changed something."""
        if not statements:
            return 0
        return await self._state_contacts(account_id, statements, ONE_DATABASE)

    async def _state_contacts(
        self, account_id: str, statements: Sequence[ContactUpdate], layout: Layout, contacts: Touched = ()
    ) -> int:
        seconds = WRITE_WITHIN + len(statements) * _AN_ACTIVITY
        async with self._pool.acquire(seconds, account_id, contacts) as connection:
            return await upsert_contacts(connection, self._names, account_id, statements, layout)

    async def upsert_campaigns(self, account_id: str, statements: Sequence[CampaignUpdate]) -> int:
        """Take in what is stated of campaigns. How many statements changed something."""
        links = sum(len(activity.links) for each in statements for activity in each.campaign_activities)
        seconds = WRITE_WITHIN + len(statements) * _A_CAMPAIGN + links * _AN_ACTIVITY
        async with self._pool.acquire(seconds, account_id, Every.CONTACT) as connection:
            erasures: int = await connection.fetchval(ERASE["erasures"])
            if erasures != self._erasures:
                self._forget_erased(erasures)
            return await upsert_campaigns(connection, self._names, account_id, statements)

    async def add_links(self, account_id: str, campaign: CampaignUpdate) -> bool:
        """Add the links of a campaign, ahead of the rest of what is stated of it. Return True if any is new."""
        named = named_in(account_id, [campaign])
        activities = [activity._replace(campaign_id=None) for activity in named.campaign_activities]
        learnt = Learnt()
        seconds = WRITE_WITHIN + len(named.links) * _AN_ACTIVITY
        async with self._pool.acquire(seconds, account_id, Every.CONTACT) as connection:
            await self._names.resolve(connection, replace(named, campaign_activities=activities), learnt)
        return learnt.times > 0

    async def erased(self, account_id: str) -> Tombstones:
        """What is left of the erased contacts of the account."""
        async with self._pool.acquire(_ERASE_WITHIN, account_id) as connection:
            return await read_tombstones(connection, account_id)

    async def import_tombstones(self, account_id: str, erased: Tombstones, now: Instant) -> None:
        """Take over what is left of the erased contacts of another store."""
        async with self._pool.acquire(_ERASE_WITHIN, account_id) as connection:
            await import_tombstones(connection, account_id, erased, now)

    async def check(self, now: Instant) -> None:
        """Write a row. Raises StoreUnavailable, also if the user lacks a privilege that recording takes."""
        async with self._pool.acquire(WRITE_WITHIN) as connection:
            forbidden = await connection.fetch(SQL["forbidden"], [*SMALL, *LARGE, *LOCAL])
            if forbidden:
                tables = ", ".join(name for (name,) in forbidden)
                raise StoreUnavailable(f"the database's user may not insert, update and delete rows of {tables}")
            await connection.execute(SQL["check_readiness"], now)

    async def ensure_account(self, account_id: str, now: Instant) -> bool:
        """Have the account exist. Whether it is new."""
        async with self._pool.acquire(WRITE_WITHIN) as connection:
            return await connection.fetchval(SQL["add_account"], account_id, now) is not None

    async def replace_secret(self, name: str, old: bytes | None, new: bytes) -> bool:
        """Put `new` in the place of `old`."""
        async with self._pool.acquire(WRITE_WITHIN) as connection:
            if old is None:
                return await connection.fetchval(SQL["add_secret"], name, new) is not None
            return await connection.fetchval(SQL["replace_secret"], name, old, new) is not None

    async def count_request(self, client_id: str, now: Instant, a_second: int) -> RequestCount:
        """Count a request of the client."""
        async with self._pool.acquire(WRITE_WITHIN, client_id) as connection:
            row = await connection.fetchrow(SQL["count_request"], client_id, now // SECOND, now // DAY, a_second)
            return RequestCount(*row)


def _key(row: ActivityValues) -> Key:
    key: Key = KEY(row)
    return key


async def _add(connection: Connection, ready: Ready) -> set[Key]:
    """Add those that aren't there, and say which they were."""
    added: Sequence[Any]
    if len(ready.every) <= _FEW or not ready.layout.has_staging:
        values = columns(ready.every, len(ACTIVITY))
        added = await ready.layout.insert(connection, SQL, "add_activities", values, by=8)
    else:
        await connection.execute(SQL["stage"])
        await copy(connection, "staged_activity", ACTIVITY, ready.copied)
        added = await connection.fetch(SQL["add_staged_activities"])
    return {(key[0], key[1], key[2], key[3]) for key in added}


def _outcomes(ready: Ready, added: set[Key]) -> tuple[list[Recorded], FeedEntryBuilder[bytes]]:
    """What became of each batch, and what there is to tell: an activity is new in the first that brought it."""
    outcomes, news = [], FeedEntryBuilder[bytes]()
    for batch, group in zip(ready.batches, ready.rows, strict=True):
        accepted = dict.fromkeys(batch.rows, 0)
        keys = []
        for row in group:
            key = _key(row)
            if key in added:
                added.discard(key)
                accepted[ActivityType(row[5])] += 1
                keys.append(key)
        news.add(batch.account_id, keys[:MAX_KEYS_PER_BATCH], accepted)
        outcomes.append(
            Recorded(
                accepted={activity_type: count for activity_type, count in accepted.items() if count},
                duplicate=batch.size - sum(accepted.values()),
            )
        )
    return outcomes, news
