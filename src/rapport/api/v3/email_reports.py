"""Reports on one email: a list of activities for each type, and its links.

A new report is a new `ReportDefinition`; `rapport.store.tracking` defines which activities it selects.
"""

from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from rapport.activity import BOUNCE_CODES, BounceCode
from rapport.api import examples
from rapport.api.endpoint import Returns, endpoint
from rapport.api.params import Flag, Limit
from rapport.api.query import get_query
from rapport.api.responses import Id, Links, encode_response, page_links
from rapport.api.v3.tracking_reports import (
    BOUNCE_CODE,
    CAMPAIGN_ACTIVITY_ID,
    CURSOR,
    MAX_ROWS,
    READ_REPORTS,
    URL_ID,
    ContactActivity,
    DeviceName,
    ReportDefinition,
    TrackingReports,
    UrlId,
    device_column,
    link_columns,
    no_columns,
    or_unset,
)
from rapport.auth.token import Principal
from rapport.errors import UnknownCampaignActivity
from rapport.reporting.tracking_reports import LinksRequest, get_links_page
from rapport.store.tracking import EMAIL_REPORTS, TrackingRow

_EMAIL: Final = "/v3/reports/email_reports/{campaign_activity_id:any}"
_LINKS: Final = f"{_EMAIL}/links"
_TAG: Final = "Email Reporting"
_MAX_LINKS: Final = 1_000
"""The maximum number of links in an email at Constant Contact."""

LINK_LIMIT: Final = Limit("links", _MAX_LINKS)
NO_CLICKS: Final = Flag("no_clicks", "Whether to return links that nobody clicked as well.", default=False)


# Response types


class SendsTrackingActivity(ContactActivity, kw_only=True):
    """The email was sent to the contact."""


class OpensTrackingActivity(ContactActivity, kw_only=True):
    """The contact opened the email."""

    device_type: DeviceName | UnsetType = UNSET


class DidNotOpensTrackingActivity(ContactActivity, kw_only=True):
    """The email was sent to the contact at this time, and the contact has not opened it."""


class ClicksTrackingActivity(ContactActivity, kw_only=True):
    """The contact clicked a link in the email."""

    device_type: DeviceName | UnsetType = UNSET
    url_id: UrlId
    link_url: Annotated[str, Meta(description="Empty if unknown.")]


class ForwardsTrackingActivity(ContactActivity, kw_only=True):
    """The contact forwarded the email."""


class OptoutsTrackingActivity(ContactActivity, kw_only=True):
    """The contact unsubscribed."""

    opt_out_reason: str | UnsetType = UNSET


class BouncesTrackingActivity(ContactActivity, kw_only=True):
    """The email bounced."""

    bounce_code: Annotated[
        str,
        Meta(
            description="Why: B invalid address, D undeliverable, F mailbox full, S suspended, V auto-reply, X other "
            "or unknown, Z blocked.",
            extra_json_schema={"enum": list(BOUNCE_CODES)},
        ),
    ]
    current_email_address: Annotated[str, Meta(description="The contact's current address.")] | UnsetType = UNSET


class SendsPage(msgspec.Struct):
    """A page of sends, newest first."""

    tracking_activities: list[SendsTrackingActivity]
    links: Links = msgspec.field(name="_links")


class OpensPage(msgspec.Struct):
    """A page of opens, newest first."""

    tracking_activities: list[OpensTrackingActivity]
    links: Links = msgspec.field(name="_links")


class DidNotOpensPage(msgspec.Struct):
    """A page of contacts that have not opened the email, by the last time it was sent to them, newest first."""

    tracking_activities: list[DidNotOpensTrackingActivity]
    links: Links = msgspec.field(name="_links")


class ClicksPage(msgspec.Struct):
    """A page of clicks, newest first."""

    tracking_activities: list[ClicksTrackingActivity]
    links: Links = msgspec.field(name="_links")


class ForwardsPage(msgspec.Struct):
    """A page of forwards, newest first."""

    tracking_activities: list[ForwardsTrackingActivity]
    links: Links = msgspec.field(name="_links")


class OptoutsPage(msgspec.Struct):
    """A page of opt-outs, newest first."""

    tracking_activities: list[OptoutsTrackingActivity]
    links: Links = msgspec.field(name="_links")


class BouncesPage(msgspec.Struct):
    """A page of bounces, newest first."""

    tracking_activities: list[BouncesTrackingActivity]
    links: Links = msgspec.field(name="_links")


class LinkClickCount(msgspec.Struct):
    """A link. Links with the same address are one, and so are all links that only erased contacts clicked."""

    link_url: Annotated[str, Meta(description="Empty if unknown or erased.")]
    url_id: UrlId
    unique_clicks: Annotated[int, Meta(ge=0, description="The number of contacts that clicked it.")]


class LinksPage(msgspec.Struct):
    """A page of an email's links, most clicked first. `_links` is only there if there are more."""

    campaign_activity_id: Id
    link_click_counts: list[LinkClickCount]
    links: Links | UnsetType = msgspec.field(name="_links", default=UNSET)


# Reports


def _reason_column(row: TrackingRow) -> dict[str, Any]:
    return {"opt_out_reason": or_unset(row.opt_out_reason)}


def _bounce_columns(row: TrackingRow) -> dict[str, Any]:
    code = BounceCode.X if row.bounce_code is None else BounceCode(row.bounce_code)
    return {"bounce_code": code.name, "current_email_address": or_unset(row.current_profile.email_address)}


_DEVICE: Final = {"device_type": "mobile"}
_LINK: Final = {"url_id": "105", "link_url": "https://shop.example.com/spring"}

_AS_AT_THE_TIME: Final = "with the address and names as they were at the time."
_DESCRIPTION: Final = f"One item per activity, newest first, {_AS_AT_THE_TIME}"

REPORTS: Final = (
    ReportDefinition(
        name="sends",
        description=_DESCRIPTION,
        operation_id="getEmailSendsReport",
        summary="List sends",
        type_name="em_sends",
        page=SendsPage,
        row=SendsTrackingActivity,
        columns=no_columns,
    ),
    ReportDefinition(
        name="opens",
        description=_DESCRIPTION,
        operation_id="getEmailOpensReport",
        summary="List opens",
        type_name="em_opens",
        page=OpensPage,
        row=OpensTrackingActivity,
        columns=device_column,
        example=_DEVICE,
    ),
    ReportDefinition(
        name="unique_opens",
        description=f"One item per contact, its latest open, newest first, {_AS_AT_THE_TIME}",
        operation_id="getUniqueOpensReport",
        summary="List contacts that opened",
        type_name="em_opens",
        page=OpensPage,
        row=OpensTrackingActivity,
        columns=device_column,
        example=_DEVICE,
    ),
    ReportDefinition(
        name="didnotopens",
        description="One item per contact that the email was sent to and that neither opened it nor bounced, with the "
        f"time of the last send, newest first, {_AS_AT_THE_TIME}",
        operation_id="getDidNotOpensReport",
        summary="List contacts that did not open",
        type_name="em_didnotopens",
        page=DidNotOpensPage,
        row=DidNotOpensTrackingActivity,
        columns=no_columns,
    ),
    ReportDefinition(
        name="clicks",
        description=_DESCRIPTION,
        operation_id="getClicksReport",
        summary="List clicks",
        type_name="em_clicks",
        page=ClicksPage,
        row=ClicksTrackingActivity,
        columns=link_columns,
        params=(URL_ID,),
        example={**_DEVICE, **_LINK},
    ),
    ReportDefinition(
        name="forwards",
        description=_DESCRIPTION,
        operation_id="getForwardsReport",
        summary="List forwards",
        type_name="em_forwards",
        page=ForwardsPage,
        row=ForwardsTrackingActivity,
        columns=no_columns,
    ),
    ReportDefinition(
        name="optouts",
        description=_DESCRIPTION,
        operation_id="getOptoutsReport",
        summary="List opt-outs",
        type_name="em_optouts",
        page=OptoutsPage,
        row=OptoutsTrackingActivity,
        columns=_reason_column,
        example={"opt_out_reason": "Too many emails"},
    ),
    ReportDefinition(
        name="bounces",
        description=_DESCRIPTION,
        operation_id="getBouncesReport",
        summary="List bounces",
        type_name="em_bounces",
        page=BouncesPage,
        row=BouncesTrackingActivity,
        columns=_bounce_columns,
        params=(BOUNCE_CODE,),
        example={"bounce_code": "B", "current_email_address": "ada@example.org"},
    ),
)


class EmailReports(TrackingReports):
    """The reports on one email."""

    path = f"{_EMAIL}/tracking"
    tag = _TAG
    reports = REPORTS
    selections = EMAIL_REPORTS
    limit = Limit("activities", MAX_ROWS)

    @endpoint(
        "GET",
        _LINKS,
        operation_id="getCampaignActivityLinkReport",
        tag=_TAG,
        summary="List links",
        description="The links of the email with the number of contacts that clicked each, most clicked first. Links "
        f"with the same address are one. Constant Contact lists all of them; here a page has {_MAX_LINKS:,} links, and "
        "it only has `_links` if there are more.",
        access=READ_REPORTS,
        params=(CAMPAIGN_ACTIVITY_ID, NO_CLICKS, LINK_LIMIT, CURSOR),
        returns=Returns(
            description="The links.",
            schema=LinksPage,
            example={
                "campaign_activity_id": examples.CAMPAIGN_ACTIVITY_ID,
                "link_click_counts": [{**_LINK, "unique_clicks": 19}],
            },
        ),
        errors=(UnknownCampaignActivity,),
    )
    async def list_links(self, request: Request, principal: Principal) -> Response:
        query = get_query(request)
        path = _LINKS.replace("{campaign_activity_id:any}", CAMPAIGN_ACTIVITY_ID.get_segment(request))
        page_request = self.cursors.decode_optional(CURSOR.get(query), principal, path, LinksRequest)
        if page_request is None:
            page_request = LinksRequest(limit=LINK_LIMIT.get(query), no_clicks=NO_CLICKS.get(query))
        campaign_activity_id = CAMPAIGN_ACTIVITY_ID.get(request)
        page = await get_links_page(self.repository, principal.account_id, campaign_activity_id, page_request)
        counts = [LinkClickCount(link.link_url or "", link.url_id, link.unique_clicks) for link in page.links]
        next_href = self.cursors.next_href(principal, path, page.next)
        next_page = UNSET if next_href is None else page_links(next_href)
        return encode_response(LinksPage(campaign_activity_id, counts, next_page))
