"""Split large writes into chunks, one transaction each, so that other accounts can write in between."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final, TypeVar

from msgspec.structs import replace

from rapport.catalog import CampaignActivityUpdate, CampaignUpdate

T = TypeVar("T")

_UPDATES: Final = 1_000
_CAMPAIGN_WEIGHT: Final = 5_000
"""Campaigns, campaign activities and links in one chunk, unless a single campaign has more."""


def chunk_updates(updates: Sequence[T]) -> Iterator[Sequence[T]]:
    """Split updates of contacts or definitions into chunks."""
    for first in range(0, len(updates), _UPDATES):
        yield updates[first : first + _UPDATES]


def chunk_campaigns(updates: Sequence[CampaignUpdate]) -> Iterator[Sequence[CampaignUpdate]]:
    """Split updates of campaigns into chunks, without dividing a campaign."""
    chunk: list[CampaignUpdate] = []
    weight = 0
    for campaign in updates:
        campaign_weight = 1 + sum(1 + len(activity.links) for activity in campaign.campaign_activities)
        if chunk and weight + campaign_weight > _CAMPAIGN_WEIGHT:
            yield chunk
            chunk, weight = [], 0
        chunk.append(campaign)
        weight += campaign_weight
    if chunk:
        yield chunk


def has_many_links(campaign: CampaignUpdate) -> bool:
    """Return True if a campaign has more links than fit into a chunk, so that they are written first."""
    return sum(len(activity.links) for activity in campaign.campaign_activities) > _CAMPAIGN_WEIGHT


def chunk_links(campaign: CampaignUpdate) -> Iterator[CampaignUpdate]:
    """Split the links of a campaign into updates that contain nothing else."""
    for activity in campaign.campaign_activities:
        links = CampaignActivityUpdate(campaign_activity_id=activity.campaign_activity_id, links=activity.links)
        yield CampaignUpdate(
            campaign_id=campaign.campaign_id, updated_at=campaign.updated_at, campaign_activities=(links,)
        )


def without_links(campaign: CampaignUpdate) -> CampaignUpdate:
    """Return the update without its links."""
    activities = tuple(replace(activity, links=()) for activity in campaign.campaign_activities)
    return replace(campaign, campaign_activities=activities)


async def upsert_in_chunks(
    updates: Sequence[CampaignUpdate],
    add_links: Callable[[CampaignUpdate], Awaitable[bool]],
    upsert: Callable[[Sequence[CampaignUpdate]], Awaitable[int]],
) -> int:
    """Write updates of campaigns in chunks. Return how many updates changed something."""
    changes = 0
    for chunk in chunk_campaigns(updates):
        if len(chunk) == 1 and has_many_links(chunk[0]):
            is_changed = False
            for links in chunk_links(chunk[0]):
                is_changed |= await add_links(links)
            changes += await upsert([without_links(chunk[0])]) or is_changed
        else:
            changes += await upsert(chunk)
    return changes
