"""Reads what has been counted: a few rows a campaign activity and bucket, however many activities it has."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from rapport.activity import CampaignActivity
from rapport.instant import Instant
from rapport.store.counters import Counter, HourlyCount, RecentSend, SentCampaign, SentCampaignQuery
from rapport.store.postgres.pool import LATEST_TIME, Every, Pool
from rapport.store.statements import read_statements

SQL: Final = read_statements(Path(__file__).parent / "sql" / "read_counters.sql")

_WITHIN: Final = 12.0
"""Seconds within which counters are read, or the caller told to try again."""


class CounterReader:
    """Reads through a pool. Raises StoreUnavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def counters(self, statement: str, account_id: str, ids: Sequence[str]) -> list[Counter]:
        """What is counted of campaign activities, or of those of campaigns: as the name of the statement says."""
        return [Counter(*row) for row in await self._all(statement, account_id, list(ids))]

    async def sent_campaigns(self, account_id: str, query: SentCampaignQuery) -> list[SentCampaign]:
        """The asked for campaigns, that which was sent last first."""
        after_time, after_id = query.after
        params = min(after_time, LATEST_TIME), after_id, query.limit, query.not_before
        return [SentCampaign(*row) for row in await self._all("sent_campaigns", account_id, *params)]

    async def recent_sends(self, account_id: str, limit: int) -> list[RecentSend]:
        """What was sent last, that first."""
        found = await self._all("newest_sent", account_id, limit)
        return [
            RecentSend(CampaignActivity(campaign_activity_id, name), time) for campaign_activity_id, name, time in found
        ]

    async def campaign_activity_hourly_counts(self, account_id: str, campaign_activity_id: str) -> list[HourlyCount]:
        """The hours of a campaign activity, the earliest first."""
        found = await self._all("hours_of_campaign_activity", account_id, campaign_activity_id)
        return [HourlyCount(*row) for row in found]

    async def account_hourly_counts(self, account_id: str, start: Instant, end: Instant) -> list[HourlyCount]:
        """The hours of all campaign activities of an account, the earliest first."""
        return [HourlyCount(*row) for row in await self._all("hours_of_account", account_id, start, end)]

    async def _all(self, statement: str, account_id: str, *values: object) -> Sequence[Any]:
        # Of a cluster, every node has some of the buckets.
        async with self._pool.acquire(_WITHIN, account_id, Every.CONTACT) as connection:
            rows: Sequence[Any] = await connection.fetch(SQL[statement], account_id, *values)
            return rows
