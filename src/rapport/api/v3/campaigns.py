"""Email campaigns and their campaign activities."""

from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from rapport.api import examples
from rapport.api.endpoint import Access, Resource, Returns, endpoint
from rapport.api.pagination import Cursors
from rapport.api.params import Cursor, Limit, PathId, TimeRange
from rapport.api.query import get_query
from rapport.api.responses import Id, Links, Time, encode_response, page_links
from rapport.auth.scope import Privilege, Scope
from rapport.auth.token import Principal
from rapport.catalog import CAMPAIGN_ROLES, CAMPAIGN_STATUSES, CampaignStatus
from rapport.errors import MalformedCampaignActivityId, UnknownCampaign, UnknownCampaignActivity
from rapport.instant import MAX_INSTANT, MIN_INSTANT, iso
from rapport.reporting.campaigns import (
    CampaignsRequest,
    derive_status,
    get_campaign,
    get_campaign_activity,
    get_name,
    get_role,
    get_times,
    list_campaigns,
    needs_hours,
)
from rapport.store.attributes import get_number, get_text
from rapport.store.campaigns import ActivityHours, CampaignCursor, CampaignRecord, CampaignRepository
from rapport.store.contacts import InstantRange

CAMPAIGNS: Final = "/v3/emails"

_READ: Final = Access(Scope.CAMPAIGN_DATA, Privilege.CAMPAIGN_READ)
_TAG: Final = "Email Campaigns"

# Constant Contact reports these for an ordinary email; they apply unless an update set others.
_DEFAULT_TYPE: Final = "NEWSLETTER"
_DEFAULT_TYPE_CODE: Final = 10
_FORMAT_TYPE: Final = 5

# Parameters

CAMPAIGN_ID: Final = PathId("campaign_id", "The campaign.", examples.CAMPAIGN_ID, UnknownCampaign)
CAMPAIGN_ACTIVITY_ID: Final = PathId(
    "campaign_activity_id", "The campaign activity.", examples.CAMPAIGN_ACTIVITY_ID, MalformedCampaignActivityId
)
LIMIT: Final = Limit("campaigns", 500, 50, as_text=False)
UPDATED: Final = TimeRange("after_date", "before_date", "campaigns that were last updated")
CURSOR: Final = Cursor()


# Response types


class EmailCampaigns(msgspec.Struct, kw_only=True):
    """An email campaign in a list. Unknown fields are left out."""

    campaign_id: Id
    name: str | UnsetType = UNSET
    type: Annotated[str, Meta(examples=[_DEFAULT_TYPE])]
    type_code: Annotated[int, Meta(examples=[_DEFAULT_TYPE_CODE])]
    current_status: Annotated[str, Meta(extra_json_schema={"enum": [status.value for status in CampaignStatus]})]
    created_at: Time | UnsetType = UNSET
    updated_at: Time | UnsetType = UNSET


class ActivityReference(msgspec.Struct):
    """A campaign activity of a campaign."""

    campaign_activity_id: Id
    role: Annotated[str, Meta(extra_json_schema={"enum": list(CAMPAIGN_ROLES)})]


class EmailCampaign(msgspec.Struct, kw_only=True):
    """An email campaign with its campaign activities. Its status is in capitals."""

    campaign_id: Id
    name: str | UnsetType = UNSET
    type: str
    type_code: int
    current_status: Annotated[str, Meta(extra_json_schema={"enum": list(CAMPAIGN_STATUSES)})]
    created_at: Time | UnsetType = UNSET
    updated_at: Time | UnsetType = UNSET
    campaign_activities: list[ActivityReference]


class EmailCampaignActivity(msgspec.Struct, kw_only=True):
    """A campaign activity. Unknown texts are empty. The lists and segments it was sent to aren't recorded."""

    campaign_activity_id: Id
    campaign_id: Id | UnsetType = UNSET
    role: Annotated[str, Meta(extra_json_schema={"enum": list(CAMPAIGN_ROLES)})]
    current_status: Annotated[str, Meta(extra_json_schema={"enum": list(CAMPAIGN_STATUSES)})]
    format_type: int
    subject: str
    preheader: str | UnsetType = UNSET
    from_name: str
    from_email: str
    reply_to_email: str
    contact_list_ids: list[str]
    segment_ids: list[int]


class EmailCampaignsPage(msgspec.Struct):
    """A page of email campaigns, most recently updated first."""

    campaigns: list[EmailCampaigns]
    links: Links = msgspec.field(name="_links")


_EXAMPLE: Final[dict[str, Any]] = {
    "campaign_id": examples.CAMPAIGN_ID,
    "name": "December Newsletter",
    "type": _DEFAULT_TYPE,
    "type_code": _DEFAULT_TYPE_CODE,
    "current_status": "Done",
    "created_at": "2026-02-06T22:09:15.000Z",
    "updated_at": "2026-06-27T10:28:09.000Z",
}


class Campaigns(Resource):
    """The email campaigns of an account."""

    def __init__(self, repository: CampaignRepository, cursors: Cursors) -> None:
        self._repository = repository
        self._cursors = cursors

    @endpoint(
        "GET",
        CAMPAIGNS,
        operation_id="retrieveEmailCampaignsUsingGET",
        tag=_TAG,
        summary="List email campaigns",
        description="The email campaigns of the account, most recently updated first. A campaign without an "
        "update has the time of its last send.",
        access=_READ,
        params=(LIMIT, UPDATED, CURSOR),
        returns=Returns(
            description="A page of campaigns.",
            schema=EmailCampaignsPage,
            example={"campaigns": [_EXAMPLE], "_links": {}},
        ),
    )
    async def list_campaigns(self, request: Request, principal: Principal) -> Response:
        query = get_query(request)
        page_request = self._cursors.decode_optional(CURSOR.get(query), principal, CAMPAIGNS, CampaignsRequest)
        if page_request is None:
            within = UPDATED.get(query) or InstantRange(MIN_INSTANT, MAX_INSTANT)
            page_request = CampaignsRequest(within, LIMIT.get(query), CampaignCursor(MAX_INSTANT + 1, ""))
        page = await list_campaigns(self._repository, principal.account_id, page_request)
        return encode_response(
            EmailCampaignsPage(
                campaigns=[
                    EmailCampaigns(
                        **_common_columns(campaign, page.hours.get(campaign.campaign_id)),
                        current_status=_status(campaign).value,
                    )
                    for campaign in page.campaigns
                ],
                links=page_links(self._cursors.next_href(principal, CAMPAIGNS, page.next)),
            )
        )

    @endpoint(
        "GET",
        f"{CAMPAIGNS}/{{campaign_id}}",
        operation_id="retrieveEmailCampaignUsingGET",
        tag=_TAG,
        summary="Get an email campaign",
        description="An email campaign with its campaign activities. One without a role is the primary email.",
        access=_READ,
        params=(CAMPAIGN_ID,),
        returns=Returns(
            description="The campaign.",
            schema=EmailCampaign,
            example={
                **_EXAMPLE,
                "current_status": "DONE",
                "campaign_activities": [
                    {"campaign_activity_id": examples.CAMPAIGN_ACTIVITY_ID, "role": "primary_email"}
                ],
            },
        ),
        errors=(UnknownCampaign,),
    )
    async def get_campaign(self, request: Request, principal: Principal) -> Response:
        campaign = await get_campaign(self._repository, principal.account_id, CAMPAIGN_ID.get(request))
        references = [
            ActivityReference(activity.campaign_activity_id, get_role(activity).value)
            for activity in campaign.campaign_activities
        ]
        hours = {}
        if needs_hours(campaign):
            hours = await self._repository.get_activity_hours(principal.account_id, [campaign.campaign_id])
        return encode_response(
            EmailCampaign(
                **_common_columns(campaign, hours.get(campaign.campaign_id)),
                current_status=_status(campaign).name,
                campaign_activities=references,
            )
        )

    @endpoint(
        "GET",
        f"{CAMPAIGNS}/activities/{{campaign_activity_id}}",
        operation_id="retrieveEmailCampaignActivityUsingGET",
        tag=_TAG,
        summary="Get a campaign activity",
        description="A campaign activity with its subject and sender. Unknown texts are empty.",
        access=_READ,
        params=(CAMPAIGN_ACTIVITY_ID,),
        returns=Returns(
            description="The campaign activity.",
            schema=EmailCampaignActivity,
            example={
                "campaign_activity_id": examples.CAMPAIGN_ACTIVITY_ID,
                "campaign_id": examples.CAMPAIGN_ID,
                "role": "primary_email",
                "current_status": "DONE",
                "format_type": _FORMAT_TYPE,
                "subject": "Spring is here",
                "from_name": "Ada",
                "from_email": "ada@example.com",
                "reply_to_email": "ada@example.com",
                "contact_list_ids": [],
                "segment_ids": [],
            },
        ),
        errors=(UnknownCampaignActivity,),
    )
    async def get_campaign_activity(self, request: Request, principal: Principal) -> Response:
        activity = await get_campaign_activity(
            self._repository, principal.account_id, CAMPAIGN_ACTIVITY_ID.get(request)
        )
        preheader = get_text(activity.attributes, "preheader")
        return encode_response(
            EmailCampaignActivity(
                campaign_activity_id=activity.campaign_activity_id,
                campaign_id=UNSET if activity.campaign_id is None else activity.campaign_id,
                role=get_role(activity).value,
                current_status=derive_status(activity.campaign_status, is_sent=activity.is_sent).name,
                format_type=_FORMAT_TYPE,
                subject=get_text(activity.attributes, "subject") or "",
                preheader=UNSET if preheader is None else preheader,
                from_name=get_text(activity.attributes, "from_name") or "",
                from_email=get_text(activity.attributes, "from_email") or "",
                reply_to_email=get_text(activity.attributes, "reply_to_email") or "",
                contact_list_ids=[],
                segment_ids=[],
            )
        )


def _status(campaign: CampaignRecord) -> CampaignStatus:
    return derive_status(get_text(campaign.attributes, "current_status"), is_sent=campaign.is_sent)


def _common_columns(campaign: CampaignRecord, hours: ActivityHours | None) -> dict[str, Any]:
    """Return the fields that a campaign has both in a list and on its own."""
    name, times = get_name(campaign), get_times(campaign, hours)
    type_code = get_number(campaign.attributes, "type_code")
    return {
        "campaign_id": campaign.campaign_id,
        "name": UNSET if name is None else name,
        "type": get_text(campaign.attributes, "type") or _DEFAULT_TYPE,
        "type_code": _DEFAULT_TYPE_CODE if type_code is None else type_code,
        "created_at": UNSET if times.created_at is None else iso(times.created_at),
        "updated_at": UNSET if times.updated_at is None else iso(times.updated_at),
    }
