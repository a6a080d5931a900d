"""Downloads of the lists on the pages, in the formats of `rapport export`."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rapport.activity import is_id
from rapport.auth.scope import Privilege, Scope
from rapport.errors import UnknownCampaignActivity, UnknownContact
from rapport.export_stream import parse_format, stream_export
from rapport.recording.export import ACTIVITY_COLUMNS, export_contact_activities, export_report
from rapport.recording.export_formats import list_available_formats
from rapport.store.store import Store
from rapport.store.tracking import TRACKING_REPORTS
from rapport.url_paths import restore_marks
from rapport.web.routing import page_route
from rapport.web.sessions import SessionManager, require_contact

EXPORT: Final = "/contacts/{contact_id}/export"
EXPORT_REPORT: Final = "/activities/{campaign_activity_id}/{report}/export"

DOWNLOADS: Final = tuple(
    download
    for download in (("csv", "CSV", "&bom=1"), ("ndjson", "NDJSON", ""), ("parquet", "Parquet", ""))
    if download[0] in list_available_formats()
)
"""The formats that pages offer: name, title, and more parameters. CSV has a byte order mark, for Excel."""


class ExportPage:
    """The downloads of a contact's activities and of a report on a campaign activity."""

    def __init__(self, store: Store, sessions: SessionManager) -> None:
        self._store = store
        self._sessions = sessions

    def routes(self) -> list[Route]:
        """Return the routes of the downloads."""
        return [page_route(EXPORT, self.export), page_route(EXPORT_REPORT, self.export_report)]

    async def export(self, request: Request) -> Response:
        """Download a contact's activities; CSV has a byte order mark with the parameter `bom`."""
        session, contact_id = require_contact(self._sessions, request, Privilege.CONTACT_REPORTS)
        account_id = session.principal.account_id
        if await self._store.contacts.get(account_id, contact_id) is None:
            raise UnknownContact(contact_id)
        rows = export_contact_activities(self._store, account_id, contact_id)
        export_format = parse_format(request.query_params.get("format", "ndjson"))
        with_bom = "bom" in request.query_params
        return await stream_export(ACTIVITY_COLUMNS, rows, export_format, contact_id, with_bom=with_bom)

    async def export_report(self, request: Request) -> Response:
        """Download the activities of a report."""
        session = self._sessions.get_session(request, Scope.CAMPAIGN_DATA, Privilege.REPORTS)
        campaign_activity_id = restore_marks(request.path_params["campaign_activity_id"])
        name: str = request.path_params["report"]
        if not is_id(campaign_activity_id) or name not in TRACKING_REPORTS:
            raise UnknownCampaignActivity(campaign_activity_id[:64])
        rows = export_report(self._store, session.principal.account_id, campaign_activity_id, TRACKING_REPORTS[name])
        export_format = parse_format(request.query_params.get("format", "ndjson"))
        filename = f"{campaign_activity_id}-{name}"
        with_bom = "bom" in request.query_params
        return await stream_export(ACTIVITY_COLUMNS, rows, export_format, filename, with_bom=with_bom)
