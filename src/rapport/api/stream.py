"""/track/v1/stream: what contacts do, as it is recorded, to whoever listens."""

from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rapport.activity import TYPE_NAMES, ActivityType
from rapport.api.door import admit
from rapport.api.handler import get
from rapport.api.parameters import read_query, read_types
from rapport.auth.gate import Gate
from rapport.auth.scope import Privilege, Scope
from rapport.errors import RapportError
from rapport.event_stream import HEADERS, EventStream, said
from rapport.recording.lines import json_of
from rapport.reporting.live import Feed, Heard, Missed

STREAM: Final = "/track/v1/stream"


class Stream:
    """The way out for programs that don't want to ask again and again."""

    def __init__(self, feed: Feed, gate: Gate) -> None:
        self._feed = feed
        self._gate = gate

    def routes(self) -> list[Route]:
        """The route."""
        return [get(STREAM, self.stream)]

    async def stream(self, request: Request) -> Response:
        """Tell of every activity of the account, from now on or from where the client was."""
        principal = await admit(self._gate, request, Scope.CONTACT_DATA, Privilege.REPORTS)
        types = read_types(read_query(request.scope["query_string"])) or tuple(ActivityType)
        if request.method == "HEAD":
            return Response(headers=HEADERS)
        authorization = request.headers.get("authorization")

        async def holds() -> bool:
            try:
                return await self._gate.verify(authorization) == principal
            except RapportError:
                return False

        behind = request.headers.get("last-event-id") or None
        listener = await self._feed.listen(principal.account_id, types, behind)
        return EventStream(self._feed, listener, event_of, holds, with_positions=True)


def event_of(heard: Heard | Missed) -> bytes:
    """The event of an activity, or of what isn't told one by one."""
    if isinstance(heard, Heard):
        return said("activity", json_of(heard.activity).decode(), heard.position)
    counts = None if heard.counts is None else {TYPE_NAMES[kind]: count for kind, count in heard.counts.items()}
    return said("missed", msgspec.json.encode({"activities": heard.total, "by_type": counts}).decode())
