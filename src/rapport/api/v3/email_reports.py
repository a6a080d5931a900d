"""GET /v3/reports/email_reports/{campaign_activity_id}/…: routes only."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rapport.activity import is_id
from rapport.api.answers import json_answer
from rapport.api.cursor import open_cursor, seal_cursor
from rapport.api.door import admit
from rapport.api.email_parameters import landing_page_or_cursor, links_or_cursor, tracking_or_cursor
from rapport.api.handler import Handle, get
from rapport.api.wire_email import links_page, tracking_page
from rapport.api.wire_landing_pages import landing_page
from rapport.auth.gate import Gate
from rapport.auth.scope import Privilege, Scope
from rapport.auth.token import Principal
from rapport.auth.watch import KeyWatch
from rapport.errors import MalformedCampaignActivityId
from rapport.reporting.email import (
    EMAIL_REPORTS,
    LANDING_PAGE_REPORTS,
    LinksRequest,
    TrackingPage,
    TrackingReport,
    TrackingRequest,
    links,
    tracking,
)
from rapport.store.protocol import Store

_EMAIL: Final = "/v3/reports/email_reports/{campaign_activity_id:path}"
LINKS: Final = f"{_EMAIL}/links"
TRACKING: Final = {report: f"{_EMAIL}/tracking/{report}" for report in EMAIL_REPORTS}
LANDING_PAGES: Final = {
    report: f"/v3/reports/landing_pages/campaign_details/{{campaign_activity_id:path}}/{report}"
    for report in LANDING_PAGE_REPORTS
}
"""The path of each report. `path`: an id with a slash in it is a malformed id, not another route."""


class EmailReports:
    """The reports on one campaign activity, be it an e-mail or a landing page."""

    def __init__(self, store: Store, gate: Gate, keys: KeyWatch) -> None:
        self._store = store
        self._gate = gate
        self._keys = keys

    def routes(self) -> list[Route]:
        """The routes of these reports."""
        return [
            get(LINKS, self.links),
            *(get(path, self._tracking(report)) for report, path in TRACKING.items()),
            *(get(path, self._landing_page(report)) for report, path in LANDING_PAGES.items()),
        ]

    async def links(self, request: Request) -> Response:
        """What was clicked in an e-mail, and by how many."""
        principal = await self._admit(request)
        wanted = links_or_cursor(request.scope["query_string"])
        path = LINKS.replace("{campaign_activity_id:path}", request.path_params["campaign_activity_id"])
        sealing = self._keys.keys.sealing
        if isinstance(wanted, str):
            wanted = open_cursor(sealing, principal.account_id, path, wanted, LinksRequest)
        campaign_activity_id = _campaign_activity_id(request)
        page = await links(self._store, principal.account_id, campaign_activity_id, wanted)
        href = None
        if page.next is not None:
            href = f"{path}?next={seal_cursor(sealing, principal.account_id, path, page.next)}"
        return json_answer(links_page(campaign_activity_id, page.links, next_href=href))

    def _tracking(self, report: str) -> Handle:
        """The handler for a list of an e-mail: a page of it, newest first."""

        async def handle(request: Request) -> Response:
            principal = await self._admit(request)
            wanted = tracking_or_cursor(request.scope["query_string"], report)
            page, href = await self._page(request, principal, TRACKING[report], EMAIL_REPORTS[report], wanted)
            return json_answer(tracking_page(request.path_params["campaign_activity_id"], report, page, next_href=href))

        return handle

    def _landing_page(self, report: str) -> Handle:
        """The handler for a list of a landing page: a page of it, newest first."""

        async def handle(request: Request) -> Response:
            principal = await self._admit(request)
            wanted = landing_page_or_cursor(request.scope["query_string"])
            about = LANDING_PAGE_REPORTS[report]
            page, href = await self._page(request, principal, LANDING_PAGES[report], about, wanted)
            return json_answer(landing_page(request.path_params["campaign_activity_id"], report, page, next_href=href))

        return handle

    async def _admit(self, request: Request) -> Principal:
        return await admit(self._gate, request, Scope.CAMPAIGN_DATA, Privilege.REPORTS)

    async def _page(
        self,
        request: Request,
        principal: Principal,
        route: str,
        report: TrackingReport | None,
        wanted: TrackingRequest | str,
    ) -> tuple[TrackingPage, str | None]:
        """The page that is wanted, and the link to the next one if there is one."""
        path = route.replace("{campaign_activity_id:path}", request.path_params["campaign_activity_id"])
        sealing = self._keys.keys.sealing
        if isinstance(wanted, str):
            wanted = open_cursor(sealing, principal.account_id, path, wanted, TrackingRequest)
        page = await tracking(self._store, principal.account_id, _campaign_activity_id(request), report, wanted)
        if page.next is None:
            return page, None
        return page, f"{path}?next={seal_cursor(sealing, principal.account_id, path, page.next)}"


def _campaign_activity_id(request: Request) -> str:
    campaign_activity_id: str = request.path_params["campaign_activity_id"]
    if not is_id(campaign_activity_id):
        raise MalformedCampaignActivityId
    return campaign_activity_id
