"""Find: one field for contacts and campaigns. The answer is there as one types, and without any script as well."""

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
from rapport.web.door import SessionManager
from rapport.web.rendering import page
from rapport.web.routing import shown

FIND: Final = "/"

_LONGEST: Final = 254


class SearchPage:
    """The page that one lands on."""

    def __init__(self, contacts: ContactRepository, campaigns: CampaignRepository, door: SessionManager) -> None:
        self._contacts = contacts
        self._campaigns = campaigns
        self._door = door

    def routes(self) -> list[Route]:
        """The route."""
        return [shown(FIND, self.find)]

    async def find(self, request: Request) -> Response:
        """The field, and what it finds; with `part` only what it finds."""
        session = self._door.session(request, Scope.CONTACT_DATA, Privilege.CONTACTS_READ)
        text = request.query_params.get("q", "")[:_LONGEST].strip()
        account_id = session.principal.account_id
        erased = request.query_params.get("erased", "")
        values: dict[str, Any] = {
            "text": text,
            "erased": erased if is_id(erased) else None,
            "contacts": await find_contacts(self._contacts, account_id, text),
            "campaign_activities": await find_campaign_activities(self._campaigns, account_id, text),
        }
        if "part" in request.query_params:
            found = page("found.html", **values)
            # So that the address is that of what is seen.
            found.headers["hx-replace-url"] = f"{FIND}?{urlencode({'q': text})}" if text else FIND
            return found
        return page("find.html", session=session, form_token=self._door.form_token(session), **values)
