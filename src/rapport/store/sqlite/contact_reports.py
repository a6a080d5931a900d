"""Reads of a contact's whole history, which take as long as that is: on a connection and in a thread of their own."""

from pathlib import Path
from typing import Any, Final

import apsw

from rapport.activity import ActivityType
from rapport.instant import Instant
from rapport.store.protocol import EngagementTotals, QuarterHourCount, SentCampaignActivity, SentQuery
from rapport.store.sqlite.connection import Values, every, one, translate_errors
from rapport.store.sqlite.reader import SQL as READ
from rapport.store.statements import read_statements

SQL: Final = read_statements(Path(__file__).parent / "sql" / "read_contact_reports.sql")


class ContactReports:
    """What came of what was sent to a contact. Raises StoreUnavailable."""

    def __init__(self, connection: apsw.Connection) -> None:
        connection.pragma("query_only", True)
        self._connection = connection

    def sent_campaign_activities(
        self, account_id: str, contact_id: str, query: SentQuery
    ) -> list[SentCampaignActivity] | None:
        """The asked for campaign activities; None when there is no such contact."""
        with translate_errors():
            contact = self._contact_key(account_id, contact_id)
            if contact is None:
                return None
            after_time, after_id = query.after
            params: Values = {
                "contact": contact,
                "not_before": query.not_before,
                "after_time": after_time,
                "after_id": after_id,
                "limit": query.limit,
            }
            rows = every(self._connection, SQL["sent_campaign_activities"], params)
            return [SentCampaignActivity(*row) for row in rows]

    def reached(self, account_id: str, contact_id: str, start: Instant, end: Instant) -> EngagementTotals | None:
        """What became of what was last sent to the contact between the two; None when there is no such contact."""
        rows = self._between(SQL["reached"], account_id, contact_id, start, end)
        return None if rows is None else EngagementTotals(*rows[0])

    def activity_counts(
        self, account_id: str, contact_id: str, start: Instant, end: Instant
    ) -> dict[ActivityType, int] | None:
        """How many activities of each type there are; None when there is no such contact."""
        rows = self._between(SQL["activity_counts"], account_id, contact_id, start, end)
        return None if rows is None else {ActivityType(activity_type): count for activity_type, count in rows}

    def count_by_quarter_hour(
        self, account_id: str, contact_id: str, start: Instant, end: Instant
    ) -> list[QuarterHourCount] | None:
        """How many activities there are in each quarter of an hour; None when there is no such contact."""
        rows = self._between(SQL["activity_quarters"], account_id, contact_id, start, end)
        return None if rows is None else [QuarterHourCount(*row) for row in rows]

    def _between(
        self, statement: str, account_id: str, contact_id: str, start: Instant, end: Instant
    ) -> list[Any] | None:
        with translate_errors():
            contact = self._contact_key(account_id, contact_id)
            if contact is None:
                return None
            return every(self._connection, statement, {"contact": contact, "start": start, "end": end})

    def _contact_key(self, account_id: str, contact_id: str) -> int | None:
        row = one(self._connection, READ["contact_key"], {"account_id": account_id, "contact_id": contact_id})
        return None if row is None else row[0]
