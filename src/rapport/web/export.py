"""All that a contact did, to keep: the lines that `rapport export` prints."""

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
from rapport.web.door import SessionManager, contact_asked
from rapport.web.routing import shown

EXPORT: Final = "/contacts/{contact_id}/export"


class ExportPage:
    """The file of a contact's activities."""

    def __init__(self, activities: ActivityRepository, contacts: ContactRepository, door: SessionManager) -> None:
        self._activities = activities
        self._contacts = contacts
        self._door = door

    def routes(self) -> list[Route]:
        """The route."""
        return [shown(EXPORT, self.export)]

    async def export(self, request: Request) -> Response:
        """The file, as it is read."""
        session, contact_id = contact_asked(self._door, request, Privilege.CONTACT_REPORTS)
        lines = export_activities(self._activities, session.principal.account_id, contact_id)
        # What is told on a page, that there is no such contact or no store, is known by the first line.
        first = await anext(lines, None)
        if first is None and await self._contacts.get(session.principal.account_id, contact_id) is None:
            raise UnknownContact(contact_id)
        return PacedStream(
            _whole(first, lines),
            headers={
                "cache-control": "no-store",
                "content-disposition": f"attachment; {_filename(contact_id)}",
                "x-content-type-options": "nosniff",
            },
            media_type="application/x-ndjson",
        )


def _filename(contact_id: str) -> str:
    """Return the parameter with the file's name: encoded as in RFC 6266 if the id has other characters than letters."""
    quoted = quote_id(contact_id)
    return f'filename="{contact_id}.ndjson"' if quoted == contact_id else f"filename*=utf-8''{quoted}.ndjson"


async def _whole(first: bytes | None, lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if first is not None:
        yield first
    async for line in lines:
        yield line
