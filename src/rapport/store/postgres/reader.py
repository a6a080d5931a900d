"""Reads: a page is one round trip, and the names of its campaign activities are remembered until one changes."""

from collections.abc import AsyncIterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace

from rapport.activity import EARLIEST, Activity, ActivityType, CampaignActivity
from rapport.caching import Weight
from rapport.store.batch import CampaignActivityRef
from rapport.store.digests import contact_key
from rapport.store.postgres.pool import LATEST_TIME, Connection, Every, Pool, Touched
from rapport.store.protocol import (
    START_OF_HISTORY,
    ActivityCursor,
    ActivityQuery,
    ActivityRow,
    ActivityRows,
    ActivityWithDetails,
)
from rapport.store.rows import MAX_NAMES_BYTES, activity_from_row, campaign_activity_ref
from rapport.store.statements import read_statements

SQL: Final = read_statements(Path(__file__).parent / "sql" / "read.sql")

READ_WITHIN: Final = 3.0
"""Seconds within which a page is read, or the caller told to try again."""

_HISTORY_STEP: Final = 100
_FIRST_TYPE_PARAMETER: Final = 6


@lru_cache(maxsize=64)
def merged(statement: str, types: int) -> str:
    """The statement that merges as many ordered ranges as there are types asked for."""
    ranges = "\nUNION ALL\n".join(
        SQL["activities_of_type"].replace(":type", f"${_FIRST_TYPE_PARAMETER + number}") for number in range(types)
    )
    return SQL[statement].replace(":ranges", ranges)


def values_of(query: ActivityQuery, contact: bytes) -> tuple[bytes | int, ...]:
    """The values that a merged statement wants."""
    created_time, identity = query.after
    after = min(created_time, LATEST_TIME), identity
    return contact, query.not_before, *after, query.limit, *map(int, query.types)


class Reader:
    """Reads through a pool. Raises StoreUnavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._campaign_activities: dict[int, CampaignActivity] = {}
        self._weight = Weight(MAX_NAMES_BYTES)
        self._revision = -1

    async def activities(self, account_id: str, contact_id: str, query: ActivityQuery) -> ActivityRows | None:
        """The asked for rows of the contact's history; None when there is no such contact."""
        contact = contact_key(account_id, contact_id)
        async with self._pool.acquire(READ_WITHIN, account_id, [contact]) as connection:
            found = await connection.fetch(merged("page", len(query.types)), *values_of(query, contact))
            if not found and await connection.fetchval(SQL["contact"], contact) is None:
                return None
            rows: list[ActivityRow] = [(row[0], row[1], row[2], row[3]) for row in found]
            revision = found[0][4] if found else self._revision
            return ActivityRows(rows, await self._names_for(connection, rows, revision))

    async def activities_with_details(
        self, account_id: str, contact_id: str, query: ActivityQuery
    ) -> list[ActivityWithDetails] | None:
        """The same rows, each with all that was recorded of it; None when there is no such contact."""
        contact = contact_key(account_id, contact_id)
        async with self._pool.acquire(READ_WITHIN, account_id, [contact]) as connection:
            statement = merged("whole_activities", len(query.types))
            rows = await connection.fetch(statement, *values_of(query, contact))
            if not rows and await connection.fetchval(SQL["contact"], contact) is None:
                return None
        return [
            ActivityWithDetails(ActivityCursor(row[0], row[1]), activity_from_row(contact_id, tuple(row)))
            for row in rows
        ]

    async def _names_for(
        self, connection: Connection, rows: Sequence[ActivityRow], revision: int
    ) -> Mapping[int, CampaignActivity]:
        """What is remembered of campaign activities, the rows' among them, as it was then or later."""
        if revision > self._revision or self._weight.is_full:
            self._campaign_activities, self._revision = {}, revision
            self._weight.clear()
        # Kept by this call: another one may begin a new dictionary while this one waits.
        names = self._campaign_activities
        wanted = {row[3] for row in rows}.difference(names)
        if wanted:
            for key, *named in await connection.fetch(SQL["campaign_activities"], list(wanted)):
                names[key] = CampaignActivity(*named)
                self._weight.add(named)
        return names

    async def history(self, account_id: str, contact_id: str) -> AsyncIterator[Activity]:
        """All that is recorded of the contact, whole, newest first."""
        statement = merged("whole_activities", len(ActivityType))
        contact = contact_key(account_id, contact_id)
        query = ActivityQuery(
            types=tuple(ActivityType), after=START_OF_HISTORY, not_before=EARLIEST, limit=_HISTORY_STEP
        )
        while True:
            rows = await self._all(statement, *values_of(query, contact), contacts=[contact])
            for row in rows:
                yield activity_from_row(contact_id, tuple(row))
            if len(rows) < _HISTORY_STEP:
                return
            query = replace(query, after=ActivityCursor(rows[-1][0], rows[-1][1]))

    async def has_contacts(self, account_id: str) -> bool:
        """Whether the account knows any contact."""
        return bool(await self._all(SQL["account_has_contacts"], account_id, contacts=Every.CONTACT))

    async def accounts(self) -> list[str]:
        """All accounts."""
        return [account_id for (account_id,) in await self._all(SQL["accounts"])]

    async def contact_ids(self, account_id: str, after: str, limit: int) -> list[str]:
        """The ids of an account's contacts, in order, behind one."""
        found = await self._all(SQL["contact_ids"], account_id, after, limit, contacts=Every.CONTACT)
        return [contact_id for (contact_id,) in found]

    async def campaign_activities(self, account_id: str) -> list[CampaignActivityRef]:
        """What is stated of an account's campaign activities."""
        found = await self._all(SQL["stated_campaign_activities"], account_id)
        return [campaign_activity_ref(tuple(row)) for row in found]

    async def secret(self, name: str) -> bytes | None:
        """A secret, if there is one."""
        for (value,) in await self._all(SQL["secret"], name):
            return bytes(value)
        return None

    async def secret_names(self) -> list[str]:
        """The names of all secrets."""
        return [name for (name,) in await self._all(SQL["secret_names"])]

    async def can_write(self) -> bool:
        """Whether the database answers, and is no standby."""
        ((_, is_standby),) = await self._all(SQL["readable"])
        return not is_standby

    async def _all(self, statement: str, *values: object, contacts: Touched = ()) -> Sequence[Any]:
        async with self._pool.acquire(READ_WITHIN * 4, contacts=contacts) as connection:
            rows: Sequence[Any] = await connection.fetch(statement, *values)
            return rows
