"""List and look up email campaigns and their campaign activities."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from rapport.catalog import CampaignRole, CampaignStatus
from rapport.errors import UnknownCampaign, UnknownCampaignActivity
from rapport.reporting.cursor_params import CursorParams
from rapport.store.attributes import get_number, get_text
from rapport.store.campaigns import (
    ActivityHours,
    CampaignActivityRecord,
    CampaignCursor,
    CampaignQuery,
    CampaignRecord,
    CampaignRepository,
)
from rapport.store.contacts import InstantRange


class CampaignsRequest(CursorParams, frozen=True):
    """The parameters of a page of campaigns. The cursor of the next page contains them."""

    within: InstantRange
    limit: int
    after: CampaignCursor


class CampaignsPage(msgspec.Struct, frozen=True):
    """A page of campaigns, most recently changed first, and the request for the next page, if any.

    `hours` are those of the activities of campaigns without recorded times.
    """

    campaigns: list[CampaignRecord]
    hours: Mapping[str, ActivityHours]
    next: CampaignsRequest | None


async def list_campaigns(repository: CampaignRepository, account_id: str, request: CampaignsRequest) -> CampaignsPage:
    """Return a page of the account's email campaigns."""
    query = CampaignQuery(within=request.within, after=request.after, limit=request.limit + 1)
    campaigns = await repository.find(account_id, query)
    page = campaigns[: request.limit]
    undated = [campaign.campaign_id for campaign in page if needs_hours(campaign)]
    hours = await repository.get_activity_hours(account_id, undated)
    if len(campaigns) <= request.limit:
        return CampaignsPage(page, hours, None)
    after = CampaignCursor(page[-1].updated_at, page[-1].campaign_id)
    return CampaignsPage(page, hours, replace(request, after=after))


def needs_hours(campaign: CampaignRecord) -> bool:
    """Return True if a campaign's times have to be inferred from the hours of its activities."""
    return get_number(campaign.attributes, "created_at") is None or not campaign.updated_at


class CampaignTimes(NamedTuple):
    """When a campaign was created and last updated."""

    created_at: int | None
    updated_at: int | None


def get_times(campaign: CampaignRecord, hours: ActivityHours | None) -> CampaignTimes:
    """Return the recorded times of a campaign, or infer them from its updates and activities.

    A campaign was created, at the latest, at its earliest known update or in the first hour with activities.
    """
    created_at = get_number(campaign.attributes, "created_at")
    if created_at is None:
        times = [time for _, time in campaign.attributes.values()]
        created_at = min([*times, *([] if hours is None else [hours.first])], default=campaign.updated_at or None)
    return CampaignTimes(created_at, campaign.updated_at or (created_at if hours is None else hours.last))


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
