"""Histories in PostgreSQL: a page is one round trip, and names of campaign activities are cached until one changes."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from rapport.activity import CampaignActivity
from rapport.caching import Weight
from rapport.instant import Instant
from rapport.store.activities import (
    ActivityCursor,
    ActivityQuery,
    ActivityRepository,
    ActivityRow,
    ActivityRows,
    ActivityWithDetails,
    DetailedRow,
)
from rapport.store.activity_rows import MAX_NAME_BYTES, activity_from_row
from rapport.store.hashing import contact_key
from rapport.store.postgres.engine import READ_TIMEOUT, Engine
from rapport.store.postgres.pool import Connection
from rapport.store.postgres.queries import SQL

_SQL: Final = SQL["activities"]
_CONTACT_EXISTS: Final = _SQL["contact_exists"]

PAGE_TIMEOUT: Final = 3.0
"""Seconds for a page, including the wait for a connection."""

_FIRST_TYPE_PARAMETER: Final = 6


@lru_cache(maxsize=64)
def merge_ranges(statement: str, types: int) -> str:
    """Return the statement that merges one ordered range for each of a number of types."""
    ranges = "\nUNION ALL\n".join(
        _SQL["list_newest_of_type"].replace("{type}", f"${_FIRST_TYPE_PARAMETER + number}") for number in range(types)
    )
    return _SQL[statement].replace("{ranges}", ranges)


def page_params(query: ActivityQuery, contact: bytes) -> tuple[bytes | int, ...]:
    """Return the parameters of a merged statement."""
    return contact, query.not_before, *query.after, query.limit, *map(int, query.types)


class PostgresActivities(ActivityRepository):
    """Reads the histories of contacts."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._pool = engine.reading
        self._names: dict[int, CampaignActivity] = {}
        self._weight = Weight(MAX_NAME_BYTES)
        self._revision = -1

    async def list_newest(self, account_id: str, contact_id: str, query: ActivityQuery) -> ActivityRows | None:
        """Return the rows of a page, or None if there is no such contact."""
        contact = contact_key(account_id, contact_id)
        async with self._pool.acquire(PAGE_TIMEOUT, account_id, [contact]) as connection:
            records = await connection.fetch(
                merge_ranges("list_newest", len(query.types)), *page_params(query, contact)
            )
            if not records and await connection.fetchval(_CONTACT_EXISTS, contact) is None:
                return None
            rows: list[ActivityRow] = [(row[0], row[1], row[2], row[3]) for row in records]
            revision = records[0][4] if records else self._revision
            return ActivityRows(rows, await self._names_for(connection, rows, revision))

    async def list_with_details(
        self, account_id: str, contact_id: str, query: ActivityQuery
    ) -> list[ActivityWithDetails] | None:
        """Return the activities of a page with all details, or None if there is no such contact."""
        contact = contact_key(account_id, contact_id)
        async with self._pool.acquire(PAGE_TIMEOUT, account_id, [contact]) as connection:
            statement = merge_ranges("list_with_details", len(query.types))
            rows = await connection.fetch(statement, *page_params(query, contact))
            if not rows and await connection.fetchval(_CONTACT_EXISTS, contact) is None:
                return None
        return [
            ActivityWithDetails(ActivityCursor(row[0], row[1]), activity_from_row(contact_id, tuple(row)))
            for row in rows
        ]

    async def list_of_contacts(
        self, account_id: str, contact_ids: Sequence[str], start: Instant, end: Instant, limit: int
    ) -> list[DetailedRow]:
        """Return up to `limit` activities of these contacts in the period, in no particular order."""
        contacts = [contact_key(account_id, contact_id) for contact_id in contact_ids]
        async with self._pool.acquire(READ_TIMEOUT, account_id, contacts) as connection:
            rows = await connection.fetch(_SQL["list_of_contacts"], contacts, start, end, limit)
        return [DetailedRow(*row) for row in rows]

    async def _names_for(
        self, connection: Connection, rows: Sequence[ActivityRow], revision: int
    ) -> Mapping[int, CampaignActivity]:
        """Return the cached names of campaign activities, which include those of the rows, as of then or later."""
        if revision > self._revision or self._weight.is_full:
            self._names, self._revision = {}, revision
            self._weight.clear()
        # A local reference: another call may start a new dictionary while this one waits.
        names = self._names
        missing = {row[3] for row in rows}.difference(names)
        if missing:
            for key, *columns in await connection.fetch(_SQL["name_campaign_activities"], list(missing)):
                names[key] = CampaignActivity(*columns)
                self._weight.add(columns)
        return names
