"""Large writes in pieces, each a transaction of its own, so that the writes of other accounts come in between."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final

from msgspec.structs import replace

from rapport.catalogue import CampaignActivityUpdate, CampaignUpdate, ContactUpdate

_CONTACTS: Final = 1_000
_CAMPAIGN_WEIGHT: Final = 5_000
"""Campaigns, campaign activities and links in one piece, unless one campaign alone has more."""


def contact_pieces(statements: Sequence[ContactUpdate]) -> Iterator[Sequence[ContactUpdate]]:
    """Cut what is stated of contacts into pieces."""
    for first in range(0, len(statements), _CONTACTS):
        yield statements[first : first + _CONTACTS]


def campaign_pieces(statements: Sequence[CampaignUpdate]) -> Iterator[Sequence[CampaignUpdate]]:
    """Cut what is stated of campaigns into pieces; a campaign is never divided."""
    piece: list[CampaignUpdate] = []
    weight = 0
    for campaign in statements:
        weight_of_campaign = 1 + sum(1 + len(activity.links) for activity in campaign.campaign_activities)
        if piece and weight + weight_of_campaign > _CAMPAIGN_WEIGHT:
            yield piece
            piece, weight = [], 0
        piece.append(campaign)
        weight += weight_of_campaign
    if piece:
        yield piece


def has_many_links(campaign: CampaignUpdate) -> bool:
    """Return True if the links of a campaign are more than a piece has, so that they are written ahead of the rest."""
    return sum(len(activity.links) for activity in campaign.campaign_activities) > _CAMPAIGN_WEIGHT


def link_pieces(campaign: CampaignUpdate) -> Iterator[CampaignUpdate]:
    """Cut the links of a campaign into pieces, which say nothing else."""
    for activity in campaign.campaign_activities:
        links = CampaignActivityUpdate(campaign_activity_id=activity.campaign_activity_id, links=activity.links)
        yield CampaignUpdate(
            campaign_id=campaign.campaign_id, updated_at=campaign.updated_at, campaign_activities=(links,)
        )


def without_links(campaign: CampaignUpdate) -> CampaignUpdate:
    """Return what remains of a campaign whose links are written."""
    activities = tuple(replace(activity, links=()) for activity in campaign.campaign_activities)
    return replace(campaign, campaign_activities=activities)


async def state_in_pieces(
    statements: Sequence[CampaignUpdate],
    add_links: Callable[[CampaignUpdate], Awaitable[bool]],
    state: Callable[[Sequence[CampaignUpdate]], Awaitable[int]],
) -> int:
    """Write what is stated of campaigns in pieces, by these two. Return how many statements changed something."""
    changes = 0
    for piece in campaign_pieces(statements):
        if len(piece) == 1 and has_many_links(piece[0]):
            is_changed = False
            for links in link_pieces(piece[0]):
                is_changed |= await add_links(links)
            changes += await state([without_links(piece[0])]) or is_changed
        else:
            changes += await state(piece)
    return changes
