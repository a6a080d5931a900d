"""Reports on one contact: its activities, the emails sent to it, and its open and click rates."""

from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from rapport.activity import EARLIEST, TYPE_NAMES, ActivityType
from rapport.api import examples
from rapport.api.endpoint import Access, Resource, Returns, endpoint
from rapport.api.pagination import Cursors
from rapport.api.params import ActivityTypes, Cursor, Flag, Limit, PathId, RequiredTime, TimeRange
from rapport.api.query import Query, get_query, read_query
from rapport.api.responses import Id, Links, Time, encode_response, json_response, page_links
from rapport.api.v3.activity_page import encode_activity_page
from rapport.auth.scope import Privilege, Scope
from rapport.auth.token import Principal
from rapport.caching import cache_short
from rapport.errors import InvalidField, MalformedContactId, UnknownContact
from rapport.instant import iso
from rapport.reporting.contact_activities import get_activity_page
from rapport.reporting.contact_summary import (
    PAGE_SIZE,
    SummaryRequest,
    first_summary_request,
    get_activity_summary,
    get_open_and_click_rates,
)
from rapport.reporting.page import PageRequest, cursor_at
from rapport.reporting.period import Period
from rapport.store.activities import START_OF_HISTORY, ActivityRepository, SentCampaignActivity

_CONTACT: Final = "/v3/reports/contact_reports/{contact_id:any}"
_READ: Final = Access(Scope.CONTACT_DATA, Privilege.REPORTS)
_TAG: Final = "Contacts Reporting"
_MAX_YEARS: Final = 5
"""The longest period of the rates that Constant Contact accepts."""

# Parameters

CONTACT_ID: Final = PathId("contact_id", "The contact.", examples.CONTACT_ID, MalformedContactId)
ACTIVITY_TYPES: Final = ActivityTypes("The activity types to return.", required=True)
INCLUDE_NAMES: Final = Flag(
    "include_campaign_activity_names", "Whether to return the names of campaign activities.", default=True
)
LIMIT: Final = Limit("activities", 100)
CREATED: Final = TimeRange("created_after", "created_before", "activities that happened")
CURSOR: Final = Cursor()
_PERIOD_START: Final = "Only emails that were last sent to the contact at this time or later."
_PERIOD_END: Final = "Only emails that were last sent to the contact at this time or earlier."
START: Final = RequiredTime("start", _PERIOD_START)
END: Final = RequiredTime("end", _PERIOD_END)
START_OR_NEXT: Final = RequiredTime("start", _PERIOD_START, unless_cursor=True)
END_OR_NEXT: Final = RequiredTime("end", _PERIOD_END, unless_cursor=True)


# Response types

TypeName = Annotated[
    str, Meta(description="What the contact did.", extra_json_schema={"enum": list(TYPE_NAMES)}, examples=["em_clicks"])
]
Rate = Annotated[float, Meta(ge=0, le=1, description="A fraction, 0 to 1.")]


class TrackingActivity(msgspec.Struct, kw_only=True):
    """One activity of the contact. Its type has both names that Constant Contact has published."""

    contact_id: Id
    campaign_activity_id: Id
    campaign_activity_name: str | UnsetType = UNSET
    created_time: Time
    tracking_activity_type: TypeName
    tracking_activities_list: TypeName


class TrackingActivitiesPage(msgspec.Struct):
    """A page of a contact's activities, newest first."""

    tracking_activities: list[TrackingActivity]
    links: Links = msgspec.field(name="_links")


class ContactOpenAndClickRates(msgspec.Struct, kw_only=True):
    """The fractions of the emails sent to a contact that it opened and clicked at least once."""

    contact_id: Id
    included_activities_count: int
    average_open_rate: Rate
    average_click_rate: Rate


class CampaignActivitySummary(msgspec.Struct, kw_only=True):
    """A campaign activity that was sent to a contact, with the number of the contact's activities by type."""

    campaign_activity_id: Id
    start_on: Time
    em_sends: int
    em_opens: int
    em_clicks: int
    em_bounces: int
    em_forwards: int
    em_unsubscribes: int


class ContactCampaignActivitiesSummary(msgspec.Struct, kw_only=True):
    """A page of campaign activities, most recently sent first."""

    contact_id: Id
    campaign_activities: list[CampaignActivitySummary]
    links: Links = msgspec.field(name="_links")


def _example_activity(activity_type: str, created_time: str) -> dict[str, str]:
    return {
        "contact_id": examples.CONTACT_ID,
        "campaign_activity_id": examples.CAMPAIGN_ACTIVITY_ID,
        "campaign_activity_name": "April Newsletter",
        "created_time": created_time,
        "tracking_activity_type": activity_type,
        "tracking_activities_list": activity_type,
    }


_EXAMPLE_PAGE: Final[dict[str, Any]] = {
    "tracking_activities": [
        _example_activity("em_clicks", "2017-04-02T05:11:34.000Z"),
        _example_activity("em_sends", "2017-04-02T04:08:00.000Z"),
    ],
    "_links": {
        "next": {"href": f"/v3/reports/contact_reports/{examples.CONTACT_ID}/activity_details?next={examples.CURSOR}"}
    },
}


class ContactReports(Resource):
    """The reports on one contact. `default_types` are those of a request for activities that names no type."""

    def __init__(
        self, activities: ActivityRepository, cursors: Cursors, default_types: tuple[ActivityType, ...]
    ) -> None:
        self._activities = activities
        self._cursors = cursors
        self._default_types = default_types

    @endpoint(
        "GET",
        f"{_CONTACT}/activity_details",
        operation_id="getContactTracking",
        tag=_TAG,
        summary="List a contact's activities",
        description="Every activity of the given types, newest first. Follow `_links.next.href` until a page has none: "
        "activities that are recorded meanwhile are neither repeated nor skipped.",
        access=_READ,
        params=(CONTACT_ID, ACTIVITY_TYPES, INCLUDE_NAMES, LIMIT, CREATED, CURSOR),
        returns=Returns(description="A page of activities.", schema=TrackingActivitiesPage, example=_EXAMPLE_PAGE),
        errors=(UnknownContact,),
    )
    async def list_activities(self, request: Request, principal: Principal) -> Response:
        path = _path(request, "activity_details")
        page_request = parse_page(request.scope["query_string"], self._default_types)
        if isinstance(page_request, str):
            page_request = self._cursors.decode(page_request, principal, path, PageRequest)
        contact_id = CONTACT_ID.get(request)
        page = await get_activity_page(self._activities, principal.account_id, contact_id, page_request)
        next_href = self._cursors.next_href(principal, path, page.next)
        return json_response(
            encode_activity_page(contact_id, page, with_names=page_request.with_names, next_href=next_href)
        )

    @endpoint(
        "GET",
        f"{_CONTACT}/activity_summary",
        operation_id="getContactTrackingCount",
        tag=_TAG,
        summary="Count a contact's activities per email",
        description="The emails whose last send to the contact lies between `start` and `end`, most recently sent "
        f"first, {PAGE_SIZE} a page. Each has the number of all of the contact's activities with it, whenever they "
        "happened.",
        access=_READ,
        params=(CONTACT_ID, START_OR_NEXT, END_OR_NEXT, CURSOR),
        returns=Returns(
            description="A page of emails.",
            schema=ContactCampaignActivitiesSummary,
            example={
                "contact_id": examples.CONTACT_ID,
                "campaign_activities": [
                    {
                        "campaign_activity_id": examples.CAMPAIGN_ACTIVITY_ID,
                        "start_on": "2017-04-02T04:08:00.000Z",
                        "em_sends": 1,
                        "em_opens": 3,
                        "em_clicks": 1,
                        "em_bounces": 0,
                        "em_forwards": 0,
                        "em_unsubscribes": 0,
                    }
                ],
                "_links": {},
            },
        ),
        errors=(UnknownContact,),
    )
    async def summarize_activities(self, request: Request, principal: Principal) -> Response:
        path = _path(request, "activity_summary")
        query = get_query(request)
        page_request = self._cursors.decode_optional(CURSOR.get(query), principal, path, SummaryRequest)
        if page_request is None:
            page_request = first_summary_request(_period(query))
        contact_id = CONTACT_ID.get(request)
        summary = await get_activity_summary(self._activities, principal.account_id, contact_id, page_request)
        return encode_response(
            ContactCampaignActivitiesSummary(
                contact_id=contact_id,
                campaign_activities=[_summary(sent) for sent in summary.campaign_activities],
                links=page_links(self._cursors.next_href(principal, path, summary.next)),
            )
        )

    @endpoint(
        "GET",
        f"{_CONTACT}/open_and_click_rates",
        operation_id="getContactOpenClickRate",
        tag=_TAG,
        summary="Get a contact's open and click rates",
        description="Of the emails whose last send to the contact lies between `start` and `end`: their number, and "
        f"the fractions that the contact opened and clicked at least once. At most {_MAX_YEARS} years.",
        access=_READ,
        params=(CONTACT_ID, START, END),
        returns=Returns(
            description="The rates.",
            schema=ContactOpenAndClickRates,
            example={
                "contact_id": examples.CONTACT_ID,
                "included_activities_count": 10,
                "average_open_rate": 0.6,
                "average_click_rate": 0.2,
            },
        ),
        errors=(UnknownContact,),
    )
    async def get_rates(self, request: Request, principal: Principal) -> Response:
        query = get_query(request)
        period = _period(query)
        if period.is_longer_than(_MAX_YEARS):
            raise InvalidField("end", query["end"][0], f"must not be more than {_MAX_YEARS} years after start")
        contact_id = CONTACT_ID.get(request)
        rates = await get_open_and_click_rates(self._activities, principal.account_id, contact_id, period)
        return encode_response(
            ContactOpenAndClickRates(
                contact_id=contact_id,
                included_activities_count=rates.included_activities_count,
                average_open_rate=rates.average_open_rate,
                average_click_rate=rates.average_click_rate,
            )
        )


def _path(request: Request, report: str) -> str:
    return f"/v3/reports/contact_reports/{CONTACT_ID.get_segment(request)}/{report}"


@cache_short(maxsize=512)
def parse_page(query_string: bytes, default_types: tuple[ActivityType, ...]) -> PageRequest | str:
    """Return the query's cursor, or else the request for the first page with its parameters. Raises InvalidField.

    Cached, because clients send the same query for many contacts.
    """
    query = read_query(query_string)
    cursor = CURSOR.get(query)
    if cursor is not None:
        return cursor
    created = CREATED.get_bounds(query)
    return PageRequest(
        types=ACTIVITY_TYPES.get(query, default_types),
        limit=LIMIT.get(query),
        with_names=INCLUDE_NAMES.get(query),
        not_before=EARLIEST if created.after is None else created.after,
        after=START_OF_HISTORY if created.before is None else cursor_at(created.before),
    )


def _period(query: Query) -> Period:
    start, end = START.get(query), END.get(query)
    if start > end:
        raise InvalidField("start", query["start"][0], "must not be later than end")
    return Period(start, end)


def _summary(sent: SentCampaignActivity) -> CampaignActivitySummary:
    return CampaignActivitySummary(
        campaign_activity_id=sent.campaign_activity_id,
        start_on=iso(sent.start_on),
        em_sends=sent.em_sends,
        em_opens=sent.em_opens,
        em_clicks=sent.em_clicks,
        em_bounces=sent.em_bounces,
        em_forwards=sent.em_forwards,
        em_unsubscribes=sent.em_optouts,
    )
