"""The operations by which activities, contacts and campaigns come in, and contacts go."""

from typing import Final

import msgspec

from rapport.api.body import JSON, NDJSON
from rapport.api.body_bounds import MAX_BYTES, MAX_LINES
from rapport.api.descriptions.parts import (
    AUTHORISED,
    EXAMPLE_CAMPAIGN,
    EXAMPLE_CAMPAIGN_ACTIVITY,
    EXAMPLE_CONTACT,
    Json,
    answer,
    problems,
    schema,
)
from rapport.api.track import ACTIVITIES, CAMPAIGNS, CONTACT, CONTACTS
from rapport.auth.scope import Privilege, Scope
from rapport.errors import (
    BodyTimeout,
    MalformedBody,
    MalformedContactId,
    StoreUnavailable,
    TooLarge,
    UnknownContact,
    UnsupportedMediaType,
)

_EXAMPLE_LINE: Final[Json] = {
    "contact_id": EXAMPLE_CONTACT,
    "campaign_activity_id": "71600990-908b-11e6-907f-00166bff25",
    "tracking_activity_type": "em_clicks",
    "created_time": "2017-04-02T05:11:34.000Z",
    "campaign_activity_name": "April Newsletter",
    "email_address": "ada@example.com",
    "link_url": "https://shop.example.com/spring",
    "device_type": "mobile",
}

_RECORD_ACTIVITIES: Final[Json] = {
    "tags": ["Recording"],
    "operationId": "recordActivities",
    "summary": "Record what contacts did",
    "description": f"Up to {MAX_LINES} activities and {MAX_BYTES // 1024 // 1024} MiB, also as gzip. The answer "
    "comes when all that is accepted is durable. A line that can't be taken is named in the receipt and spoils no "
    "other. Sending the same activity again changes nothing.",
    "requestBody": {
        "required": True,
        "content": {
            NDJSON: {
                "schema": {"type": "string", "description": "One Activity a line."},
                "example": msgspec.json.encode(_EXAMPLE_LINE).decode() + "\n",
            },
            JSON: {"schema": {"type": "array", "items": schema("Activity")}, "example": [_EXAMPLE_LINE]},
        },
    },
    "responses": {
        "200": answer(
            "The receipt.",
            schema("Receipt"),
            {
                "accepted": 1,
                "duplicate": 0,
                "rejected": 1,
                "rejections": [
                    {"index": 1, "field": "created_time", "value": "1970-01-20", "reason": "must not be before 1990"}
                ],
            },
        ),
        **problems(MalformedBody, *AUTHORISED, BodyTimeout, TooLarge, UnsupportedMediaType, StoreUnavailable),
    },
    "security": [{"token": [Scope.ACTIVITY_WRITE.value]}],
}

_ERASE_CONTACT: Final[Json] = {
    "tags": ["Recording"],
    "operationId": "eraseContact",
    "summary": "Forget a person",
    "description": "Erases the contact and all that it did, for good. The counts of its campaigns keep their numbers. "
    "What comes in later about the time until now counts as a duplicate, and does not bring the contact back.",
    "parameters": [
        {
            "name": "contact_id",
            "in": "path",
            "description": "The contact.",
            "required": True,
            "schema": schema("Id"),
            "example": EXAMPLE_CONTACT,
        }
    ],
    "responses": {
        "204": {"description": "Nothing of the contact is left."},
        **problems(MalformedContactId, *AUTHORISED, UnknownContact, StoreUnavailable),
    },
    "security": [{"token": [Scope.ACTIVITY_WRITE.value]}],
    "x-authorization-privileges": [Privilege.CONTACTS_WRITE.value],
}


def _stating(operation: str, summary: str, line: str, example: Json, privilege: Privilege) -> Json:
    return {
        "tags": ["Recording"],
        "operationId": operation,
        "summary": summary,
        "description": f"Up to {MAX_LINES} statements and {MAX_BYTES // 1024 // 1024} MiB, also as gzip. The answer "
        "comes when all that is accepted is durable. Of two statements about the same field the later by `updated_at` "
        "holds, which is now if it isn't said; one that changes nothing counts as `duplicate`.",
        "requestBody": {
            "required": True,
            "content": {
                NDJSON: {
                    "schema": {"type": "string", "description": f"One {line} a line."},
                    "example": msgspec.json.encode(example).decode() + "\n",
                },
                JSON: {"schema": {"type": "array", "items": schema(line)}, "example": [example]},
            },
        },
        "responses": {
            "200": answer(
                "The receipt.", schema("Receipt"), {"accepted": 1, "duplicate": 0, "rejected": 0, "rejections": []}
            ),
            **problems(MalformedBody, *AUTHORISED, BodyTimeout, TooLarge, UnsupportedMediaType, StoreUnavailable),
        },
        "security": [{"token": [Scope.ACTIVITY_WRITE.value]}],
        "x-authorization-privileges": [privilege.value],
    }


_STATE_CONTACTS: Final = _stating(
    "stateContacts",
    "State who contacts are",
    "ContactStatement",
    {
        "contact_id": EXAMPLE_CONTACT,
        "updated_at": "2026-03-10T15:30:49Z",
        "email_address": "ada@example.com",
        "first_name": "Ada",
        "last_name": "Lovelace",
        "permission_to_send": "implicit",
        "created_at": "2026-01-05T09:30:00Z",
    },
    Privilege.CONTACTS_WRITE,
)

_STATE_CAMPAIGNS: Final = _stating(
    "stateCampaigns",
    "State what campaigns are",
    "CampaignStatement",
    {
        "campaign_id": EXAMPLE_CAMPAIGN,
        "campaign_name": "December Newsletter",
        "current_status": "Done",
        "campaign_activities": [
            {
                "campaign_activity_id": EXAMPLE_CAMPAIGN_ACTIVITY,
                "role": "primary_email",
                "subject": "Spring is here",
                "from_name": "Ada",
                "from_email": "ada@example.com",
                "reply_to_email": "ada@example.com",
                "links": [{"link_url": "https://shop.example.com/spring", "url_id": "105"}],
            }
        ],
    },
    Privilege.CAMPAIGN_WRITE,
)

OPERATIONS: Final[Json] = {
    CONTACTS: {"post": _STATE_CONTACTS},
    CAMPAIGNS: {"post": _STATE_CAMPAIGNS},
    ACTIVITIES: {"post": _RECORD_ACTIVITIES},
    CONTACT.replace(":path", ""): {"delete": _ERASE_CONTACT},
}
