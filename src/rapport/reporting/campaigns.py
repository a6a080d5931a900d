"""List and look up email campaigns and their campaign activities."""

import msgspec
from msgspec.structs import replace

from rapport.catalogue import CampaignRole, CampaignStatus
from rapport.errors import UnknownCampaign, UnknownCampaignActivity
from rapport.store.attributes import get_text
from rapport.store.campaigns import (
    CampaignActivityRecord,
    CampaignCursor,
    CampaignQuery,
    CampaignRecord,
    CampaignRepository,
)
from rapport.store.contacts import InstantRange


class CampaignsRequest(msgspec.Struct, frozen=True, array_like=True):
    """The parameters of a page of campaigns. The cursor of the next page contains them."""

    within: InstantRange
    limit: int
    after: CampaignCursor


class CampaignsPage(msgspec.Struct, frozen=True):
    """A page of campaigns, most recently changed first, and the request for the next page, if any."""

    campaigns: list[CampaignRecord]
    next: CampaignsRequest | None


async def list_campaigns(repository: CampaignRepository, account_id: str, request: CampaignsRequest) -> CampaignsPage:
    """Return a page of the account's email campaigns."""
    query = CampaignQuery(within=request.within, after=request.after, limit=request.limit + 1)
    campaigns = await repository.find(account_id, query)
    page = campaigns[: request.limit]
    if len(campaigns) <= request.limit:
        return CampaignsPage(page, None)
    return CampaignsPage(page, replace(request, after=CampaignCursor(page[-1].updated_at, page[-1].campaign_id)))


async def get_campaign(repository: CampaignRepository, account_id: str, campaign_id: str) -> CampaignRecord:
    """Return an email campaign with its campaign activities. Raises UnknownCampaign."""
    campaign = await repository.get(account_id, campaign_id)
    if campaign is None:
        raise UnknownCampaign(campaign_id)
    return campaign


async def get_campaign_activity(
    repository: CampaignRepository, account_id: str, campaign_activity_id: str
) -> CampaignActivityRecord:
    """Return a campaign activity. Raises UnknownCampaignActivity."""
    activity = await repository.get_activity(account_id, campaign_activity_id)
    if activity is None:
        raise UnknownCampaignActivity(campaign_activity_id)
    return activity


def derive_status(status: str | None, *, is_sent: bool) -> CampaignStatus:
    """Return the recorded status of a campaign, or else DONE if it was sent and DRAFT if not."""
    if status is not None:
        return CampaignStatus(status)
    return CampaignStatus.DONE if is_sent else CampaignStatus.DRAFT


def get_role(activity: CampaignActivityRecord) -> CampaignRole:
    """Return the recorded role of a campaign activity, or else PRIMARY_EMAIL."""
    role = get_text(activity.attributes, "role")
    return CampaignRole.PRIMARY_EMAIL if role is None else CampaignRole(role)


def get_name(campaign: CampaignRecord) -> str | None:
    """Return the recorded name of a campaign, or else the name of one of its campaign activities."""
    name = get_text(campaign.attributes, "campaign_name")
    return campaign.activity_name if name is None else name
