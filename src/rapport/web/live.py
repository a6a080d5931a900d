"""The live feed: an HTML fragment for each activity as it is recorded."""

from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rapport.activity import TYPE_NAMES, ActivityType
from rapport.auth.scope import Privilege, Scope
from rapport.errors import RapportError
from rapport.event_stream import EventStream, format_sse_event
from rapport.instant import DAY
from rapport.reporting.live_feed import ActivityEvent, GapEvent, LiveFeed
from rapport.web.labels import ACTIVITY_LABELS, BOUNCE_LABELS, DEVICE_LABELS
from rapport.web.rendering import render
from rapport.web.routing import page_route
from rapport.web.sessions import NotSignedIn, SessionManager, now
from rapport.web.zone import get_zone

LIVE: Final = "/live"


class LiveFeedPage:
    """The stream of HTML fragments, which static/live.js inserts into the overview page."""

    def __init__(self, feed: LiveFeed, sessions: SessionManager) -> None:
        self._feed = feed
        self._sessions = sessions

    def routes(self) -> list[Route]:
        """Return the stream's route."""
        return [page_route(LIVE, self.live)]

    async def live(self, request: Request) -> Response:
        """Stream the account's activities from now on, also after a reconnect: earlier ones would be out of date."""
        session = self._sessions.get_session(request, Scope.CONTACT_DATA, Privilege.CONTACT_REPORTS)
        zone = get_zone(request)

        async def is_authorized() -> bool:
            try:
                return self._sessions.get_session(request, Scope.CONTACT_DATA, Privilege.CONTACT_REPORTS) == session
            except (NotSignedIn, RapportError):
                return False

        subscription = await self._feed.subscribe(session.principal.account_id, tuple(ActivityType))
        return EventStream(
            self._feed, subscription, partial(_format_event, zone=zone), is_authorized, with_event_ids=False
        )


def _format_event(event: ActivityEvent | GapEvent, zone: ZoneInfo) -> bytes:
    activity = event.activity if isinstance(event, ActivityEvent) else None
    html = render(
        "live.html",
        activity=activity,
        omitted=event.total if isinstance(event, GapEvent) else None,
        is_recent=activity is not None and now() - activity.created_time < DAY,
        zone=zone,
        labels=ACTIVITY_LABELS,
        names=TYPE_NAMES,
        devices=DEVICE_LABELS,
        bounces=BOUNCE_LABELS,
    )
    return format_sse_event("activity", html)
