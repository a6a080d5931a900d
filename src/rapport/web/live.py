"""What is recorded, on a page that is open: a piece of HTML for each activity, as it comes."""

from typing import Final
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rapport.activity import TYPE_NAMES, ActivityType
from rapport.auth.scope import Privilege, Scope
from rapport.errors import RapportError
from rapport.event_stream import EventStream, said
from rapport.instant import DAY
from rapport.reporting.live_feed import ActivityEvent, GapEvent, LiveFeed
from rapport.web.door import NotSignedIn, SessionManager, now
from rapport.web.rendering import rendered
from rapport.web.routing import shown
from rapport.web.words import ACTIVITY_LABELS, BOUNCE_WORDS, DEVICE_WORDS
from rapport.web.zone import zone_of

LIVE: Final = "/live"


class LiveFeedPage:
    """The part of a page that moves; static/live.js puts it there."""

    def __init__(self, feed: LiveFeed, door: SessionManager) -> None:
        self._feed = feed
        self._door = door

    def routes(self) -> list[Route]:
        """The route."""
        return [shown(LIVE, self.live)]

    async def live(self, request: Request) -> Response:
        """Every activity of the session's account, from now on: whoever comes back to a page wants no backlog."""
        session = self._door.session(request, Scope.CONTACT_DATA, Privilege.CONTACT_REPORTS)
        zone = zone_of(request)

        async def holds() -> bool:
            try:
                return self._door.session(request, Scope.CONTACT_DATA, Privilege.CONTACT_REPORTS) == session
            except (NotSignedIn, RapportError):
                return False

        subscription = await self._feed.subscribe(session.principal.account_id, tuple(ActivityType))
        return EventStream(self._feed, subscription, lambda heard: _event(heard, zone), holds, with_positions=False)


def _event(heard: ActivityEvent | GapEvent, zone: ZoneInfo) -> bytes:
    activity = heard.activity if isinstance(heard, ActivityEvent) else None
    html = rendered(
        "live.html",
        activity=activity,
        missed=heard.total if isinstance(heard, GapEvent) else None,
        is_recent=activity is not None and now() - activity.created_time < DAY,
        zone=zone,
        words=ACTIVITY_LABELS,
        names=TYPE_NAMES,
        devices=DEVICE_WORDS,
        bounces=BOUNCE_WORDS,
    )
    return said("activity", html)
