"""Reads what has been counted: a few rows a campaign activity, however many activities it has."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import apsw

from rapport.activity import CampaignActivity
from rapport.instant import Instant
from rapport.store.counters import Counter, HourlyCount, RecentSend, SentCampaign, SentCampaignQuery, nothing_counted
from rapport.store.sqlite.connection import Values, every, translate_errors
from rapport.store.statements import read_statements

SQL: Final = read_statements(Path(__file__).parent / "sql" / "read_counters.sql")


class CounterReader:
    """Reads on a connection that only reads. Raises StoreUnavailable."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def counters(self, statement: str, account_id: str, ids: Sequence[str]) -> list[Counter]:
        """What is counted of campaign activities, or of those of campaigns: as the name of the statement says."""
        params: Values = {"account_id": account_id, "ids": apsw.carray(tuple(ids))}
        with translate_errors():
            rows = every(self._connection, SQL[statement], params)
        return [Counter._make(row) if row[2] is not None else nothing_counted(row[0], row[1]) for row in rows]

    def sent_campaigns(self, account_id: str, query: SentCampaignQuery) -> list[SentCampaign]:
        """The asked for campaigns, that which was sent last first."""
        after_time, after_id = query.after
        params: Values = {
            "account_id": account_id,
            "after_time": after_time,
            "after_id": after_id,
            "limit": query.limit,
            "not_before": query.not_before,
        }
        with translate_errors():
            return [SentCampaign(*row) for row in every(self._connection, SQL["sent_campaigns"], params)]

    def recent_sends(self, account_id: str, limit: int) -> list[RecentSend]:
        """What was sent last, that first."""
        params: Values = {"account_id": account_id, "limit": limit}
        with translate_errors():
            found = every(self._connection, SQL["newest_sent"], params)
        return [
            RecentSend(CampaignActivity(campaign_activity_id, name), Instant(time))
            for campaign_activity_id, name, time in found
        ]

    def campaign_activity_hourly_counts(self, account_id: str, campaign_activity_id: str) -> list[HourlyCount]:
        """The hours of a campaign activity, the earliest first."""
        params: Values = {"account_id": account_id, "campaign_activity_id": campaign_activity_id}
        with translate_errors():
            return [HourlyCount(*row) for row in every(self._connection, SQL["hours_of_campaign_activity"], params)]

    def account_hourly_counts(self, account_id: str, start: Instant, end: Instant) -> list[HourlyCount]:
        """The hours of all campaign activities of an account, the earliest first."""
        params: Values = {"account_id": account_id, "start": start, "end": end}
        with translate_errors():
            return [HourlyCount(*row) for row in every(self._connection, SQL["hours_of_account"], params)]
