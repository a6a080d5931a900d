"""Campaigns and their campaign activities: attributes, searches, and updates from sources."""

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

import msgspec

from rapport.activity import CampaignActivity, Link
from rapport.catalog import CampaignUpdate
from rapport.instant import Instant
from rapport.store.attributes import CampaignAttributes, campaign_updates, get_text, group_campaigns, load_attributes
from rapport.store.batch import CampaignActivityRef, TimestampedValue
from rapport.store.contacts import LAST_CHARACTER, InstantRange
from rapport.store.last_write_wins import Attributes
from rapport.store.sql_engine import SqlEngine


class CampaignCursor(NamedTuple):
    """A position among campaigns, most recently updated first."""

    updated_at: int
    campaign_id: str


class CampaignQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Up to `limit` email campaigns after a position that were last updated in a period."""

    within: InstantRange
    after: CampaignCursor
    limit: int


class ActivityHours(NamedTuple):
    """The start of the first and of the last hour in which a campaign had activities."""

    first: Instant
    last: Instant


class CampaignActivityRecord(NamedTuple):
    """The current attributes of a campaign activity. `is_sent`: it was sent to at least one contact."""

    campaign_activity_id: str
    campaign_id: str | None
    campaign_activity_name: str | None
    attributes: Attributes
    is_sent: bool
    campaign_status: str | None


class CampaignRecord(NamedTuple):
    """The current attributes of a campaign.

    `updated_at` is the time of the last update, else of the last send, else 0. `activity_name` is the first, by its
    bytes, of the names of its campaign activities.
    """

    campaign_id: str
    attributes: Attributes
    updated_at: int
    is_sent: bool
    activity_name: str | None
    campaign_activities: Sequence[CampaignActivityRecord]


class CampaignRepository(ABC):
    """Reads and updates campaigns. Every method raises StoreUnavailable."""

    def __init__(self, engine: SqlEngine) -> None:
        self._engine = engine
        self._sql = engine.sql["campaigns"]

    async def find(self, account_id: str, query: CampaignQuery) -> list[CampaignRecord]:
        """Return the email campaigns that match the query, without their campaign activities."""
        params = {
            "account_id": account_id,
            "start": query.within.start,
            "end": query.within.end,
            "after_time": query.after.updated_at,
            "after_id": query.after.campaign_id,
            "limit": query.limit,
        }
        rows = await self._engine.fetch_all(self._sql["find"], params, account_id=account_id)
        return [
            CampaignRecord(campaign_id, load_attributes(stored), updated_at, bool(is_sent), name, ())
            for campaign_id, stored, updated_at, is_sent, name in rows
        ]

    async def get(self, account_id: str, campaign_id: str) -> CampaignRecord | None:
        """Return a campaign with its campaign activities, or None if it doesn't exist."""
        params = {"account_id": account_id, "campaign_id": campaign_id}
        row = await self._engine.fetch_one(self._sql["get"], params, account_id=account_id)
        if row is None:
            return None
        key, campaign_id, stored, updated_at = row
        rows = await self._engine.fetch_all(self._sql["list_activities"], {"campaign": key}, account_id=account_id)
        attributes = load_attributes(stored)
        status = get_text(attributes, "current_status")
        last_sent = max((sent for *_, sent in rows if sent is not None), default=None)
        return CampaignRecord(
            campaign_id=campaign_id,
            attributes=attributes,
            updated_at=updated_at or last_sent or 0,
            is_sent=last_sent is not None,
            activity_name=min((name for _, name, *_ in rows if name is not None), key=str.encode, default=None),
            campaign_activities=[
                CampaignActivityRecord(
                    activity_id, campaign_id, name, load_attributes(activity_attributes), sent is not None, status
                )
                for activity_id, name, activity_attributes, sent in rows
            ],
        )

    async def get_activity(self, account_id: str, campaign_activity_id: str) -> CampaignActivityRecord | None:
        """Return a campaign activity, or None if it doesn't exist."""
        params = {"account_id": account_id, "campaign_activity_id": campaign_activity_id}
        row = await self._engine.fetch_one(self._sql["get_activity"], params, account_id=account_id)
        if row is None:
            return None
        activity_id, campaign_id, name, stored, key, status = row
        # Separate, as a cluster stores counts elsewhere.
        sent = await self._engine.fetch_one(self._sql["is_sent"], {"campaign_activity": key}, account_id=account_id)
        is_sent = sent is not None and bool(sent[0])
        return CampaignActivityRecord(activity_id, campaign_id, name, load_attributes(stored), is_sent, status)

    async def find_activities(self, account_id: str, text: str, limit: int) -> list[CampaignActivity]:
        """Return the campaign activities whose name contains the text or whose id starts with it.

        The most recently named come first. Names are compared without regard to the case of ASCII letters.
        """
        params = {"account_id": account_id, "text": text, "end": text + LAST_CHARACTER, "limit": limit}
        rows = await self._engine.fetch_all(self._sql["find_activities"], params, account_id=account_id)
        return [CampaignActivity(*row) for row in rows]

    async def list_activity_refs(self, account_id: str) -> list[CampaignActivityRef]:
        """Return all campaign activities of the account with their names and campaigns, and the times of those."""
        rows = await self._engine.fetch_all(self._sql["list_activity_refs"], {"account_id": account_id})
        return [_ref_from_row(*row) for row in rows]

    async def list_links(self, account_id: str, campaign_activity_ids: Sequence[str]) -> dict[str, list[Link]]:
        """Return the links of campaign activities by their ids, in the order in which they were added."""
        params = {"account_id": account_id, "campaign_activity_ids": list(campaign_activity_ids)}
        rows = await self._engine.fetch_all(self._sql["list_links"], params, account_id=account_id)
        links: dict[str, list[Link]] = {}
        for campaign_activity_id, link_url, url_id in rows:
            links.setdefault(campaign_activity_id, []).append(Link(link_url=link_url, url_id=url_id))
        return links

    async def list_attributes(self, account_id: str) -> list[CampaignAttributes]:
        """Return the attributes that sources have set for the account's campaigns."""
        rows = await self._engine.fetch_all(
            self._sql["list_attributes"], {"account_id": account_id}, account_id=account_id
        )
        return group_campaigns((row[0], row[1], row[2], row[3]) for row in rows)

    async def list_updates(self, account_id: str) -> AsyncIterator[list[CampaignUpdate]]:
        """Yield updates that reproduce each of the account's campaigns, with its campaign activities and links."""
        refs: defaultdict[str, list[CampaignActivityRef]] = defaultdict(list)
        for ref in await self.list_activity_refs(account_id):
            if ref.campaign_id is not None:
                refs[ref.campaign_id.value].append(ref)
        for campaign in await self.list_attributes(account_id):
            with_links = []
            for ref in refs[campaign.campaign_id]:
                links = await self.list_links(account_id, [ref.campaign_activity_id])
                with_links.append((ref, links.get(ref.campaign_activity_id, [])))
            yield list(campaign_updates(campaign, with_links))

    async def get_activity_hours(self, account_id: str, campaign_ids: Sequence[str]) -> dict[str, ActivityHours]:
        """Return the hours in which campaigns had activities, by their ids; those of erased contacts count, too."""
        if not campaign_ids:
            return {}
        params = {"account_id": account_id, "campaign_ids": list(campaign_ids)}
        rows = await self._engine.fetch_all(self._sql["list_activity_hours"], params, account_id=account_id)
        return {campaign_id: ActivityHours(first, last) for campaign_id, first, last in rows if first is not None}

    @abstractmethod
    async def upsert(self, account_id: str, updates: Sequence[CampaignUpdate]) -> int:
        """Merge updates into the campaigns, creating those that don't exist. Return how many changed something.

        Updates are committed in chunks. A campaign is applied as a whole or not at all, except that some of its links
        may have been added.
        """


def _ref_from_row(
    campaign_activity_id: str, name: str | None, name_time: int, campaign_id: str | None, campaign_time: int
) -> CampaignActivityRef:
    return CampaignActivityRef(
        campaign_activity_id,
        None if name is None else TimestampedValue(name, name_time),
        None if campaign_id is None else TimestampedValue(campaign_id, campaign_time),
    )
