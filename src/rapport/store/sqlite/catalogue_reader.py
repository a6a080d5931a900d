"""Reads what is known of campaigns, and what was stated of contacts and campaigns."""

from pathlib import Path
from typing import Final

import apsw

from rapport.store.catalogue import CampaignAttributes, ContactAttributes, campaigns_from_rows, load_attributes
from rapport.store.erasure import Tombstones
from rapport.store.known import CampaignActivityRecord, CampaignQuery, CampaignRecord, campaign_from_rows
from rapport.store.sqlite.catalogue import SQL as CATALOGUE
from rapport.store.sqlite.connection import Values, every, one, translate_errors
from rapport.store.sqlite.erasing import read_tombstones
from rapport.store.statements import read_statements

SQL: Final = read_statements(Path(__file__).parent / "sql" / "read_catalogue.sql")


class CatalogueReader:
    """Reads on a connection that only reads. Raises StoreUnavailable."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def campaigns(self, account_id: str, query: CampaignQuery) -> list[CampaignRecord]:
        """The asked for campaigns, without their campaign activities."""
        params: Values = {
            "account_id": account_id,
            "after": query.within.after,
            "before": query.within.before,
            "after_time": query.after.updated_at,
            "after_id": query.after.campaign_id,
            "limit": query.limit,
        }
        with translate_errors():
            return [
                CampaignRecord(campaign_id, load_attributes(facts), updated, bool(sent), name, ())
                for campaign_id, facts, updated, sent, name in every(self._connection, SQL["campaigns"], params)
            ]

    def campaign(self, account_id: str, campaign_id: str) -> CampaignRecord | None:
        """What is known of a campaign."""
        with translate_errors():
            params: Values = {"account_id": account_id, "campaign_id": campaign_id}
            row = one(self._connection, SQL["campaign"], params)
            if row is None:
                return None
            key, campaign_id, stored, updated = row
            rows = every(self._connection, SQL["campaign_activities"], {"campaign": key})
            activities = [(each_id, name, load_attributes(facts), sent) for each_id, name, facts, sent in rows]
        return campaign_from_rows(campaign_id, load_attributes(stored), updated, activities)

    def campaign_activity(self, account_id: str, campaign_activity_id: str) -> CampaignActivityRecord | None:
        """What is known of a campaign activity."""
        with translate_errors():
            params: Values = {"account_id": account_id, "campaign_activity_id": campaign_activity_id}
            row = one(self._connection, SQL["campaign_activity"], params)
        if row is None:
            return None
        found_id, campaign_id, name, facts, is_sent, status = row
        return CampaignActivityRecord(found_id, campaign_id, name, load_attributes(facts), bool(is_sent), status)

    def list_contact_attributes(self, account_id: str, after: str, limit: int) -> list[ContactAttributes]:
        """What is stated of contacts, by their ids."""
        params: Values = {"account_id": account_id, "after": after, "limit": limit}
        with translate_errors():
            rows = every(self._connection, CATALOGUE["stated_contacts"], params)
            return [ContactAttributes(contact_id, load_attributes(facts)) for contact_id, facts in rows]

    def erased(self, account_id: str) -> Tombstones:
        """What is left of erased contacts."""
        with translate_errors():
            return read_tombstones(self._connection, account_id)

    def list_campaign_attributes(self, account_id: str) -> list[CampaignAttributes]:
        """What is stated of all campaigns."""
        with translate_errors():
            return campaigns_from_rows(
                every(self._connection, CATALOGUE["stated_campaigns"], {"account_id": account_id})
            )
