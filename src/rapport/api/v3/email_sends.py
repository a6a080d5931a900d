"""The send history, schedule and preview of an email."""

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from rapport.activity import ActivityType
from rapport.api import examples
from rapport.api.endpoint import Access, Resource, Returns, endpoint
from rapport.api.responses import Id, Time, encode_response
from rapport.api.v3.campaigns import CAMPAIGN_ACTIVITY_ID, CAMPAIGNS
from rapport.auth.scope import Privilege, Scope
from rapport.auth.token import Principal
from rapport.errors import UnknownCampaignActivity
from rapport.instant import DAY, iso
from rapport.reporting.campaigns import get_campaign_activity
from rapport.store.attributes import get_text
from rapport.store.campaigns import CampaignRepository
from rapport.store.reports import HourlyCount, ReportRepository

_READ: Final = Access(Scope.CAMPAIGN_DATA, Privilege.CAMPAIGN_READ)
_TAG: Final = "Email Scheduling"
_PATH: Final = f"{CAMPAIGNS}/activities/{{campaign_activity_id}}"

_PAUSE: Final = DAY
"""Sends with a longer pause between them are two runs."""


class SendHistory(msgspec.Struct, kw_only=True):
    """One run in which the email was sent. Its time is known to the hour."""

    send_id: Annotated[int, Meta(ge=1)]
    contact_list_ids: list[str]
    segment_ids: list[int]
    count: int
    run_date: Time
    send_status: Annotated[str, Meta(extra_json_schema={"enum": ["COMPLETED"]})]
    reason_code: int


class Schedule(msgspec.Struct):
    """When the email is going to be sent."""

    scheduled_date: Time


class Preview(msgspec.Struct, kw_only=True):
    """The email's sender, subject and content. Unknown texts are empty; Rapport stores no content."""

    campaign_activity_id: Id
    from_email: str
    from_name: str
    reply_to_email: str
    subject: str
    preheader: str | UnsetType = UNSET
    preview_html_content: str
    preview_text_content: str


class EmailSends(Resource):
    """When emails were sent."""

    def __init__(self, campaigns: CampaignRepository, reports: ReportRepository) -> None:
        self._campaigns = campaigns
        self._reports = reports

    @endpoint(
        "GET",
        f"{_PATH}/send_history",
        operation_id="retrieveEmailSendHistoryUsingGET",
        tag=_TAG,
        summary="List the runs of an email",
        description="The runs in which the email was sent, from the recorded sends. A pause of more than a day "
        "separates two runs.",
        access=_READ,
        params=(CAMPAIGN_ACTIVITY_ID,),
        returns=Returns(
            description="The runs, oldest first.",
            schema=list[SendHistory],
            example=[
                {
                    "send_id": 1,
                    "contact_list_ids": [],
                    "segment_ids": [],
                    "count": 200,
                    "run_date": "2026-06-27T10:00:00.000Z",
                    "send_status": "COMPLETED",
                    "reason_code": 0,
                }
            ],
        ),
        errors=(UnknownCampaignActivity,),
    )
    async def list_runs(self, request: Request, principal: Principal) -> Response:
        activity_id = CAMPAIGN_ACTIVITY_ID.get(request)
        await get_campaign_activity(self._campaigns, principal.account_id, activity_id)
        hours = await self._reports.count_activity_by_hour(principal.account_id, activity_id)
        return encode_response(_runs([hour for hour in hours if hour.type == ActivityType.EM_SENDS]))

    @endpoint(
        "GET",
        f"{_PATH}/schedules",
        operation_id="retrieveEmailSchedulesUsingGET",
        tag=_TAG,
        summary="List the schedules of an email",
        description="When the email is going to be sent. Rapport sends no email, so nothing is scheduled.",
        access=_READ,
        params=(CAMPAIGN_ACTIVITY_ID,),
        returns=Returns(description="The schedules.", schema=list[Schedule], example=[]),
        errors=(UnknownCampaignActivity,),
    )
    async def list_schedules(self, request: Request, principal: Principal) -> Response:
        await get_campaign_activity(self._campaigns, principal.account_id, CAMPAIGN_ACTIVITY_ID.get(request))
        return encode_response(list[Schedule]())

    @endpoint(
        "GET",
        f"{_PATH}/previews",
        operation_id="retrieveEmailCampaignActivityPreviewUsingGET",
        tag="Email Campaigns",
        summary="Get a preview of an email",
        description="The email's subject and sender. Rapport doesn't store its content, which is empty.",
        access=_READ,
        params=(CAMPAIGN_ACTIVITY_ID,),
        returns=Returns(
            description="The preview.",
            schema=Preview,
            example={
                "campaign_activity_id": examples.CAMPAIGN_ACTIVITY_ID,
                "from_email": "ada@example.com",
                "from_name": "Ada",
                "reply_to_email": "ada@example.com",
                "subject": "Spring is here",
                "preview_html_content": "",
                "preview_text_content": "",
            },
        ),
        errors=(UnknownCampaignActivity,),
    )
    async def get_preview(self, request: Request, principal: Principal) -> Response:
        activity = await get_campaign_activity(self._campaigns, principal.account_id, CAMPAIGN_ACTIVITY_ID.get(request))
        preheader = get_text(activity.attributes, "preheader")
        return encode_response(
            Preview(
                campaign_activity_id=activity.campaign_activity_id,
                from_email=get_text(activity.attributes, "from_email") or "",
                from_name=get_text(activity.attributes, "from_name") or "",
                reply_to_email=get_text(activity.attributes, "reply_to_email") or "",
                subject=get_text(activity.attributes, "subject") or "",
                preheader=UNSET if preheader is None else preheader,
                preview_html_content="",
                preview_text_content="",
            )
        )


def _runs(hours: list[HourlyCount]) -> list[SendHistory]:
    """Return the runs of the hours in which there were sends, earliest first."""
    runs: list[tuple[HourlyCount, int]] = []
    latest = None
    for hour in hours:
        if latest is None or hour.hour - latest > _PAUSE:
            runs.append((hour, 0))
        first, count = runs[-1]
        runs[-1] = first, count + hour.activities
        latest = hour.hour
    return [
        SendHistory(
            send_id=number,
            contact_list_ids=[],
            segment_ids=[],
            count=count,
            run_date=iso(first.hour),
            send_status="COMPLETED",
            reason_code=0,
        )
        for number, (first, count) in enumerate(runs, 1)
    ]
