"""The operations of the reports on one campaign activity."""

from typing import Final

from rapport.activity import BOUNCE_CODES
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
    time_parameter,
)
from rapport.api.email_parameters import MAX_LINKS, MOST_TRACKING_ROWS
from rapport.api.v3.email_reports import LINKS, TRACKING
from rapport.auth.scope import Privilege, Scope
from rapport.errors import InvalidCursor, InvalidField, StoreUnavailable, UnknownCampaignActivity

CAMPAIGN_ACTIVITY: Final[Json] = {
    "name": "campaign_activity_id",
    "in": "path",
    "description": "The campaign activity.",
    "required": True,
    "schema": schema("Id"),
    "example": EXAMPLE_CAMPAIGN_ACTIVITY,
}

MOST_500: Final = "^([1-9][0-9]?|[1-4][0-9][0-9]|500)$"

MAX_1000: Final = "^([1-9][0-9]{0,2}|1000)$"

BOUNDS: Final = (
    time_parameter("created_after", "Only what happened then or later. Rapport's own, the vendor has none."),
    time_parameter("created_before", "Only what happened then or earlier. Rapport's own, the vendor has none."),
)

_PAGING: Final = (limit_parameter(MOST_TRACKING_ROWS, MOST_500), *BOUNDS, NEXT_PARAMETER)

_NO_CLICKS: Final[Json] = {
    "name": "no_clicks",
    "in": "query",
    "description": "Whether to list the links as well that nobody clicked.",
    "required": False,
    "schema": {"type": "boolean", "default": False},
}

_URL_ID: Final[Json] = {
    "name": "url_id",
    "in": "query",
    "description": "Only clicks on the link with this id.",
    "required": False,
    "schema": {"type": "integer", "format": "int64", "minimum": -(2**63), "maximum": 2**63 - 1},
    "example": 105,
}

_BOUNCE_CODE: Final[Json] = {
    "name": "bounce_code",
    "in": "query",
    "description": "Only bounces with these codes; taken repeated, joined by commas, or mixed.",
    "required": False,
    "style": "form",
    "explode": True,
    "schema": {"type": "array", "items": {"type": "string", "enum": list(BOUNCE_CODES)}},
    "example": ["B", "S"],
}


def _path(report: str) -> str:
    return TRACKING[report].replace("{campaign_activity_id:path}", EXAMPLE_CAMPAIGN_ACTIVITY)


_EACH: Final = "One item each, newest first"


def _tracking(
    report: str,
    operation: str,
    summary: str,
    *,
    shape: str,
    kind: str | None = None,
    own: tuple[Json, ...] = (),
    fields: Json | None = None,
    items: str = _EACH,
) -> Json:
    example = {
        "tracking_activities": [
            {
                "contact_id": EXAMPLE_CONTACT,
                "campaign_activity_id": EXAMPLE_CAMPAIGN_ACTIVITY,
                "tracking_activity_type": kind or f"em_{report}",
                "email_address": "ada@example.com",
                "first_name": "Ada",
                "last_name": "Lovelace",
                "created_time": "2017-04-02T05:11:34.000Z",
                **(fields or {}),
            }
        ],
        "_links": {
            "next": {"href": f"{_path(report)}?next=uM3cVx0GkN5yQw8B2rT1"},
        },
    }
    return {
        "tags": ["Email Reporting"],
        "operationId": operation,
        "summary": summary,
        "description": f"{items}, with the address and the names as they were at the time. Follow "
        "`_links.next.href` until the answer has none: what comes in meanwhile neither repeats nor hides anything.",
        "parameters": [CAMPAIGN_ACTIVITY, *own, *_PAGING],
        "responses": {
            "200": answer("A page.", schema(shape), example),
            **problems(InvalidField, *AUTHORISED, UnknownCampaignActivity, StoreUnavailable, path=TRACKING[report]),
        },
        "security": [{"token": [Scope.CAMPAIGN_DATA.value]}],
        "x-authorization-privileges": [Privilege.REPORTS.value],
    }


_DEVICE: Final = {"device_type": "mobile"}
_LINK: Final = {"url_id": "105", "link_url": "https://shop.example.com/spring"}
_BOUNCE: Final = {"bounce_code": "B", "current_email_address": "ada@example.org"}

_LAST_OF_CONTACT: Final = "One item for each contact, its last one, newest first"

_OPERATIONS: Final = {
    "sends": _tracking("sends", "getEmailSendsReport", "To whom was this e-mail sent?", shape="SendsPage"),
    "opens": _tracking("opens", "getEmailOpensReport", "Who opened this e-mail?", shape="OpensPage", fields=_DEVICE),
    "unique_opens": _tracking(
        "unique_opens",
        "getUniqueOpensReport",
        "Which contacts opened this e-mail?",
        shape="OpensPage",
        kind="em_opens",
        fields=_DEVICE,
        items=_LAST_OF_CONTACT,
    ),
    "didnotopens": _tracking(
        "didnotopens",
        "getDidNotOpensReport",
        "Which contacts has this e-mail reached, and they have not opened it?",
        shape="DidNotOpensPage",
        items="One item for each contact, with the last time that it was sent to it, newest first; without those to "
        "whom it couldn't be sent (bounces)",
    ),
    "clicks": _tracking(
        "clicks",
        "getClicksReport",
        "Who clicked what in this e-mail?",
        shape="ClicksPage",
        own=(_URL_ID,),
        fields={**_DEVICE, **_LINK},
    ),
    "forwards": _tracking("forwards", "getForwardsReport", "Who forwarded this e-mail?", shape="ForwardsPage"),
    "optouts": _tracking(
        "optouts",
        "getOptoutsReport",
        "Who opted out by this e-mail?",
        shape="OptoutsPage",
        fields={"opt_out_reason": "Too many e-mails"},
    ),
    "bounces": _tracking(
        "bounces",
        "getBouncesReport",
        "To whom could this e-mail not be sent?",
        shape="BouncesPage",
        own=(_BOUNCE_CODE,),
        fields=_BOUNCE,
    ),
}

_LINKS_OPERATION: Final = {
    "tags": ["Email Reporting"],
    "operationId": "getCampaignActivityLinkReport",
    "summary": "Which links of this e-mail were clicked, and by how many contacts?",
    "description": f"Most clicked first. Links with the same address are one. Constant Contact lists all of them; here "
    f"a page has {MAX_LINKS:,} links, and only if there are more has it `_links`, with the next page.",
    "parameters": [CAMPAIGN_ACTIVITY, _NO_CLICKS, limit_parameter(MAX_LINKS, MAX_1000), NEXT_PARAMETER],
    "responses": {
        "200": answer(
            "The links.",
            schema("LinksPage"),
            {
                "campaign_activity_id": EXAMPLE_CAMPAIGN_ACTIVITY,
                "link_click_counts": [{**_LINK, "unique_clicks": 19}],
            },
        ),
        **problems(InvalidField, InvalidCursor, *AUTHORISED, UnknownCampaignActivity, StoreUnavailable, path=LINKS),
    },
    "security": [{"token": [Scope.CAMPAIGN_DATA.value]}],
    "x-authorization-privileges": [Privilege.REPORTS.value],
}

OPERATIONS: Final[Json] = {
    LINKS.replace(":path", ""): {"get": _LINKS_OPERATION},
    **{TRACKING[report].replace(":path", ""): {"get": operation} for report, operation in _OPERATIONS.items()},
}
