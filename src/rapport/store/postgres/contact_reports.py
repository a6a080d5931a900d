"""Reads of a contact's whole history: what came of what was sent to it. Each touches the contact's shard only."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from rapport.activity import ActivityType
from rapport.instant import Instant
from rapport.store.digests import contact_key
from rapport.store.postgres.pool import Pool
from rapport.store.protocol import EngagementTotals, QuarterHourCount, SentCampaignActivity, SentQuery
from rapport.store.statements import read_statements

SQL: Final = read_statements(Path(__file__).parent / "sql" / "read_contact_reports.sql")

_WITHIN: Final = 12.0
"""Seconds within which a report is read, or the caller told to try again."""


class ContactReports:
    """Reads through a pool. Raises StoreUnavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def sent_campaign_activities(
        self, account_id: str, contact_id: str, query: SentQuery
    ) -> list[SentCampaignActivity] | None:
        """The asked for campaign activities; None when there is no such contact."""
        rows = await self._of(
            account_id,
            contact_key(account_id, contact_id),
            SQL["sent_campaign_activities"],
            *(query.not_before, *query.after, query.limit),
        )
        return None if rows is None else [SentCampaignActivity(*row) for row in rows]

    async def reached(self, account_id: str, contact_id: str, start: Instant, end: Instant) -> EngagementTotals | None:
        """What became of what was last sent to the contact between the two; None when there is no such contact."""
        rows = await self._of(account_id, contact_key(account_id, contact_id), SQL["reached"], start, end)
        return None if rows is None else EngagementTotals(*rows[0])

    async def activity_counts(
        self, account_id: str, contact_id: str, start: Instant, end: Instant
    ) -> dict[ActivityType, int] | None:
        """How many activities of each type there are; None when there is no such contact."""
        rows = await self._of(account_id, contact_key(account_id, contact_id), SQL["activity_counts"], start, end)
        return None if rows is None else {ActivityType(activity_type): count for activity_type, count in rows}

    async def count_by_quarter_hour(
        self, account_id: str, contact_id: str, start: Instant, end: Instant
    ) -> list[QuarterHourCount] | None:
        """How many activities there are in each quarter of an hour; None when there is no such contact."""
        rows = await self._of(account_id, contact_key(account_id, contact_id), SQL["activity_quarters"], start, end)
        return None if rows is None else [QuarterHourCount(*row) for row in rows]

    async def _of(self, account_id: str, contact: bytes, statement: str, *values: object) -> Sequence[Any] | None:
        async with self._pool.acquire(_WITHIN, account_id, [contact]) as connection:
            if await connection.fetchval(SQL["contact"], contact) is None:
                return None
            rows: Sequence[Any] = await connection.fetch(statement, contact, *values)
            return rows
