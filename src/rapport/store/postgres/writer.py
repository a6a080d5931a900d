"""Writes: a group of batches in one transaction, which may be repeated for as long as nobody knows how it ended."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, TypeAlias

import asyncpg

from rapport.activity import ActivityType
from rapport.catalogue import CampaignStatement, ContactStatement
from rapport.errors import StoreUnavailable
from rapport.instant import DAY, SECOND, Instant
from rapport.store.batch import Batch
from rapport.store.digests import contact_key
from rapport.store.erasure import Erased
from rapport.store.feed import MOST_OF_A_BATCH, News
from rapport.store.postgres.catalogue import state_campaigns, state_contacts
from rapport.store.postgres.contacts import Contacts, Keys, Made
from rapport.store.postgres.erasing import SQL as ERASE
from rapport.store.postgres.erasing import (
    ErasedMeanwhile,
    erase,
    keep_erasers_out,
    put_erased,
    read_erased,
    with_erased_left_out,
)
from rapport.store.postgres.feed import FeedWriter
from rapport.store.postgres.many import write_many
from rapport.store.postgres.names import Names
from rapport.store.postgres.nodes import Nodes
from rapport.store.postgres.pool import Lent, Pool, TimedOut
from rapport.store.postgres.rollups import ActivityValues, columns, roll_up
from rapport.store.postgres.write import SQL
from rapport.store.protocol import Recorded, RequestCount

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

_COLUMNS: Final = (
    *("created_time", "identity", "campaign_activity", "person", "link", "type", "device_type", "bounce_code"),
    *("contact", "opt_out_reason", "event_id"),
)

_KEY: Final = itemgetter(8, 5, 0, 1)

Key: TypeAlias = tuple[bytes, int, int, int]
"""The primary key: contact, type, created_time, identity."""


class Writer:
    """Writes through a pool; groups may be written at the same time."""

    def __init__(self, pool: Pool, nodes: Nodes) -> None:
        self._pool = pool
        self._nodes = nodes
        self.in_parts = False
        self._names = Names()
        self._contacts = Contacts()
        self._feed = FeedWriter(pool)
        self._erasures = 0
        # How many groups to stage before the next try to copy one right in: it doubles with each that failed.
        self._doubt = 0
        self._next_doubt = 1

    async def record(self, batches: Sequence[Batch]) -> list[Recorded]:
        """Record the batches in one transaction. Raises StoreUnavailable: what became of them isn't known then."""
        async with self._nodes_of(lambda: _contacts_of(batches)):
            recorded = await self._record_again(batches)
        await self._feed.prune()
        return recorded

    @asynccontextmanager
    async def _nodes_of(self, contacts: Callable[[], list[bytes]]) -> AsyncIterator[None]:
        """Whether the nodes of these contacts answer is seen by what happens here. Raises StoreUnavailable."""
        # Worked out twice at the most, and mostly not at all: when a node of a cluster hangs.
        tried = await self._nodes.admit(contacts()) if self._nodes.are_suspected else ()
        try:
            yield
        except TimedOut as problem:
            await self._nodes.suspect(contacts(), problem)
            raise
        self._nodes.trust(tried)

    async def _record_again(self, batches: Sequence[Batch]) -> list[Recorded]:
        attempt = 0
        while True:
            try:
                return await self._record(batches)
            except ErasedMeanwhile as problem:
                # Somebody else has erased a contact: who is remembered as being there may be gone.
                self._erasures = problem.erasures
                self._contacts.forget()
            except StoreUnavailable as problem:
                # Two that wrote the same in another order; the database picked this one to start again.
                deadlock = isinstance(problem.__cause__, asyncpg.DeadlockDetectedError)
                if not deadlock or attempt == _DEADLOCKS:
                    raise
                attempt += 1

    async def _record(self, batches: Sequence[Batch]) -> list[Recorded]:
        size = sum(batch.size for batch in batches)
        # As known now: a group that is written at the same time may learn of more.
        erasures = self._erasures
        async with self._pool.lend(WRITE_WITHIN + size * _AN_ACTIVITY) as connection:
            placed: list[tuple[Batch, Keys]] = []
            rows: list[list[ActivityValues]] = []
            batches = await with_erased_left_out(connection, batches, erasures)
            for batch in batches:
                account, campaign_activities, links = await self._names.resolve(connection, batch)
                keys = Keys(account, batch)
                placed.append((batch, keys))
                rows.append(_rows(batch, keys, campaign_activities, links))
            every = _first_deliveries(rows)
            if len(every) >= _MANY and self._doubt == 0:
                recorded = await self._try_copy(connection, placed, every, erasures)
                if recorded is not None:
                    return recorded
            self._doubt = max(0, self._doubt - 1)
            async with connection.transaction():
                await keep_erasers_out(connection, erasures)
                made = await self._contacts.record(connection, placed, in_parts=self.in_parts)
                added = await _add(connection, every, in_parts=self.in_parts)
                new = every if len(added) == len(every) else [row for row in every if _KEY(row) in added]
                await roll_up(connection, new, in_parts=self.in_parts)
                outcomes, news = _outcomes(batches, rows, added)
                await self._feed.tell(connection, news)
            self._remember(made, erasures)
            return outcomes

    async def _try_copy(
        self, connection: Lent, placed: Sequence[tuple[Batch, Keys]], every: list[ActivityValues], erasures: int
    ) -> list[Recorded] | None:
        """Copy the activities right into their table, which is twice as fast; None if one was there already."""
        if len(placed) != 1:
            return None
        ((batch, _),) = placed
        accepted = {ActivityType(kind): count for kind, count in Counter(map(itemgetter(5), every)).items()}
        news = News[bytes]()
        news.add(batch.account_id, list(map(_key, every[:MOST_OF_A_BATCH])), accepted)
        try:
            async with connection.transaction():
                await keep_erasers_out(connection, erasures)
                made = await self._contacts.record(connection, placed, in_parts=self.in_parts)
                await connection.copy_records_to_table("tracking_activity", records=every, columns=_COLUMNS)
                await roll_up(connection, every, in_parts=self.in_parts)
                await self._feed.tell(connection, news)
        except (asyncpg.UniqueViolationError, asyncpg.InternalServerError):
            # A cluster tells of a duplicate by XX000.
            self._doubt, self._next_doubt = self._next_doubt, min(self._next_doubt * 2, _LONGEST_DOUBT)
            return None
        self._remember(made, erasures)
        self._next_doubt = 1
        return [Recorded(accepted=accepted, duplicate=batch.size - len(every))]

    def _remember(self, made: Made, erasures: int) -> None:
        # Unless another group has heard of an erasure since: it may have been one of these.
        if erasures == self._erasures:
            self._contacts.remember(made)

    async def erase(self, account_id: str, contact_id: str, now: Instant) -> bool:
        """Erase a contact. Whether there was one."""
        contact = [contact_key(account_id, contact_id)]
        async with self._nodes_of(lambda: contact):
            async with self._pool.lend(WRITE_WITHIN) as connection:
                # To know that its node answers, before all who record have to wait for it.
                if await connection.fetchval(ERASE["contact"], *contact) is None:
                    return False
            return await self._erase_again(account_id, contact_id, now)

    async def _erase_again(self, account_id: str, contact_id: str, now: Instant) -> bool:
        for left in range(_ERASE_TRIES - 1, -1, -1):
            try:
                async with self._pool.lend(_ERASE_WITHIN) as connection:
                    return await erase(connection, account_id, contact_id, now)
            except StoreUnavailable as problem:
                if not (left and isinstance(problem.__cause__, asyncpg.LockNotAvailableError)):
                    raise
                # Who waits to record gets on meanwhile.
                await asyncio.sleep(1)
        raise AssertionError("unreachable")

    async def state_contacts(self, account_id: str, statements: Sequence[ContactStatement]) -> int:
        """Take in what is stated of contacts. How many statements changed something."""
        if not statements:
            return 0
        async with (
            self._nodes_of(lambda: [contact_key(account_id, each.contact_id) for each in statements]),
            self._pool.lend(WRITE_WITHIN + len(statements) * _AN_ACTIVITY) as connection,
        ):
            return await state_contacts(connection, self._names, account_id, statements, in_parts=self.in_parts)

    async def state_campaigns(self, account_id: str, statements: Sequence[CampaignStatement]) -> int:
        """Take in what is stated of campaigns. How many statements changed something."""
        async with self._pool.lend(WRITE_WITHIN + len(statements) * _A_CAMPAIGN) as connection:
            return await state_campaigns(connection, self._names, account_id, statements)

    async def erased(self, account_id: str) -> Erased:
        """What is left of the erased contacts of the account."""
        async with self._pool.lend(_ERASE_WITHIN) as connection:
            return await read_erased(connection, account_id)

    async def put_erased(self, account_id: str, erased: Erased, now: Instant) -> None:
        """Take over what is left of the erased contacts of another store."""
        async with self._pool.lend(_ERASE_WITHIN) as connection:
            await put_erased(connection, self._names, account_id, erased, now)

    async def ensure_account(self, account_id: str, now: Instant) -> bool:
        """Have the account exist. Whether it is new."""
        async with self._pool.lend(WRITE_WITHIN) as connection:
            return await connection.fetchval(SQL["add_account"], account_id, now) is not None

    async def replace_secret(self, name: str, old: bytes | None, new: bytes) -> bool:
        """Put `new` in the place of `old`."""
        async with self._pool.lend(WRITE_WITHIN) as connection:
            if old is None:
                return await connection.fetchval(SQL["add_secret"], name, new) is not None
            return await connection.fetchval(SQL["replace_secret"], name, old, new) is not None

    async def count_request(self, client_id: str, now: Instant, a_second: int) -> RequestCount:
        """Count a request of the client."""
        async with self._pool.lend(WRITE_WITHIN) as connection:
            row = await connection.fetchrow(SQL["count_request"], client_id, now // SECOND, now // DAY, a_second)
            return RequestCount(*row)


def _contacts_of(batches: Sequence[Batch]) -> list[bytes]:
    return [contact_key(batch.account_id, contact_id) for batch in batches for contact_id in batch.contacts]


def _rows(batch: Batch, keys: Keys, campaign_activities: list[int], links: list[int]) -> list[ActivityValues]:
    contacts, persons = keys.contacts, keys.persons
    return [
        (
            created_time,
            identity,
            campaign_activities[campaign_activity],
            None if said is None else persons[said],
            None if link is None else links[link],
            kind,
            device_type,
            bounce_code,
            contacts[contact],
            opt_out_reason,
            event_id,
        )
        for kind, rows in batch.rows.items()
        for (
            contact,
            created_time,
            identity,
            campaign_activity,
            said,
            link,
            device_type,
            bounce_code,
            opt_out_reason,
            event_id,
        ) in rows
    ]


def _first_deliveries(groups: list[list[ActivityValues]]) -> list[ActivityValues]:
    """The rows of all batches without further deliveries, in the order of the key.

    Of each key that is added it is known then which row it was, and what of it to count. All write in this order, so
    that two who write the same seldom wait for each other in a circle.
    """
    rows = groups[0] if len(groups) == 1 else _without_repeated_events(groups)
    return [next(same) for _, same in groupby(sorted(rows, key=_KEY), _KEY)]


def _without_repeated_events(groups: list[list[ActivityValues]]) -> list[ActivityValues]:
    rows: list[ActivityValues] = []
    events: set[tuple[bytes, int]] = set()
    for group in groups:
        for row in group:
            if row[10] is not None:
                if (row[8], row[1]) in events:
                    continue
                events.add((row[8], row[1]))
            rows.append(row)
    return rows


def _key(row: ActivityValues) -> Key:
    key: Key = _KEY(row)
    return key


async def _add(connection: Lent, rows: list[ActivityValues], *, in_parts: bool) -> set[Key]:
    """Add those that aren't there, and say which they were."""
    added: Sequence[Any]
    if in_parts or len(rows) <= _FEW:
        values = columns(rows, len(_COLUMNS))
        added = await write_many(connection, SQL["add_activities"], values, by=8, in_parts=in_parts)
    else:
        await connection.execute(SQL["stage"])
        await connection.copy_records_to_table("staged_activity", records=rows, columns=_COLUMNS)
        added = await connection.fetch(SQL["add_staged_activities"])
    return {(key[0], key[1], key[2], key[3]) for key in added}


def _outcomes(
    batches: Sequence[Batch], rows: list[list[ActivityValues]], added: set[Key]
) -> tuple[list[Recorded], News[bytes]]:
    """What became of each batch, and what there is to tell: an activity is new in the first that brought it."""
    outcomes, news = [], News[bytes]()
    for batch, group in zip(batches, rows, strict=True):
        accepted = dict.fromkeys(batch.rows, 0)
        keys = []
        for row in group:
            key = _key(row)
            if key in added:
                added.discard(key)
                accepted[ActivityType(row[5])] += 1
                keys.append(key)
        news.add(batch.account_id, keys[:MOST_OF_A_BATCH], accepted)
        outcomes.append(
            Recorded(
                accepted={kind: count for kind, count in accepted.items() if count},
                duplicate=batch.size - sum(accepted.values()),
            )
        )
    return outcomes, news
