"""Reads what is known of campaigns, and what was stated of contacts and campaigns."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from rapport.store.catalogue import CampaignAttributes, ContactAttributes, campaigns_from_rows, load_attributes
from rapport.store.known import CampaignActivityRecord, CampaignQuery, CampaignRecord, campaign_from_rows
from rapport.store.postgres.catalogue import SQL as CATALOGUE
from rapport.store.postgres.pool import Every, Pool, Touched
from rapport.store.statements import read_statements

SQL: Final = read_statements(Path(__file__).parent / "sql" / "read_catalogue.sql")

_WITHIN: Final = 12.0
"""Seconds within which campaigns are read, or the caller told to try again."""


class CatalogueReader:
    """Reads through a pool. Raises StoreUnavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def campaigns(self, account_id: str, query: CampaignQuery) -> list[CampaignRecord]:
        """The asked for campaigns, without their campaign activities."""
        rows = await self._all(account_id, SQL["campaigns"], account_id, *query.within, *query.after, query.limit)
        return [
            CampaignRecord(campaign_id, load_attributes(facts), updated, sent, name, ())
            for campaign_id, facts, updated, sent, name in rows
        ]

    async def campaign(self, account_id: str, campaign_id: str) -> CampaignRecord | None:
        """What is known of a campaign."""
        for key, found_id, stored, updated in await self._all(account_id, SQL["campaign"], account_id, campaign_id):
            rows = await self._all(account_id, SQL["campaign_activities"], key)
            activities = [(each_id, name, load_attributes(facts), sent) for each_id, name, facts, sent in rows]
            return campaign_from_rows(found_id, load_attributes(stored), updated, activities)
        return None

    async def campaign_activity(self, account_id: str, campaign_activity_id: str) -> CampaignActivityRecord | None:
        """What is known of a campaign activity."""
        rows = await self._all(account_id, SQL["campaign_activity"], account_id, campaign_activity_id)
        for found_id, campaign_id, name, facts, key, status in rows:
            ((is_sent,),) = await self._all(account_id, SQL["is_sent"], key, contacts=Every.CONTACT)
            return CampaignActivityRecord(found_id, campaign_id, name, load_attributes(facts), is_sent, status)
        return None

    async def list_contact_attributes(self, account_id: str, after: str, limit: int) -> list[ContactAttributes]:
        """What is stated of contacts, by their ids."""
        rows = await self._all(
            account_id, CATALOGUE["stated_contacts"], account_id, after, limit, contacts=Every.CONTACT
        )
        return [ContactAttributes(contact_id, load_attributes(facts)) for contact_id, facts in rows]

    async def list_campaign_attributes(self, account_id: str) -> list[CampaignAttributes]:
        """What is stated of all campaigns."""
        return campaigns_from_rows(
            tuple(row) for row in await self._all(account_id, CATALOGUE["stated_campaigns"], account_id)
        )

    async def _all(self, account_id: str, statement: str, *values: object, contacts: Touched = ()) -> Sequence[Any]:
        async with self._pool.acquire(_WITHIN, account_id, contacts) as connection:
            rows: Sequence[Any] = await connection.fetch(statement, *values)
            return rows
