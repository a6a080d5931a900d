"""Reads what is known of campaigns, and what was stated of contacts and campaigns."""

from pathlib import Path
from typing import Final

import apsw

from rapport.store.catalogue import StoredCampaign, StoredContact, facts_of, stored_campaigns
from rapport.store.erasure import Erased
from rapport.store.known import CampaignQuery, KnownCampaign, KnownCampaignActivity, known_campaign
from rapport.store.sqlite.catalogue import SQL as CATALOGUE
from rapport.store.sqlite.connection import Values, every, one, told_as_unavailable
from rapport.store.sqlite.erasing import read_erased
from rapport.store.statements import read_statements

SQL: Final = read_statements(Path(__file__).parent / "sql" / "read_catalogue.sql")


class CatalogueReader:
    """Reads on a connection that only reads. Raises StoreUnavailable."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def campaigns(self, account_id: str, query: CampaignQuery) -> list[KnownCampaign]:
        """The asked for campaigns, without their campaign activities."""
        asked: Values = {
            "account_id": account_id,
            "after": query.within.after,
            "before": query.within.before,
            "behind_time": query.behind.updated_at,
            "behind_id": query.behind.campaign_id,
            "limit": query.limit,
        }
        with told_as_unavailable():
            return [
                KnownCampaign(campaign_id, facts_of(facts), updated, bool(sent), name, ())
                for campaign_id, facts, updated, sent, name in every(self._connection, SQL["campaigns"], asked)
            ]

    def campaign(self, account_id: str, campaign_id: str) -> KnownCampaign | None:
        """What is known of a campaign."""
        with told_as_unavailable():
            asked: Values = {"account_id": account_id, "campaign_id": campaign_id}
            row = one(self._connection, SQL["campaign"], asked)
            if row is None:
                return None
            key, campaign_id, stored, updated = row
            rows = every(self._connection, SQL["campaign_activities"], {"campaign": key})
            activities = [(each_id, name, facts_of(facts), sent) for each_id, name, facts, sent in rows]
        return known_campaign(campaign_id, facts_of(stored), updated, activities)

    def campaign_activity(self, account_id: str, campaign_activity_id: str) -> KnownCampaignActivity | None:
        """What is known of a campaign activity."""
        with told_as_unavailable():
            asked: Values = {"account_id": account_id, "campaign_activity_id": campaign_activity_id}
            row = one(self._connection, SQL["campaign_activity"], asked)
        if row is None:
            return None
        found_id, campaign_id, name, facts, is_sent, status = row
        return KnownCampaignActivity(found_id, campaign_id, name, facts_of(facts), bool(is_sent), status)

    def stated_contacts(self, account_id: str, behind: str, limit: int) -> list[StoredContact]:
        """What is stated of contacts, by their ids."""
        asked: Values = {"account_id": account_id, "behind": behind, "limit": limit}
        with told_as_unavailable():
            rows = every(self._connection, CATALOGUE["stated_contacts"], asked)
            return [StoredContact(contact_id, facts_of(facts)) for contact_id, facts in rows]

    def erased(self, account_id: str) -> Erased:
        """What is left of erased contacts."""
        with told_as_unavailable():
            return read_erased(self._connection, account_id)

    def stated_campaigns(self, account_id: str) -> list[StoredCampaign]:
        """What is stated of all campaigns."""
        with told_as_unavailable():
            return stored_campaigns(every(self._connection, CATALOGUE["stated_campaigns"], {"account_id": account_id}))
