"""Which email campaigns are there, and what are they called?"""

import msgspec
from msgspec.structs import replace

from rapport.catalogue import CampaignRole, CampaignStatus
from rapport.errors import UnknownCampaign, UnknownCampaignActivity
from rapport.store.catalogue import get_text
from rapport.store.known import (
    CampaignActivityRecord,
    CampaignCursor,
    CampaignQuery,
    CampaignRecord,
    Within,
)
from rapport.store.protocol import Store


class EmailsRequest(msgspec.Struct, frozen=True, array_like=True):
    """Which page of the email campaigns: all that the cursor of the next one carries."""

    within: Within
    limit: int
    after: CampaignCursor


class Emails(msgspec.Struct, frozen=True):
    """A page of email campaigns, that which was changed last first, and the next page if there is one."""

    campaigns: list[CampaignRecord]
    next: EmailsRequest | None


async def emails(store: Store, account_id: str, request: EmailsRequest) -> Emails:
    """A page of the account's email campaigns."""
    query = CampaignQuery(within=request.within, after=request.after, limit=request.limit + 1)
    found = await store.campaigns(account_id, query)
    page = found[: request.limit]
    if len(found) <= request.limit:
        return Emails(page, None)
    return Emails(page, replace(request, after=CampaignCursor(page[-1].updated_at, page[-1].campaign_id)))


async def email(store: Store, account_id: str, campaign_id: str) -> CampaignRecord:
    """An email campaign with its campaign activities. Raises UnknownCampaign."""
    found = await store.campaign(account_id, campaign_id)
    if found is None:
        raise UnknownCampaign(campaign_id)
    return found


async def email_activity(store: Store, account_id: str, campaign_activity_id: str) -> CampaignActivityRecord:
    """A campaign activity. Raises UnknownCampaignActivity."""
    found = await store.campaign_activity(account_id, campaign_activity_id)
    if found is None:
        raise UnknownCampaignActivity(campaign_activity_id)
    return found


def status_of(stated: str | None, *, is_sent: bool) -> CampaignStatus:
    """How far a campaign is: as stated, else done if it was sent at all."""
    if stated is not None:
        return CampaignStatus(stated)
    return CampaignStatus.DONE if is_sent else CampaignStatus.DRAFT


def role_of(activity: CampaignActivityRecord) -> CampaignRole:
    """What a campaign activity is for: as stated, else it is the email itself."""
    stated = get_text(activity.facts, "role")
    return CampaignRole.PRIMARY_EMAIL if stated is None else CampaignRole(stated)


def name_of(campaign: CampaignRecord) -> str | None:
    """What a campaign is called: as stated, else as one of its campaign activities."""
    stated = get_text(campaign.facts, "campaign_name")
    return campaign.activity_name if stated is None else stated
