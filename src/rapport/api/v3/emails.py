"""GET /v3/emails, /v3/emails/{campaign_id}, /v3/emails/activities/{…}: routes only."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rapport.activity import is_id
from rapport.api.answers import json_answer
from rapport.api.cursor import open_cursor, seal_cursor
from rapport.api.door import admit
from rapport.api.handler import get
from rapport.api.parameters import read_cursor, read_limit, read_query, read_within
from rapport.api.wire_emails import email_activity_body, email_body, emails_body
from rapport.auth.gate import Gate
from rapport.auth.scope import Privilege, Scope
from rapport.auth.token import Principal
from rapport.auth.watch import KeyWatch
from rapport.errors import MalformedCampaignActivityId, UnknownCampaign
from rapport.instant import FIRST, LAST
from rapport.reporting.emails import EmailsRequest, email, email_activity, emails
from rapport.store.known import CampaignPlace, Within
from rapport.store.protocol import Store

EMAILS: Final = "/v3/emails"
EMAIL: Final = "/v3/emails/{campaign_id}"
EMAIL_ACTIVITY: Final = "/v3/emails/activities/{campaign_activity_id}"

MOST_EMAILS: Final = 500
UNSAID_EMAILS: Final = 50


class EmailRoutes:
    """Which campaigns there are."""

    def __init__(self, store: Store, gate: Gate, keys: KeyWatch) -> None:
        self._store = store
        self._gate = gate
        self._keys = keys

    def routes(self) -> list[Route]:
        """The three routes."""
        return [get(EMAILS, self.emails), get(EMAIL, self.email), get(EMAIL_ACTIVITY, self.email_activity)]

    async def emails(self, request: Request) -> Response:
        """A page of email campaigns, that which was changed last first."""
        principal = await self._admit(request)
        sealing = self._keys.keys.sealing
        query = read_query(request.scope["query_string"])
        cursor = read_cursor(query)
        if cursor is None:
            within = read_within(query, "after_date", "before_date") or Within(FIRST, LAST)
            limit = read_limit(query, MOST_EMAILS, UNSAID_EMAILS)
            wanted = EmailsRequest(within, limit, CampaignPlace(LAST + 1, ""))
        else:
            wanted = open_cursor(sealing, principal.account_id, EMAILS, cursor, EmailsRequest)
        page = await emails(self._store, principal.account_id, wanted)
        href = None
        if page.next is not None:
            href = f"{EMAILS}?next={seal_cursor(sealing, principal.account_id, EMAILS, page.next)}"
        return json_answer(emails_body(page, next_href=href))

    async def email(self, request: Request) -> Response:
        """An email campaign with its campaign activities."""
        principal = await self._admit(request)
        campaign_id: str = request.path_params["campaign_id"]
        if not is_id(campaign_id):
            raise UnknownCampaign(campaign_id[:64])
        return json_answer(email_body(await email(self._store, principal.account_id, campaign_id)))

    async def email_activity(self, request: Request) -> Response:
        """A campaign activity."""
        principal = await self._admit(request)
        campaign_activity_id: str = request.path_params["campaign_activity_id"]
        if not is_id(campaign_activity_id):
            raise MalformedCampaignActivityId
        found = await email_activity(self._store, principal.account_id, campaign_activity_id)
        return json_answer(email_activity_body(found))

    async def _admit(self, request: Request) -> Principal:
        return await admit(self._gate, request, Scope.CAMPAIGN_DATA, Privilege.CAMPAIGN_READ)
