"""A contact's history: its activities, newest first, and summaries of them."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

import msgspec
from msgspec.structs import replace

from rapport.activity import EARLIEST, Activity, ActivityType, CampaignActivity
from rapport.instant import Instant
from rapport.store.sql_engine import SqlEngine


class ActivityCursor(NamedTuple):
    """A position in a contact's history: that of an activity, or the start."""

    created_time: int
    identity: int


START_OF_HISTORY: Final = ActivityCursor(2**63 - 1, 2**63 - 1)
_ITERATION_SIZE: Final = 100
"""Activities that `iterate` reads at a time."""


class ActivityQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The newest `limit` activities of the given types after a position."""

    types: Sequence[ActivityType]
    after: ActivityCursor
    not_before: Instant
    limit: int


ActivityRow: TypeAlias = tuple[int, int, int, int]
"""created_time, identity, number of the type, key of the campaign activity. A plain tuple, as pages are made of it."""


class ActivityRows(msgspec.Struct, frozen=True):
    """Rows, newest first, and the current names of their campaign activities by key."""

    rows: Sequence[ActivityRow]
    campaign_activities: Mapping[int, CampaignActivity]


class ActivityWithDetails(NamedTuple):
    """An activity with everything that was recorded about it, and its position in the history."""

    position: ActivityCursor
    activity: Activity


class DetailedRow(NamedTuple):
    """An activity with everything that was recorded about it, as plain values."""

    contact_id: str
    created_time: int
    identity: int
    type: int
    event_id: str | None
    device_type: int | None
    bounce_code: int | None
    opt_out_reason: str | None
    campaign_activity_id: str
    campaign_activity_name: str | None
    campaign_id: str | None
    link_url: str | None
    url_id: str | None
    email_address: str | None
    first_name: str | None
    last_name: str | None


class SentQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Up to `limit` campaign activities that were sent to a contact, the latest send first.

    They are ordered by the time of the last send and their id, both descending; `after` is such a pair. Campaign
    activities last sent before `not_before` are left out.
    """

    not_before: Instant
    after: tuple[Instant, str]
    limit: int


class SentCampaignActivity(NamedTuple):
    """A campaign activity that was sent to a contact: the last send, and the number of activities of each type."""

    campaign_activity_id: str
    start_on: Instant
    em_sends: int
    em_opens: int
    em_clicks: int
    em_bounces: int
    em_optouts: int
    em_forwards: int


class EngagementTotals(NamedTuple):
    """The number of campaign activities that were sent to a contact, and how many of them it opened and clicked."""

    sent: int
    opened: int
    clicked: int


class QuarterHourCount(NamedTuple):
    """The number of a contact's activities in a quarter of an hour, counted from 1970.

    Days in any time zone consist of these.
    """

    quarter: int
    activities: int


class ActivityRepository(ABC):
    """Reads the histories of contacts. Every method raises StoreUnavailable."""

    def __init__(self, engine: SqlEngine) -> None:
        self._engine = engine
        self._sql = engine.sql["activities"]

    @abstractmethod
    async def list_newest(self, account_id: str, contact_id: str, query: ActivityQuery) -> ActivityRows | None:
        """Return the rows of the contact's history that match the query, or None if there is no such contact."""

    @abstractmethod
    async def list_with_details(
        self, account_id: str, contact_id: str, query: ActivityQuery
    ) -> list[ActivityWithDetails] | None:
        """Return the same activities with everything that was recorded, or None if there is no such contact."""

    @abstractmethod
    async def list_of_contacts(
        self, account_id: str, contact_ids: Sequence[str], start: Instant, end: Instant, limit: int
    ) -> list[DetailedRow]:
        """Return up to `limit` activities of these contacts in the period, in no particular order."""

    async def iterate(self, account_id: str, contact_id: str) -> AsyncIterator[Activity]:
        """Yield all activities of the contact with everything that was recorded, newest first."""
        query = ActivityQuery(
            types=tuple(ActivityType), after=START_OF_HISTORY, not_before=EARLIEST, limit=_ITERATION_SIZE
        )
        while True:
            activities = await self.list_with_details(account_id, contact_id, query)
            for entry in activities or ():
                yield entry.activity
            if not activities or len(activities) < _ITERATION_SIZE:
                return
            query = replace(query, after=activities[-1].position)

    async def count_by_type(
        self, account_id: str, contact_id: str, start: Instant, end: Instant
    ) -> dict[ActivityType, int] | None:
        """Count the contact's activities of each type in the period. Return None if there is no such contact."""
        rows = await self._engine.fetch_of_contact(
            self._sql["count_by_type"], account_id, contact_id, {"start": start, "end": end}
        )
        return None if rows is None else {ActivityType(activity_type): count for activity_type, count in rows}

    async def count_by_quarter_hour(
        self, account_id: str, contact_id: str, start: Instant, end: Instant
    ) -> list[QuarterHourCount] | None:
        """Count the contact's activities in each quarter of an hour of the period, earliest first.

        Quarters without activities are left out. Returns None if there is no such contact.
        """
        rows = await self._engine.fetch_of_contact(
            self._sql["count_by_quarter_hour"], account_id, contact_id, {"start": start, "end": end}
        )
        return None if rows is None else [QuarterHourCount(*row) for row in rows]

    async def list_sent(self, account_id: str, contact_id: str, query: SentQuery) -> list[SentCampaignActivity] | None:
        """Return the campaign activities sent to the contact, or None if there is no such contact."""
        after_time, after_id = query.after
        params = {
            "not_before": query.not_before,
            "after_time": after_time,
            "after_id": after_id,
            "limit": query.limit,
        }
        rows = await self._engine.fetch_of_contact(self._sql["list_sent"], account_id, contact_id, params)
        return None if rows is None else [SentCampaignActivity(*row) for row in rows]

    async def count_engagement(
        self, account_id: str, contact_id: str, start: Instant, end: Instant
    ) -> EngagementTotals | None:
        """Count the campaign activities last sent to the contact in the period, and those it opened and clicked.

        Returns None if there is no such contact.
        """
        rows = await self._engine.fetch_of_contact(
            self._sql["count_engagement"], account_id, contact_id, {"start": start, "end": end}
        )
        return None if rows is None else EngagementTotals(*rows[0])
