"""Reports about campaign activities: their activities, links, stats and hourly counts."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rapport.activity import CampaignActivity
from rapport.instant import Instant
from rapport.store.links import LinkClicks, LinksQuery
from rapport.store.rollups import ALL
from rapport.store.sql_engine import Params, Row, SqlEngine
from rapport.store.tracking import RowSelection, TrackingQuery, TrackingRow


class StatRow(NamedTuple):
    """The number of activities of one type, the number of contacts, and the time of the last activity.

    `detail` is ALL for all activities of the type, a bounce code for em_bounces, or a device type for others, whose
    contacts aren't counted. A campaign activity without activities has one row whose type is None.
    """

    campaign_activity_id: str
    campaign_id: str | None
    type: int | None
    detail: int
    total: int
    contacts: int | None
    last_time: int


class SentCampaign(NamedTuple):
    """A campaign and the time of its last send."""

    campaign_id: str
    last_sent: Instant


class SentCampaignQuery(NamedTuple):
    """Up to `limit` campaigns after (last_sent, campaign_id), both descending, last sent at `not_before` or later."""

    not_before: Instant
    after: tuple[Instant, str]
    limit: int


class RecentSend(NamedTuple):
    """A campaign activity and the time of its last send."""

    campaign_activity: CampaignActivity
    last_sent: Instant


class HourlyCount(NamedTuple):
    """The number of activities of one type in the hour that starts at `hour`."""

    hour: Instant
    type: int
    activities: int


class ReportRepository(ABC):
    """Reads reports about campaign activities. Every method raises StoreUnavailable."""

    def __init__(self, engine: SqlEngine) -> None:
        self._engine = engine
        self._sql = engine.sql["reports"]

    @abstractmethod
    async def list_tracking(
        self, account_id: str, campaign_activity_id: str, query: TrackingQuery
    ) -> list[TrackingRow] | None:
        """Return the activities that match the query, or None if there is no such campaign activity."""

    @abstractmethod
    async def list_links(
        self, account_id: str, campaign_activity_id: str, query: LinksQuery
    ) -> list[LinkClicks] | None:
        """Return links of the campaign activity, one for each address, the one with most unique clicks first.

        Returns None if there is no such campaign activity.
        """

    async def get_activity_stats(self, account_id: str, campaign_activity_ids: Sequence[str]) -> list[StatRow]:
        """Return the stats of campaign activities; those that don't exist are left out."""
        params = {"account_id": account_id, "ids": campaign_activity_ids}
        # A few rows for each id: for SQLite, a thread would cost more than the read.
        rows = await self._engine.fetch_all(
            self._sql["get_activity_stats"], params, account_id=account_id, bounded=True
        )
        return list(map(_stat_from_row, rows))

    async def get_campaign_stats(self, account_id: str, campaign_ids: Sequence[str]) -> list[StatRow]:
        """Return the stats of all campaign activities of campaigns; campaigns that don't exist are left out."""
        rows = await self._fetch("get_campaign_stats", {"account_id": account_id, "ids": campaign_ids})
        return list(map(_stat_from_row, rows))

    async def list_sent_campaigns(self, account_id: str, query: SentCampaignQuery) -> list[SentCampaign]:
        """Return the campaigns that match the query, most recently sent first."""
        after_time, after_id = query.after
        params = {
            "account_id": account_id,
            "not_before": query.not_before,
            "after_time": after_time,
            "after_id": after_id,
            "limit": query.limit,
        }
        return [SentCampaign(*row) for row in await self._fetch("list_sent_campaigns", params)]

    async def list_recent_sends(self, account_id: str, limit: int) -> list[RecentSend]:
        """Return up to `limit` campaign activities of the account, most recently sent first."""
        rows = await self._fetch("list_recent_sends", {"account_id": account_id, "limit": limit})
        return [
            RecentSend(CampaignActivity(campaign_activity_id, name), Instant(last_sent))
            for campaign_activity_id, name, last_sent in rows
        ]

    async def count_activity_by_hour(self, account_id: str, campaign_activity_id: str) -> list[HourlyCount]:
        """Count the activities of each type in each hour, earliest first; hours without activities are left out.

        Returns an empty list if the campaign activity doesn't exist.
        """
        params = {"account_id": account_id, "campaign_activity_id": campaign_activity_id}
        return [HourlyCount(*row) for row in await self._fetch("count_activity_by_hour", params)]

    async def count_account_by_hour(self, account_id: str, start: Instant, end: Instant) -> list[HourlyCount]:
        """Count the activities of the account in each hour from `start` until before `end`, earliest first."""
        params = {"account_id": account_id, "start": start, "end": end}
        return [HourlyCount(*row) for row in await self._fetch("count_account_by_hour", params)]

    async def _fetch(self, name: str, params: Params) -> Sequence[Row]:
        return await self._engine.fetch_all(self._sql[name], params, account_id=params["account_id"])


def _stat_from_row(row: Row) -> StatRow:
    if row[2] is None:
        return StatRow(row[0], row[1], None, ALL, 0, None, 0)
    return StatRow(*row)


def tracking_conditions(query: TrackingQuery) -> tuple[str, ...]:
    """Return the names of the conditions that select the rows of a page."""
    used = {
        query.selection.value: query.selection is not RowSelection.ALL,
        "by_link": query.url_id is not None,
        "by_bounce_code": bool(query.bounce_codes),
        "by_contact": query.contacts_filter is not None,
    }
    return tuple(name for name, is_used in used.items() if is_used)


def tracking_page(sql: Mapping[str, str], conditions: tuple[str, ...]) -> str:
    """Return the statement for a page that is selected by these conditions."""
    return sql["tracking_page"].replace("{selection}", "\n".join(sql[name] for name in conditions))
