"""Reports on one landing page: a list of activities for each type.

A new report is a new `ReportDefinition`; `rapport.store.tracking` defines which activities it selects.
"""

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from rapport.api.params import Limit
from rapport.api.v3.tracking_reports import (
    CONTACTS_FILTER,
    MAX_ROWS,
    ContactActivity,
    DeviceName,
    ReportDefinition,
    TrackingReports,
    UrlId,
    device_column,
    link_columns,
)
from rapport.store.tracking import LANDING_PAGE_REPORTS

# Response types


class LandingPageNext(msgspec.Struct):
    """The link to the next page."""

    href: Annotated[str, Meta(description="Empty on the last page.")]


class LandingPageLinks(msgspec.Struct):
    """The links of a page. `next` is always there: Constant Contact's client requires it.

    See docs/compatibility.md#landing-page-links.
    """

    next: LandingPageNext


class LandingPageActivity(ContactActivity, kw_only=True):
    """A contact's activity on a landing page."""

    device_type: DeviceName | UnsetType = UNSET


class LandingPageClick(LandingPageActivity, kw_only=True):
    """A contact clicked a link on a landing page."""

    url_id: UrlId
    link_url: Annotated[str, Meta(description="Empty if unknown.")]


class LandingPagePage(msgspec.Struct):
    """A page of what contacts did on a landing page, newest first."""

    tracking_activities: list[LandingPageActivity]
    links: LandingPageLinks = msgspec.field(name="_links")


class LandingPageClicksPage(msgspec.Struct):
    """A page of each contact's latest click on each link, newest first."""

    tracking_activities: list[LandingPageClick]
    links: LandingPageLinks = msgspec.field(name="_links")


# Reports


_DEVICE: Final = {"device_type": "mobile"}
_LATEST: Final = "One item per contact, its latest activity, newest first."


class LandingPageReports(TrackingReports):
    """The reports on one landing page."""

    path = "/v3/reports/landing_pages/campaign_details/{campaign_activity_id:any}"
    tag = "Landing Page Reporting"
    selections = LANDING_PAGE_REPORTS
    limit = Limit("activities", MAX_ROWS, 50)
    reports = (
        ReportDefinition(
            name="p_contact_opens",
            description="One item per view, newest first.",
            operation_id="getContactOpens",
            summary="List landing page views",
            type_name="p_contact_opens",
            page=LandingPagePage,
            row=LandingPageActivity,
            columns=device_column,
            params=(CONTACTS_FILTER,),
            example=_DEVICE,
        ),
        ReportDefinition(
            name="p_unique_contact_opens",
            description=_LATEST,
            operation_id="getUniqueContactOpens",
            summary="List contacts that viewed the landing page",
            type_name="p_contact_opens",
            page=LandingPagePage,
            row=LandingPageActivity,
            columns=device_column,
            params=(CONTACTS_FILTER,),
            example=_DEVICE,
        ),
        ReportDefinition(
            name="p_unique_contact_clicks",
            description="One item per contact and link, the latest click, newest first.",
            operation_id="getUniqueContactClicks",
            summary="List contacts that clicked on the landing page",
            type_name="p_contact_click",
            page=LandingPageClicksPage,
            row=LandingPageClick,
            columns=link_columns,
            params=(CONTACTS_FILTER,),
            example={**_DEVICE, "url_id": "105", "link_url": "https://shop.example.com/spring"},
        ),
        ReportDefinition(
            name="p_unique_contact_adds",
            description=_LATEST,
            operation_id="getContactAdds",
            summary="List contacts that signed up",
            type_name="p_contact_adds",
            page=LandingPagePage,
            row=LandingPageActivity,
            columns=device_column,
            params=(CONTACTS_FILTER,),
            example=_DEVICE,
        ),
        ReportDefinition(
            name="p_unique_contact_updates",
            description=_LATEST,
            operation_id="getUniqueContactUpdates",
            summary="List contacts that updated their profile",
            type_name="p_contact_updates",
            page=LandingPagePage,
            row=LandingPageActivity,
            columns=device_column,
            params=(CONTACTS_FILTER,),
            example=_DEVICE,
        ),
        ReportDefinition(
            name="p_unique_contact_sms_optins",
            description="Always empty: Rapport records no text messages.",
            operation_id="getUniqueContactSmsOptIns",
            summary="List contacts that opted in to text messages",
            type_name="p_contact_sms_optins",
            page=LandingPagePage,
            row=LandingPageActivity,
            columns=device_column,
            params=(CONTACTS_FILTER,),
            example=_DEVICE,
        ),
    )

    @staticmethod
    def links(next_href: str | None) -> LandingPageLinks:
        """Return the `_links` of a page; `next_href` is None on the last one."""
        return LandingPageLinks(LandingPageNext(next_href or ""))
