"""The operations on email campaigns themselves."""

from typing import Final

from rapport.api.descriptions.parts import (
    AUTHORISED,
    EXAMPLE_CAMPAIGN,
    EXAMPLE_CAMPAIGN_ACTIVITY,
    NEXT_PARAMETER,
    Json,
    answer,
    problems,
    schema,
    time_parameter,
)
from rapport.api.v3.emails import EMAIL, EMAIL_ACTIVITY, EMAILS, MOST_EMAILS, UNSAID_EMAILS
from rapport.auth.scope import Privilege, Scope
from rapport.errors import (
    InvalidField,
    MalformedCampaignActivityId,
    StoreUnavailable,
    UnknownCampaign,
    UnknownCampaignActivity,
)

_EXAMPLE: Final[Json] = {
    "campaign_id": EXAMPLE_CAMPAIGN,
    "name": "December Newsletter",
    "type": "NEWSLETTER",
    "type_code": 10,
    "current_status": "Done",
    "created_at": "2026-02-06T22:09:15.000Z",
    "updated_at": "2026-06-27T10:28:09.000Z",
}

_GUARDED: Final[Json] = {
    "security": [{"token": [Scope.CAMPAIGN_DATA.value]}],
    "x-authorization-privileges": [Privilege.CAMPAIGN_READ.value],
}

_EMAILS: Final[Json] = {
    "tags": ["Email Campaigns"],
    "operationId": "retrieveEmailCampaignsUsingGET",
    "summary": "Which campaigns are there?",
    "description": "The email campaigns of the account, that which was changed last first. One that nobody stated "
    "anything about is dated by its last send.",
    "parameters": [
        {
            "name": "limit",
            "in": "query",
            "description": f"How many campaigns a page has, 1 to {MOST_EMAILS}.",
            "required": False,
            "schema": {"type": "integer", "minimum": 1, "maximum": MOST_EMAILS, "default": UNSAID_EMAILS},
        },
        time_parameter("after_date", "Only campaigns that were changed then or later."),
        time_parameter("before_date", "Only campaigns that were changed then or earlier."),
        NEXT_PARAMETER,
    ],
    "responses": {
        "200": answer("A page.", schema("EmailCampaignsPage"), {"campaigns": [_EXAMPLE], "_links": {}}),
        **problems(InvalidField, *AUTHORISED, StoreUnavailable),
    },
    **_GUARDED,
}


def _id(name: str, description: str, example: str) -> Json:
    return {
        "name": name,
        "in": "path",
        "description": description,
        "required": True,
        "schema": schema("Id"),
        "example": example,
    }


_EMAIL: Final[Json] = {
    "tags": ["Email Campaigns"],
    "operationId": "retrieveEmailCampaignUsingGET",
    "summary": "What is this campaign made of?",
    "description": "An email campaign with its campaign activities. One without a stated role is the email itself.",
    "parameters": [_id("campaign_id", "The campaign.", EXAMPLE_CAMPAIGN)],
    "responses": {
        "200": answer(
            "The campaign.",
            schema("EmailCampaign"),
            {
                **_EXAMPLE,
                "current_status": "DONE",
                "campaign_activities": [{"campaign_activity_id": EXAMPLE_CAMPAIGN_ACTIVITY, "role": "primary_email"}],
            },
        ),
        **problems(InvalidField, *AUTHORISED, UnknownCampaign, StoreUnavailable),
    },
    **_GUARDED,
}

_EMAIL_ACTIVITY: Final[Json] = {
    "tags": ["Email Campaigns"],
    "operationId": "retrieveEmailCampaignActivityUsingGET",
    "summary": "What was sent?",
    "description": "A campaign activity: its subject, and from whom it comes. Texts that nobody stated are empty.",
    "parameters": [_id("campaign_activity_id", "The campaign activity.", EXAMPLE_CAMPAIGN_ACTIVITY)],
    "responses": {
        "200": answer(
            "The campaign activity.",
            schema("EmailCampaignActivity"),
            {
                "campaign_activity_id": EXAMPLE_CAMPAIGN_ACTIVITY,
                "campaign_id": EXAMPLE_CAMPAIGN,
                "role": "primary_email",
                "current_status": "DONE",
                "format_type": 5,
                "subject": "Spring is here",
                "from_name": "Ada",
                "from_email": "ada@example.com",
                "reply_to_email": "ada@example.com",
                "contact_list_ids": [],
                "segment_ids": [],
            },
        ),
        **problems(InvalidField, *AUTHORISED, MalformedCampaignActivityId, UnknownCampaignActivity, StoreUnavailable),
    },
    **_GUARDED,
}

OPERATIONS: Final[Json] = {
    EMAILS: {"get": _EMAILS},
    EMAIL: {"get": _EMAIL},
    EMAIL_ACTIVITY: {"get": _EMAIL_ACTIVITY},
}
