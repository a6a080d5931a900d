"""GET /v3/reports/contact_reports/{contact_id}/…: routes only."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rapport.activity import ActivityType, is_id
from rapport.api.answers import json_answer
from rapport.api.cursor import open_cursor, seal_cursor
from rapport.api.door import admit
from rapport.api.handler import get
from rapport.api.parameters import page_or_cursor, period_of_rates, summary_or_cursor
from rapport.api.wire import tracking_activities_page
from rapport.api.wire_summary import rates_body, summary_body
from rapport.auth.gate import Gate
from rapport.auth.scope import Privilege, Scope
from rapport.auth.watch import KeyWatch
from rapport.errors import MalformedContactId
from rapport.reporting.contact import activity_details
from rapport.reporting.contact_summary import SummaryRequest, activity_summary, open_and_click_rates
from rapport.reporting.page import PageRequest
from rapport.store.protocol import Store

ACTIVITY_DETAILS = "/v3/reports/contact_reports/{contact_id:path}/activity_details"
ACTIVITY_SUMMARY = "/v3/reports/contact_reports/{contact_id:path}/activity_summary"
OPEN_AND_CLICK_RATES = "/v3/reports/contact_reports/{contact_id:path}/open_and_click_rates"


class ContactReports:
    """The reports on one contact."""

    def __init__(self, store: Store, gate: Gate, keys: KeyWatch, default_types: tuple[ActivityType, ...]) -> None:
        self._store = store
        self._gate = gate
        self._keys = keys
        self._default_types = default_types

    def routes(self) -> list[Route]:
        """The routes of these reports. `path`: an id with a slash in it is a malformed id, not another route."""
        return [
            get(ACTIVITY_DETAILS, self.activity_details),
            get(ACTIVITY_SUMMARY, self.activity_summary),
            get(OPEN_AND_CLICK_RATES, self.open_and_click_rates),
        ]

    async def activity_details(self, request: Request) -> Response:
        """A page of what the contact did, newest first."""
        principal = await admit(self._gate, request, Scope.CONTACT_DATA, Privilege.REPORTS)
        contact_id: str = request.path_params["contact_id"]
        path = f"/v3/reports/contact_reports/{contact_id}/activity_details"
        wanted = self._wanted(request.scope["query_string"], principal.account_id, path)
        if not is_id(contact_id):
            raise MalformedContactId
        page = await activity_details(self._store, principal.account_id, contact_id, wanted)
        href = None
        if page.next is not None:
            href = f"{path}?next={seal_cursor(self._keys.keys.sealing, principal.account_id, path, page.next)}"
        return json_answer(tracking_activities_page(contact_id, page, with_names=wanted.with_names, next_href=href))

    def _wanted(self, query_string: bytes, account_id: str, path: str) -> PageRequest:
        wanted = page_or_cursor(query_string, self._default_types)
        if isinstance(wanted, str):
            return open_cursor(self._keys.keys.sealing, account_id, path, wanted, PageRequest)
        return wanted

    async def activity_summary(self, request: Request) -> Response:
        """What was sent to the contact in a time, each with what came of it."""
        principal = await admit(self._gate, request, Scope.CONTACT_DATA, Privilege.REPORTS)
        contact_id: str = request.path_params["contact_id"]
        path = f"/v3/reports/contact_reports/{contact_id}/activity_summary"
        sealing = self._keys.keys.sealing
        wanted = summary_or_cursor(request.scope["query_string"])
        if isinstance(wanted, str):
            wanted = open_cursor(sealing, principal.account_id, path, wanted, SummaryRequest)
        if not is_id(contact_id):
            raise MalformedContactId
        summary = await activity_summary(self._store, principal.account_id, contact_id, wanted)
        href = None
        if summary.next is not None:
            href = f"{path}?next={seal_cursor(sealing, principal.account_id, path, summary.next)}"
        return json_answer(summary_body(contact_id, summary, next_href=href))

    async def open_and_click_rates(self, request: Request) -> Response:
        """How much of what was sent to the contact in a time it opened and clicked."""
        principal = await admit(self._gate, request, Scope.CONTACT_DATA, Privilege.REPORTS)
        contact_id: str = request.path_params["contact_id"]
        period = period_of_rates(request.scope["query_string"])
        if not is_id(contact_id):
            raise MalformedContactId
        rates = await open_and_click_rates(self._store, principal.account_id, contact_id, period)
        return json_answer(rates_body(contact_id, rates))
