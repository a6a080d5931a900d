"""Updates of campaigns in SQLite."""

import time
from collections.abc import Sequence
from functools import partial
from typing import Final

import apsw

from rapport.catalog import CampaignUpdate
from rapport.instant import Instant
from rapport.store.attributes import (
    dump_attributes,
    get_text,
    links_batch,
    load_attributes,
    merge_campaign,
    merge_campaign_activity,
    refs_batch,
    updated_at,
)
from rapport.store.campaigns import CampaignRepository
from rapport.store.chunks import upsert_in_chunks
from rapport.store.sqlite.connection import Values, fetch_all, fetch_one
from rapport.store.sqlite.engine import Engine
from rapport.store.sqlite.identifiers import account_key, campaign_activity_keys, campaign_key, link_keys
from rapport.store.sqlite.queries import SQL

_SQL: Final = SQL["campaigns"]


class SQLiteCampaigns(CampaignRepository):
    """Reads and updates campaigns."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._write = engine.write

    async def upsert(self, account_id: str, updates: Sequence[CampaignUpdate]) -> int:
        """Merge updates into the campaigns, one transaction for each chunk. Return how many changed something."""
        return await upsert_in_chunks(
            updates,
            lambda links: self._write(account_id, partial(_add_links, account_id, links)),
            lambda chunk: self._write(account_id, partial(_upsert, account_id, chunk)),
        )


def _add_links(account_id: str, campaign: CampaignUpdate, connection: apsw.Connection) -> bool:
    """Add the links of a campaign before the rest of its update. Return True if any is new."""
    account = account_key(connection, account_id, _now())
    before = connection.total_changes()
    batch = links_batch(account_id, campaign)
    link_keys(connection, campaign_activity_keys(connection, account, batch.campaign_activities), batch.links)
    return connection.total_changes() != before


def _upsert(account_id: str, updates: Sequence[CampaignUpdate], connection: apsw.Connection) -> int:
    account = account_key(connection, account_id, _now())
    changes = 0
    for campaign in updates:
        before = connection.total_changes()
        _update(connection, account, campaign)
        batch = refs_batch(account_id, [campaign])
        keys = campaign_activity_keys(connection, account, batch.campaign_activities)
        link_keys(connection, keys, batch.links)
        for key, activity in zip(keys, campaign.campaign_activities, strict=True):
            ((stored,),) = fetch_all(connection, _SQL["get_activity_attributes"], {"key": key})
            attributes = load_attributes(stored)
            if merge_campaign_activity(attributes, activity, campaign.updated_at):
                connection.execute(_SQL["update_activity_attributes"], (dump_attributes(attributes), key))
        changes += connection.total_changes() != before
    return changes


def _update(connection: apsw.Connection, account: int, campaign: CampaignUpdate) -> None:
    key = campaign_key(connection, account, campaign.campaign_id)
    params: Values = {"account": account, "campaign_id": campaign.campaign_id}
    row = fetch_one(connection, _SQL["get_attributes"], params)
    attributes = load_attributes(None if row is None else row[1])
    if merge_campaign(attributes, campaign):
        values = get_text(attributes, "campaign_name"), updated_at(attributes), dump_attributes(attributes), key
        connection.execute(_SQL["update_attributes"], values)


def _now() -> Instant:
    return Instant(time.time_ns() // 1_000_000)
