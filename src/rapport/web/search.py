"""The start page: search for contacts and campaigns, as you type, or without JavaScript."""

from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rapport.activity import is_id
from rapport.auth.scope import Privilege, Scope
from rapport.reporting.search import find_campaign_activities, find_contacts
from rapport.store.campaigns import CampaignRepository
from rapport.store.contacts import ContactRepository
from rapport.web.rendering import page
from rapport.web.routing import page_route
from rapport.web.sessions import SessionManager

FIND: Final = "/"

_MAX_QUERY_LENGTH: Final = 254


class SearchPage:
    """The start page, with the search."""

    def __init__(self, contacts: ContactRepository, campaigns: CampaignRepository, sessions: SessionManager) -> None:
        self._contacts = contacts
        self._campaigns = campaigns
        self._sessions = sessions

    def routes(self) -> list[Route]:
        """Return the page's route."""
        return [page_route(FIND, self.find)]

    async def find(self, request: Request) -> Response:
        """Show the search field and the results; with the parameter `part`, only the results."""
        session = self._sessions.get_session(request, Scope.CONTACT_DATA, Privilege.CONTACTS_READ)
        text = request.query_params.get("q", "")[:_MAX_QUERY_LENGTH].strip()
        account_id = session.principal.account_id
        erased = request.query_params.get("erased", "")
        values: dict[str, Any] = {
            "text": text,
            "erased": erased if is_id(erased) else None,
            "contacts": await find_contacts(self._contacts, account_id, text),
            "campaign_activities": await find_campaign_activities(self._campaigns, account_id, text),
        }
        if "part" in request.query_params:
            results = page("search_results.html", **values)
            # Keep the browser's address bar in sync with the results.
            results.headers["hx-replace-url"] = f"{FIND}?{urlencode({'q': text})}" if text else FIND
            return results
        return page("search.html", session=session, form_token=self._sessions.make_form_token(session), **values)
