"""The operations of the reports on one landing page."""

from typing import Final

from rapport.api.descriptions.email_reports import BOUNDS, CAMPAIGN_ACTIVITY, MOST_500
from rapport.api.descriptions.parts import (
    AUTHORISED,
    EXAMPLE_CAMPAIGN_ACTIVITY,
    EXAMPLE_CONTACT,
    NEXT_PARAMETER,
    Json,
    answer,
    limit_parameter,
    problems,
    schema,
)
from rapport.api.email_parameters import LONGEST_FILTER, MOST_TRACKING_ROWS, UNSAID_LANDING_PAGE_ROWS
from rapport.api.v3.email_reports import LANDING_PAGES
from rapport.auth.scope import Privilege, Scope
from rapport.errors import InvalidField, StoreUnavailable, UnknownCampaignActivity

_CONTACTS_FILTER: Final[Json] = {
    "name": "contacts_filter",
    "in": "query",
    "description": "Only contacts that have this in first name, last name or e-mail address, as known now.",
    "required": False,
    "schema": {"type": "string", "maxLength": LONGEST_FILTER, "pattern": "^[ -~]*$"},
    "example": "ada",
}

_LAST: Final = "One item for each contact, its last one, newest first."


def _report(
    report: str, operation: str, summary: str, *, kind: str, items: str = _LAST, link: Json | None = None
) -> Json:
    path = LANDING_PAGES[report].replace("{campaign_activity_id:path}", EXAMPLE_CAMPAIGN_ACTIVITY)
    row = {
        "contact_id": EXAMPLE_CONTACT,
        "campaign_activity_id": EXAMPLE_CAMPAIGN_ACTIVITY,
        "tracking_activity_type": kind,
        "email_address": "ada@example.com",
        "first_name": "Ada",
        "last_name": "Lovelace",
        "created_time": "2017-04-02T05:11:34.000Z",
        "device_type": "mobile",
        **(link or {}),
    }
    example = {"tracking_activities": [row], "_links": {"next": {"href": f"{path}?next=uM3cVx0GkN5yQw8B2rT1"}}}
    return {
        "tags": ["Landing Page Reporting"],
        "operationId": operation,
        "summary": summary,
        "description": f"{items} Follow `_links.next.href` until it is empty.",
        "parameters": [
            CAMPAIGN_ACTIVITY,
            _CONTACTS_FILTER,
            limit_parameter(MOST_TRACKING_ROWS, MOST_500, UNSAID_LANDING_PAGE_ROWS),
            *BOUNDS,
            NEXT_PARAMETER,
        ],
        "responses": {
            "200": answer("A page.", schema("LandingPagePage" if link is None else "LandingPageClicksPage"), example),
            **problems(
                InvalidField, *AUTHORISED, UnknownCampaignActivity, StoreUnavailable, path=LANDING_PAGES[report]
            ),
        },
        "security": [{"token": [Scope.CAMPAIGN_DATA.value]}],
        "x-authorization-privileges": [Privilege.REPORTS.value],
    }


_OPERATIONS: Final = {
    "p_contact_opens": _report(
        "p_contact_opens",
        "getContactOpens",
        "Who opened this landing page?",
        kind="p_contact_opens",
        items="One item each, newest first.",
    ),
    "p_unique_contact_opens": _report(
        "p_unique_contact_opens",
        "getUniqueContactOpens",
        "Which contacts opened this landing page?",
        kind="p_contact_opens",
    ),
    "p_unique_contact_clicks": _report(
        "p_unique_contact_clicks",
        "getUniqueContactClicks",
        "Which contacts clicked which links on this landing page?",
        kind="p_contact_click",
        items="One item for each contact and link, the last click, newest first.",
        link={"url_id": "105", "link_url": "https://shop.example.com/spring"},
    ),
    "p_unique_contact_adds": _report(
        "p_unique_contact_adds",
        "getContactAdds",
        "Which contacts did this landing page bring?",
        kind="p_contact_adds",
    ),
    "p_unique_contact_updates": _report(
        "p_unique_contact_updates",
        "getUniqueContactUpdates",
        "Which contacts changed what is known of them on this landing page?",
        kind="p_contact_updates",
    ),
    "p_unique_contact_sms_optins": _report(
        "p_unique_contact_sms_optins",
        "getUniqueContactSmsOptIns",
        "Which contacts agreed to text messages on this landing page?",
        kind="p_contact_sms_optins",
        items="Always empty: Rapport records no text messages.",
    ),
}

OPERATIONS: Final[Json] = {
    LANDING_PAGES[report].replace(":path", ""): {"get": operation} for report, operation in _OPERATIONS.items()
}
