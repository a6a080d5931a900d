"""The one that reads: in the event loop, because a page costs less than the way to a thread."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final

import apsw
from msgspec.structs import replace

from rapport.activity import EARLIEST, Activity, ActivityType, CampaignActivity
from rapport.caching import Weight
from rapport.store.batch import CampaignActivityRef
from rapport.store.protocol import (
    START_OF_HISTORY,
    ActivityCursor,
    ActivityQuery,
    ActivityRow,
    ActivityRows,
    ActivityWithDetails,
)
from rapport.store.rows import MAX_NAMES_BYTES, activity_from_row, campaign_activity_ref
from rapport.store.sqlite.connection import Values, every, one, translate_errors
from rapport.store.statements import read_statements

SQL: Final = read_statements(Path(__file__).parent / "sql" / "read.sql")

_HISTORY_STEP: Final = 100


@lru_cache(maxsize=64)
def merged(of_one_type: str, types: int) -> str:
    """The statement that merges as many ordered ranges as there are types asked for."""
    ranges = (SQL[of_one_type].replace(":type", f":type_{number}") for number in range(types))
    return "\nUNION ALL\n".join(ranges) + "\n" + SQL["newest_first"]


def values_of(query: ActivityQuery, contact: int) -> dict[str, int]:
    """The values that a merged statement wants."""
    values = {f"type_{number}": int(activity_type) for number, activity_type in enumerate(query.types)}
    values["contact"] = contact
    values["not_before"] = query.not_before
    values["after_time"], values["after_identity"] = query.after
    values["limit"] = query.limit
    return values


class Reader:
    """Reads on a connection of its own. Raises StoreUnavailable."""

    def __init__(self, connection: apsw.Connection) -> None:
        connection.pragma("query_only", True)
        self._connection = connection
        self._campaign_activities: dict[int, CampaignActivity] = {}
        self._weight = Weight(MAX_NAMES_BYTES)
        self._revision: tuple[int, ...] | None = None
        self._version: int | None = None

    def check(self) -> None:
        """Return if the store answers."""
        with translate_errors():
            one(self._connection, SQL["readable"])

    def has_contacts(self, account_id: str) -> bool:
        """Whether the account knows any contact."""
        with translate_errors():
            return one(self._connection, SQL["account_has_contacts"], {"account_id": account_id}) is not None

    def activities(self, account_id: str, contact_id: str, query: ActivityQuery) -> ActivityRows | None:
        """The asked for rows of the contact's history; None when there is no such contact."""
        with translate_errors():
            contact = self._contact_key(account_id, contact_id)
            if contact is None:
                return None
            statement = merged("activities_of_type", len(query.types))
            rows: list[ActivityRow] = every(self._connection, statement, values_of(query, contact))
            return ActivityRows(rows, self._names_for(rows))

    def activities_with_details(
        self, account_id: str, contact_id: str, query: ActivityQuery
    ) -> list[ActivityWithDetails] | None:
        """The same rows, each with all that was recorded of it; None when there is no such contact."""
        with translate_errors():
            contact = self._contact_key(account_id, contact_id)
            if contact is None:
                return None
            statement = merged("whole_activities_of_type", len(query.types))
            rows = every(self._connection, statement, values_of(query, contact))
        return [ActivityWithDetails(ActivityCursor(row[0], row[1]), activity_from_row(contact_id, row)) for row in rows]

    def _contact_key(self, account_id: str, contact_id: str) -> int | None:
        row = one(self._connection, SQL["contact_key"], {"account_id": account_id, "contact_id": contact_id})
        return None if row is None else row[0]

    def _names_for(self, rows: list[ActivityRow]) -> Mapping[int, CampaignActivity]:
        """What is remembered of campaign activities, the rows' among them, all as it is now."""
        # The file's version, as the rows' read saw it, costs nothing to ask; the revision is looked up if it changed.
        version = self._connection.data_version()
        if version != self._version:
            revision = one(self._connection, SQL["revision_of_campaign_activities"])
            if revision != self._revision:
                self._forget_names()
            self._version, self._revision = version, revision
        if self._weight.is_full:
            self._forget_names()
        names = self._campaign_activities
        for key in {row[3] for row in rows}.difference(names):
            for row in every(self._connection, SQL["campaign_activity"], {"key": key}):
                names[key] = CampaignActivity(*row)
                self._weight.add(row)
        return names

    def _forget_names(self) -> None:
        self._campaign_activities = {}
        self._weight.clear()

    def history(self, account_id: str, contact_id: str) -> Iterator[Activity]:
        """All that is recorded of the contact, whole, newest first."""
        with translate_errors():
            contact = self._contact_key(account_id, contact_id)
        if contact is None:
            return
        statement = merged("whole_activities_of_type", len(ActivityType))
        query = ActivityQuery(
            types=tuple(ActivityType), after=START_OF_HISTORY, not_before=EARLIEST, limit=_HISTORY_STEP
        )
        while True:
            with translate_errors():
                rows = every(self._connection, statement, values_of(query, contact))
            for row in rows:
                yield activity_from_row(contact_id, row)
            if len(rows) < _HISTORY_STEP:
                return
            created_time, identity, *_ = rows[-1]
            query = replace(query, after=ActivityCursor(created_time, identity))

    def accounts(self) -> list[str]:
        """The ids of all accounts."""
        with translate_errors():
            return [account_id for (account_id,) in every(self._connection, SQL["accounts"])]

    def contact_ids(self, account_id: str, after: str, limit: int) -> list[str]:
        """The ids of an account's contacts, in order, behind one."""
        params: Values = {"account_id": account_id, "after": after, "limit": limit}
        with translate_errors():
            return [contact_id for (contact_id,) in every(self._connection, SQL["contact_ids"], params)]

    def campaign_activities(self, account_id: str) -> list[CampaignActivityRef]:
        """What is stated of an account's campaign activities."""
        with translate_errors():
            found = every(self._connection, SQL["stated_campaign_activities"], {"account_id": account_id})
        return [campaign_activity_ref(row) for row in found]
