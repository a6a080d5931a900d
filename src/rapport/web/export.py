"""The download of a contact's activities, in the format of `rapport export`."""

from collections.abc import AsyncIterator
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rapport.auth.scope import Privilege
from rapport.errors import UnknownContact
from rapport.pacing import PacedStream
from rapport.recording.exporting import export_activities
from rapport.store.activities import ActivityRepository
from rapport.store.contacts import ContactRepository
from rapport.url_paths import quote_id
from rapport.web.routing import page_route
from rapport.web.sessions import SessionManager, require_contact

EXPORT: Final = "/contacts/{contact_id}/export"


class ExportPage:
    """The download of a contact's activities."""

    def __init__(self, activities: ActivityRepository, contacts: ContactRepository, sessions: SessionManager) -> None:
        self._activities = activities
        self._contacts = contacts
        self._sessions = sessions

    def routes(self) -> list[Route]:
        """Return the route of the download."""
        return [page_route(EXPORT, self.export)]

    async def export(self, request: Request) -> Response:
        """Stream the activities as NDJSON."""
        session, contact_id = require_contact(self._sessions, request, Privilege.CONTACT_REPORTS)
        lines = export_activities(self._activities, session.principal.account_id, contact_id)
        # Read the first line before the response starts, so that errors can still be shown on a page.
        first = await anext(lines, None)
        if first is None and await self._contacts.get(session.principal.account_id, contact_id) is None:
            raise UnknownContact(contact_id)
        return PacedStream(
            _prepend(first, lines),
            headers={
                "cache-control": "no-store",
                "content-disposition": f"attachment; {_filename(contact_id)}",
                "x-content-type-options": "nosniff",
            },
            media_type="application/x-ndjson",
        )


def _filename(contact_id: str) -> str:
    """Return the header parameter with the file name, encoded as in RFC 6266 if the id needs it."""
    quoted = quote_id(contact_id)
    return f'filename="{contact_id}.ndjson"' if quoted == contact_id else f"filename*=utf-8''{quoted}.ndjson"


async def _prepend(first: bytes | None, lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if first is not None:
        yield first
    async for line in lines:
        yield line
