"""Summaries of text message campaigns. Rapport records none, so this report is empty."""

from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from rapport.api.endpoint import Access, Resource, Returns, endpoint
from rapport.api.params import Limit, TimeRange
from rapport.api.query import get_query
from rapport.api.responses import Id, Links, Time, encode_response
from rapport.auth.scope import Privilege, Scope
from rapport.auth.token import Principal
from rapport.errors import InvalidField

LIMIT: Final = Limit("campaigns", 50, as_text=False)
SENT: Final = TimeRange("start_at", "end_at", "campaigns that were last sent")


class UniqueSmsCounts(msgspec.Struct, kw_only=True):
    """The number of contacts with each type of activity."""

    sends: int
    delivers: int
    clicks: int
    optouts: int


class SmsCampaignSummary(msgspec.Struct, kw_only=True):
    """A campaign that was sent."""

    campaign_id: Id
    campaign_name: str
    campaign_type: str
    last_sent_date: Time
    unique_counts: UniqueSmsCounts


class SmsPercents(msgspec.Struct, kw_only=True):
    """Percentages over the campaigns of a page."""

    click: float
    deliver: float
    bounce: float
    unsubscribe: float


class SmsCampaignSummariesPage(msgspec.Struct, kw_only=True):
    """A page of campaigns, most recently sent first."""

    bulk_sms_campaign_summaries: list[SmsCampaignSummary]
    aggregate_percents: SmsPercents
    links: Links = msgspec.field(name="_links")


class SmsReports(Resource):
    """Reports on text messages."""

    @endpoint(
        "GET",
        "/v3/reports/summary_reports/sms_campaign_summaries",
        operation_id="getAllBulkSmsCampaignSummaries",
        tag="SMS Reporting",
        summary="Summarize text message campaigns",
        description="`start_at` is required. Rapport records no text messages, so the page is empty.",
        access=Access(Scope.CAMPAIGN_DATA, Privilege.REPORTS),
        params=(LIMIT, SENT),
        returns=Returns(
            description="A page of summaries.",
            schema=SmsCampaignSummariesPage,
            example={
                "bulk_sms_campaign_summaries": [],
                "aggregate_percents": {"click": 0, "deliver": 0, "bounce": 0, "unsubscribe": 0},
                "_links": {},
            },
        ),
    )
    async def list_summaries(self, request: Request, _principal: Principal) -> Response:
        query = get_query(request)
        LIMIT.get(query)
        if SENT.get_bounds(query).after is None:
            raise InvalidField("start_at", None, "is required: a date or an ISO 8601 time with its offset")
        return encode_response(
            SmsCampaignSummariesPage(
                bulk_sms_campaign_summaries=[],
                aggregate_percents=SmsPercents(click=0, deliver=0, bounce=0, unsubscribe=0),
                links=Links(),
            )
        )
