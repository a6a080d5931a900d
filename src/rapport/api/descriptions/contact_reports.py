"""The operations of the reports on one contact."""

from typing import Final

from rapport.activity import TYPE_NAMES
from rapport.api.descriptions.parts import (
    AUTHORISED,
    EXAMPLE_CONTACT,
    NEXT_PARAMETER,
    Json,
    answer,
    limit_parameter,
    problems,
    schema,
    time_parameter,
)
from rapport.api.parameters import MOST_ROWS, MOST_YEARS
from rapport.api.v3.contact_reports import ACTIVITY_DETAILS, ACTIVITY_SUMMARY, OPEN_AND_CLICK_RATES
from rapport.auth.scope import Privilege, Scope
from rapport.errors import InvalidField, StoreUnavailable, UnknownContact
from rapport.reporting.contact_summary import SUMMARIES

_EXAMPLE_PAGE: Final[Json] = {
    "tracking_activities": [
        {
            "contact_id": EXAMPLE_CONTACT,
            "campaign_activity_id": "71600990-908b-11e6-907f-00166bff25",
            "campaign_activity_name": "April Newsletter",
            "created_time": "2017-04-02T05:11:34.000Z",
            "tracking_activity_type": "em_clicks",
            "tracking_activities_list": "em_clicks",
        },
        {
            "contact_id": EXAMPLE_CONTACT,
            "campaign_activity_id": "71600990-908b-11e6-907f-00166bff25",
            "campaign_activity_name": "April Newsletter",
            "created_time": "2017-04-02T04:08:00.000Z",
            "tracking_activity_type": "em_sends",
            "tracking_activities_list": "em_sends",
        },
    ],
    "_links": {
        "next": {"href": f"/v3/reports/contact_reports/{EXAMPLE_CONTACT}/activity_details?next=uM3cVx0GkN5yQw8B2rT1"}
    },
}


def _types_parameter(name: str, description: str, other: str) -> Json:
    return {
        "name": name,
        "in": "query",
        "description": f"{description} Exactly one of this and `{other}` is required. Both are taken repeated, joined "
        "by commas, or mixed.",
        "required": False,
        "style": "form",
        "explode": True,
        "schema": {"type": "array", "items": {"type": "string", "enum": list(TYPE_NAMES)}, "minItems": 1},
        "example": ["em_sends", "em_opens"],
    }


_OURS: Final = "Rapport's own, the vendor has none."

_CONTACT_ID: Final[Json] = {
    "name": "contact_id",
    "in": "path",
    "description": "The contact.",
    "required": True,
    "schema": schema("Id"),
    "example": EXAMPLE_CONTACT,
}

_ACTIVITY_DETAILS: Final[Json] = {
    "tags": ["Contacts Reporting"],
    "operationId": "getContactTracking",
    "summary": "What did this contact do?",
    "description": "Every activity of the given types, one item each, newest first. Follow `_links.next.href` until "
    "the answer has none: what comes in meanwhile neither repeats nor hides anything.",
    "parameters": [
        _CONTACT_ID,
        _types_parameter("tracking_activity_type", "The types of activity, as an array.", "tracking_activities_list"),
        _types_parameter("tracking_activities_list", "The types of activity, as a list.", "tracking_activity_type"),
        {
            "name": "include_campaign_activity_names",
            "in": "query",
            "description": "Whether items say the names of their campaign activities; `1` and `0` are taken as well.",
            "required": False,
            "schema": {"type": "boolean", "default": True},
        },
        limit_parameter(MOST_ROWS, "^([1-9][0-9]?|100)$"),
        time_parameter("created_after", f"Only what happened then or later. {_OURS}"),
        time_parameter("created_before", f"Only what happened then or earlier. {_OURS}"),
        NEXT_PARAMETER,
    ],
    "responses": {
        "200": answer("A page.", schema("TrackingActivitiesPage"), _EXAMPLE_PAGE),
        **problems(InvalidField, *AUTHORISED, UnknownContact, StoreUnavailable),
    },
    "security": [{"token": [Scope.CONTACT_DATA.value]}],
    "x-authorization-privileges": [Privilege.REPORTS.value],
}


_EXAMPLE_SUMMARY: Final[Json] = {
    "contact_id": EXAMPLE_CONTACT,
    "campaign_activities": [
        {
            "campaign_activity_id": "71600990-908b-11e6-907f-00166bff25",
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
}

_EXAMPLE_RATES: Final[Json] = {
    "contact_id": EXAMPLE_CONTACT,
    "included_activities_count": 10,
    "average_open_rate": 0.6,
    "average_click_rate": 0.2,
}

_START: Final = "What was last sent to the contact then or later."
_END: Final = "What was last sent to the contact then or earlier."
_UNLESS_NEXT: Final = "Required, unless there is a `next`."

_ACTIVITY_SUMMARY: Final[Json] = {
    "tags": ["Contacts Reporting"],
    "operationId": "getContactTrackingCount",
    "summary": "What was sent to this contact, and what came of it?",
    "description": f"The emails whose last send to the contact lies between `start` and `end`, that which was sent "
    f"last first, {SUMMARIES} a page. Each with the number of all activities of the contact with it, whenever they "
    "happened.",
    "parameters": [
        _CONTACT_ID,
        time_parameter("start", f"{_START} {_UNLESS_NEXT}"),
        time_parameter("end", f"{_END} {_UNLESS_NEXT}"),
        NEXT_PARAMETER,
    ],
    "responses": {
        "200": answer("A page.", schema("ContactCampaignActivitiesSummary"), _EXAMPLE_SUMMARY),
        **problems(InvalidField, *AUTHORISED, UnknownContact, StoreUnavailable),
    },
    "security": [{"token": [Scope.CONTACT_DATA.value]}],
    "x-authorization-privileges": [Privilege.REPORTS.value],
}

_OPEN_AND_CLICK_RATES: Final[Json] = {
    "tags": ["Contacts Reporting"],
    "operationId": "getContactOpenClickRate",
    "summary": "How much does this contact open and click?",
    "description": "Of the emails whose last send to the contact lies between `start` and `end`: how many there are, "
    f"and which fractions of them it opened and clicked at all. At most {MOST_YEARS} years.",
    "parameters": [
        _CONTACT_ID,
        time_parameter("start", _START, required=True),
        time_parameter("end", _END, required=True),
    ],
    "responses": {
        "200": answer("The rates.", schema("ContactOpenAndClickRates"), _EXAMPLE_RATES),
        **problems(InvalidField, *AUTHORISED, UnknownContact, StoreUnavailable),
    },
    "security": [{"token": [Scope.CONTACT_DATA.value]}],
    "x-authorization-privileges": [Privilege.REPORTS.value],
}

OPERATIONS: Final[Json] = {
    ACTIVITY_DETAILS.replace(":path", ""): {"get": _ACTIVITY_DETAILS},
    ACTIVITY_SUMMARY.replace(":path", ""): {"get": _ACTIVITY_SUMMARY},
    OPEN_AND_CLICK_RATES.replace(":path", ""): {"get": _OPEN_AND_CLICK_RATES},
}
