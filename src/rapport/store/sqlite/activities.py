"""Histories in SQLite, read in the event loop: a page costs less than handing it to a thread."""

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
from rapport.store.sqlite.connection import fetch_all, fetch_one, translate_errors
from rapport.store.sqlite.engine import Engine
from rapport.store.sqlite.queries import SQL

_SQL: Final = SQL["activities"]
_CONTACT_KEY: Final = _SQL["contact_key"]


@lru_cache(maxsize=64)
def merge_ranges(statement: str, types: int) -> str:
    """Return the statement that merges one ordered range for each of a number of types."""
    ranges = (_SQL[statement].replace(":type", f":type_{number}") for number in range(types))
    return "\nUNION ALL\n".join(ranges) + "\n" + _SQL["newest_first"]


def page_params(query: ActivityQuery, contact: int) -> dict[str, int]:
    """Return the parameters of a merged statement."""
    params = {f"type_{number}": int(activity_type) for number, activity_type in enumerate(query.types)}
    params["contact"] = contact
    params["not_before"] = query.not_before
    params["after_time"], params["after_identity"] = query.after
    params["limit"] = query.limit
    return params


class SQLiteActivities(ActivityRepository):
    """Reads the histories of contacts."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._sqlite = engine
        self._names: dict[int, CampaignActivity] = {}
        self._weight = Weight(MAX_NAME_BYTES)
        self._revision: tuple[int, ...] | None = None
        self._version: int | None = None

    async def list_newest(self, account_id: str, contact_id: str, query: ActivityQuery) -> ActivityRows | None:
        """Return the rows of a page, or None if there is no such contact."""
        with translate_errors():
            contact = self._find_contact(account_id, contact_id)
            if contact is None:
                return None
            statement = merge_ranges("list_newest_of_type", len(query.types))
            rows: list[ActivityRow] = fetch_all(self._sqlite.reading, statement, page_params(query, contact))
            return ActivityRows(rows, self._names_for(rows))

    async def list_with_details(
        self, account_id: str, contact_id: str, query: ActivityQuery
    ) -> list[ActivityWithDetails] | None:
        """Return the activities of a page with all details, or None if there is no such contact."""
        with translate_errors():
            contact = self._find_contact(account_id, contact_id)
            if contact is None:
                return None
            statement = merge_ranges("list_with_details_of_type", len(query.types))
            rows = fetch_all(self._sqlite.reading, statement, page_params(query, contact))
        return [ActivityWithDetails(ActivityCursor(row[0], row[1]), activity_from_row(contact_id, row)) for row in rows]

    async def list_of_contacts(
        self, account_id: str, contact_ids: Sequence[str], start: Instant, end: Instant, limit: int
    ) -> list[DetailedRow]:
        """Return up to `limit` activities of these contacts in the period, in no particular order."""
        params = {"account_id": account_id, "contact_ids": contact_ids, "start": start, "end": end, "limit": limit}
        rows = await self._sqlite.fetch_all(_SQL["list_of_contacts"], params, account_id=account_id)
        return list(map(DetailedRow._make, rows))

    def _find_contact(self, account_id: str, contact_id: str) -> int | None:
        row = fetch_one(self._sqlite.reading, _CONTACT_KEY, {"account_id": account_id, "contact_id": contact_id})
        return None if row is None else row[0]

    def _names_for(self, rows: list[ActivityRow]) -> Mapping[int, CampaignActivity]:
        """Return the cached names of campaign activities, which include those of the rows and are current."""
        connection = self._sqlite.reading
        # The file's version, as the read of the rows saw it, is free; the revision is read only if it has changed.
        version = connection.data_version()
        if version != self._version:
            revision = fetch_one(connection, _SQL["names_revision"])
            if revision != self._revision:
                self._clear_names()
            self._version, self._revision = version, revision
        if self._weight.is_full:
            self._clear_names()
        names = self._names
        for key in {row[3] for row in rows}.difference(names):
            for row in fetch_all(connection, _SQL["name_campaign_activity"], {"key": key}):
                names[key] = CampaignActivity(*row)
                self._weight.add(row)
        return names

    def _clear_names(self) -> None:
        self._names = {}
        self._weight.clear()
