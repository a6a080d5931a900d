"""GET /v3/reports/email_reports/{campaign_activity_id}/tracking/…: routes only (contract 3)."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rapport.activity import ActivityType, is_id
from rapport.api.answers import json_answer
from rapport.api.cursor import open_cursor, seal_cursor
from rapport.api.door import admit
from rapport.api.email_parameters import tracking_or_cursor
from rapport.api.handler import Handle, get
from rapport.api.wire_email import tracking_page
from rapport.auth.gate import Gate
from rapport.auth.scope import Privilege, Scope
from rapport.auth.watch import KeyWatch
from rapport.errors import MalformedCampaignActivityId
from rapport.reporting.email import TrackingRequest, tracking
from rapport.store.protocol import Store

TRACKING: Final = {
    report: f"/v3/reports/email_reports/{{campaign_activity_id:path}}/tracking/{report}"
    for report in ("sends", "opens", "clicks", "forwards", "optouts", "bounces")
}
"""The path of each report. `path`: an id with a slash in it is a malformed id, not another route."""


class EmailReports:
    """The reports on one campaign activity."""

    def __init__(self, store: Store, gate: Gate, keys: KeyWatch) -> None:
        self._store = store
        self._gate = gate
        self._keys = keys

    def routes(self) -> list[Route]:
        """The routes of these reports."""
        return [get(path, self._tracking(ActivityType[f"EM_{report.upper()}"])) for report, path in TRACKING.items()]

    def _tracking(self, kind: ActivityType) -> Handle:
        """The handler for activities of a type: a page of them, newest first."""
        report = kind.name.removeprefix("EM_").lower()

        async def handle(request: Request) -> Response:
            principal = await admit(self._gate, request, Scope.CAMPAIGN_DATA, Privilege.REPORTS)
            campaign_activity_id: str = request.path_params["campaign_activity_id"]
            path = f"/v3/reports/email_reports/{campaign_activity_id}/tracking/{report}"
            sealing = self._keys.keys.sealing
            wanted = tracking_or_cursor(request.scope["query_string"], kind)
            if isinstance(wanted, str):
                wanted = open_cursor(sealing, principal.account_id, path, wanted, TrackingRequest)
            if not is_id(campaign_activity_id):
                raise MalformedCampaignActivityId
            page = await tracking(self._store, principal.account_id, campaign_activity_id, kind, wanted)
            href = None
            if page.next is not None:
                href = f"{path}?next={seal_cursor(sealing, principal.account_id, path, page.next)}"
            return json_answer(tracking_page(campaign_activity_id, kind, page, next_href=href))

        return handle
