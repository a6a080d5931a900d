"""The operation by which programs hear of activities as they are recorded."""

from typing import Final

from rapport.activity import TYPE_NAMES
from rapport.api.descriptions.parts import AUTHORISED, EXAMPLE_CONTACT, Json, answer, problems
from rapport.api.stream import STREAM
from rapport.auth.scope import Privilege, Scope
from rapport.errors import InvalidField, StoreUnavailable, TooManyStreams
from rapport.event_stream import MEDIA_TYPE
from rapport.store.feed import MOST_OF_A_BATCH

_EXAMPLE: Final = (
    "retry: 2000\nid: 41\n\n"
    'event: activity\ndata: {"contact_id":"' + EXAMPLE_CONTACT + '",'
    '"campaign_activity_id":"71600990-908b-11e6-907f-00166bff25","tracking_activity_type":"em_opens",'
    '"created_time":"2017-04-02T05:11:34.000Z","email_address":"ada@example.com"}\nid: 42\n\n'
)

_STREAM: Final[Json] = {
    "tags": ["Recording"],
    "operationId": "streamActivities",
    "summary": "Hear of activities as they are recorded",
    "description": "Server-sent events, without end. `activity`: its data is an Activity, as the store has it within a "
    "second of its recording by whatever process; what it doesn't say of its contact is what is known of the contact "
    f"now. `missed`: of a request or import with more than {MOST_OF_A_BATCH:,} new activities the rest is counted, "
    '`{"activities": 19000, "by_type": {"em_sends": 19000}}`; both are `null` where it isn\'t known how many there '
    "were, because the position that the client came back with is held no more. A comment every 15 seconds. The "
    "stream ends when its token does, when the server stops, and when its client doesn't keep up.",
    "parameters": [
        {
            "name": "tracking_activity_type",
            "in": "query",
            "description": "Only activities of these types; all, unless it is said. Taken repeated, joined by commas, "
            "or mixed. `tracking_activities_list` is taken for it.",
            "required": False,
            "style": "form",
            "explode": True,
            "schema": {"type": "array", "items": {"type": "string", "enum": list(TYPE_NAMES)}},
            "example": ["em_opens", "em_clicks"],
        },
        {
            "name": "Last-Event-ID",
            "in": "header",
            "description": "The last `id` that the client has seen: it hears what was recorded since, and goes on.",
            "required": False,
            "schema": {"type": "string"},
        },
    ],
    "responses": {
        "200": answer("A stream.", {"type": "string"}, _EXAMPLE, MEDIA_TYPE),
        **problems(InvalidField, *AUTHORISED, StoreUnavailable, TooManyStreams),
    },
    "security": [{"token": [Scope.CONTACT_DATA.value]}],
    "x-authorization-privileges": [Privilege.REPORTS.value],
}

OPERATIONS: Final[Json] = {STREAM: {"get": _STREAM}}
