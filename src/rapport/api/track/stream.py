"""Stream activities as they are recorded, as server-sent events."""

from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from rapport.activity import TYPE_NAMES, ActivityType
from rapport.api import examples
from rapport.api.endpoint import Access, Resource, Returns, endpoint
from rapport.api.params import ActivityTypes, Header
from rapport.api.query import get_query
from rapport.auth.authorization import Authorizer
from rapport.auth.scope import Privilege, Scope
from rapport.auth.token import Principal
from rapport.errors import RapportError, TooManyStreams
from rapport.event_stream import HEADERS, MEDIA_TYPE, EventStream, format_sse_event
from rapport.recording.activity_codec import encode_activity
from rapport.reporting.live_feed import ActivityEvent, GapEvent, LiveFeed
from rapport.store.feed import MAX_KEYS_PER_BATCH

ACTIVITY_TYPES: Final = ActivityTypes("Only activities of these types; all by default.", required=False)
LAST_EVENT_ID: Final = Header("Last-Event-ID", "The last `id` that the client received; the stream resumes after it.")

_EXAMPLE: Final = (
    "retry: 2000\nid: 41\n\n"
    f'event: activity\ndata: {{"contact_id":"{examples.CONTACT_ID}",'
    f'"campaign_activity_id":"{examples.CAMPAIGN_ACTIVITY_ID}","tracking_activity_type":"em_opens",'
    '"created_time":"2017-04-02T05:11:34.000Z","email_address":"ada@example.com"}\nid: 42\n\n'
)


class Stream(Resource):
    """The event stream."""

    def __init__(self, feed: LiveFeed, authorizer: Authorizer) -> None:
        self._feed = feed
        self._authorizer = authorizer

    @endpoint(
        "GET",
        "/track/v1/stream",
        operation_id="streamActivities",
        tag="Recording",
        summary="Stream activities",
        description="Server-sent events without end. `activity`: an Activity, within a second of its recording by any "
        "process; contact attributes that it doesn't have are the contact's current ones. `gap`: the rest of a "
        f"request or import with more than {MAX_KEYS_PER_BATCH:,} new activities is only counted, "
        '`{"activities": 19000, "by_type": {"em_sends": 19000}}`; both are `null` if the number isn\'t known, because '
        "the position to resume from is no longer kept. A comment is sent every 15 seconds. The stream ends when its "
        "token expires, when the server stops, and when the client reads too slowly.",
        access=Access(Scope.CONTACT_DATA, Privilege.REPORTS),
        params=(ACTIVITY_TYPES, LAST_EVENT_ID),
        returns=Returns(description="The stream.", schema={"type": "string"}, example=_EXAMPLE, media_type=MEDIA_TYPE),
        errors=(TooManyStreams,),
    )
    async def stream(self, request: Request, principal: Principal) -> Response:
        types = ACTIVITY_TYPES.get(get_query(request), tuple(ActivityType))
        if request.method == "HEAD":
            return Response(headers=HEADERS)
        authorization = request.headers.get("authorization")

        async def is_authorized() -> bool:
            try:
                return await self._authorizer.verify(authorization) == principal
            except RapportError:
                return False

        subscription = await self._feed.subscribe(principal.account_id, types, LAST_EVENT_ID.get(request))
        return EventStream(self._feed, subscription, format_event, is_authorized, with_event_ids=True)


def format_event(event: ActivityEvent | GapEvent) -> bytes:
    """Return the server-sent event of an activity or a gap."""
    if isinstance(event, ActivityEvent):
        return format_sse_event("activity", encode_activity(event.activity).decode(), event.position)
    counts = None if event.counts is None else {TYPE_NAMES[number]: count for number, count in event.counts.items()}
    return format_sse_event("gap", msgspec.json.encode({"activities": event.total, "by_type": counts}).decode())
