"""The page to connect clients: code examples, and the account's tokens."""

import secrets
from hashlib import blake2b
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from rapport.auth.authorization import has_permission
from rapport.auth.keys import MAX_TOKEN_LIFETIME
from rapport.auth.scope import Privilege, Role, Scope
from rapport.auth.session import Session
from rapport.auth.token_registry import MAX_NAME_LENGTH
from rapport.auth.token_service import MANAGE_TOKENS, TokenRequest, TokenService, can_delegate, delegable_roles
from rapport.errors import InvalidField, RepeatedRequest
from rapport.instant import DAY, Instant
from rapport.store.contacts import ContactRepository
from rapport.web.labels import ROLE_LABELS, SCOPE_LABELS
from rapport.web.rendering import page
from rapport.web.routing import page_route
from rapport.web.sessions import SessionManager, now, read_fields, read_form
from rapport.web.snippets import PLACEHOLDER_CONTACT_ID, build_snippets
from rapport.web.zone import get_zone

CONNECT: Final = "/connect"
CREATE: Final = "/connect/tokens"
REVOKE: Final = "/connect/tokens/{token_id}/revoke"

_LIFETIMES: Final = {"1": "1 day", "7": "7 days", "30": "30 days", "90": "90 days", "365": "365 days"}
_LONGEST: Final = "longest"
_NONCE_BYTES: Final = 12
_REPEATED: Final = "repeated"
"""The query parameter that is set after a form was submitted again."""
_DEFAULT_SCOPES: Final = frozenset({Scope.CONTACT_DATA, Scope.CAMPAIGN_DATA, Scope.ACCOUNT_READ})
"""The scopes that are selected at first: most clients need them."""


class ConnectPage:
    """The page, the form that creates a token, and those that revoke one."""

    def __init__(self, contacts: ContactRepository, sessions: SessionManager, token_service: TokenService) -> None:
        self._contacts = contacts
        self._sessions = sessions
        self._token_service = token_service

    def routes(self) -> list[Route]:
        """Return the routes of the page and its forms."""
        return [
            page_route(CONNECT, self.connect),
            page_route(CREATE, self.create, method="POST"),
            page_route(REVOKE, self.revoke, method="POST"),
        ]

    async def connect(self, request: Request) -> Response:
        """Show the page. All signed-in users see the examples."""
        return await self._page(request, self._sessions.get_session(request))

    async def create(self, request: Request) -> Response:
        """Create a token and show it, once."""
        session = self._sessions.get_session(request, privilege=MANAGE_TOKENS)
        fields = await read_fields(request)
        self._sessions.check_form(request, session, dict(fields).get("form_token", ""))
        token_request = _parse_form(session, fields)
        try:
            token = await self._token_service.create_token(session, token_request, now())
        except RepeatedRequest:
            # Reloading the page with the token submits its form again.
            return RedirectResponse(f"{CONNECT}?{_REPEATED}=1", status_code=303)
        return await self._page(request, session, token, token_request.name)

    async def revoke(self, request: Request) -> Response:
        """Revoke a token."""
        session = self._sessions.get_session(request, privilege=MANAGE_TOKENS)
        self._sessions.check_form(request, session, (await read_form(request)).get("form_token", ""))
        await self._token_service.revoke_token(session, request.path_params["token_id"], now())
        return RedirectResponse(f"{CONNECT}#tokens", status_code=303)

    async def _page(self, request: Request, session: Session, token: str = "", name: str = "") -> Response:
        url = self._sessions.get_base_url(request)
        return page(
            "connect.html",
            session=session,
            form_token=self._sessions.make_form_token(session),
            nav_id="connect",
            zone=get_zone(request),
            url=url,
            snippets=build_snippets(url, await self._contact_id(session)),
            token=token,
            name=name,
            nonce=secrets.token_urlsafe(_NONCE_BYTES),
            is_repeated=_REPEATED in request.query_params,
            role_labels=ROLE_LABELS,
            scope_labels=SCOPE_LABELS,
            **await self._tokens(session),
        )

    async def _tokens(self, session: Session) -> dict[str, Any]:
        if not has_permission(session.principal, None, MANAGE_TOKENS):
            return {"may_manage": False}
        current_time = now()
        lifetimes, until = _get_lifetimes(session, current_time)
        return {
            "may_manage": True,
            "max_name_length": MAX_NAME_LENGTH,
            "roles": [role.value for role in delegable_roles(session)],
            "scopes": [(scope.value, scope in _DEFAULT_SCOPES) for scope in Scope if scope in session.principal.scopes],
            "lifetimes": lifetimes,
            "max_lifetime": _LONGEST,
            "until": until,
            "tokens": [
                {
                    "token": token,
                    "scopes": sorted(scope.value for scope in token.scopes),
                    "revocation": revocation,
                    "is_own": token.token_id in session.token_ids[:1],
                    "may_revoke": revocation is None and can_delegate(session, token.role, token.scopes),
                }
                for token, revocation in await self._token_service.list_tokens(session, current_time)
            ],
        }

    async def _contact_id(self, session: Session) -> str:
        """Return a contact of the account for the examples, or a placeholder if the session can't read contacts."""
        if not has_permission(session.principal, Scope.CONTACT_DATA, Privilege.CONTACT_REPORTS):
            return PLACEHOLDER_CONTACT_ID
        contact_ids = await self._contacts.list_ids(session.principal.account_id, "", 1)
        return contact_ids[0] if contact_ids else PLACEHOLDER_CONTACT_ID


def _get_lifetimes(session: Session, current_time: Instant) -> tuple[dict[str, str], Instant]:
    """Return the lifetimes in days that the session can give to tokens, with their labels, and the latest expiry."""
    until = Instant(min(session.tokens_until, current_time + MAX_TOKEN_LIFETIME))
    return {days: label for days, label in _LIFETIMES.items() if current_time + int(days) * DAY <= until}, until


def _parse_form(session: Session, fields: list[tuple[str, str]]) -> TokenRequest:
    form = dict(fields)
    current_time = now()
    roles, scopes = {role.value: role for role in Role}, {scope.value: scope for scope in Scope}
    role, lifetime = form.get("role", ""), form.get("lifetime", "")
    if role not in roles:
        raise InvalidField("role", role, "must be one of " + ", ".join(roles))
    selected = [value for name, value in fields if name == "scope"]
    for scope in selected:
        if scope not in scopes:
            raise InvalidField("scope", scope, "must be one of " + ", ".join(scopes))
    if lifetime not in {*_LIFETIMES, _LONGEST}:
        raise InvalidField("lifetime", lifetime, "must be one of " + ", ".join([*_LIFETIMES, _LONGEST]))
    if len(form.get("nonce", "")) < _NONCE_BYTES:
        raise InvalidField("nonce", form.get("nonce", ""), "is missing; reload the page and submit the form again")
    _, until = _get_lifetimes(session, current_time)
    return TokenRequest(
        name=form.get("name", ""),
        role=roles[role],
        scopes=frozenset(scopes[scope] for scope in selected),
        expires=until if lifetime == _LONGEST else Instant(current_time + int(lifetime) * DAY),
        request_key=blake2b(urlencode(fields).encode(), digest_size=16).hexdigest(),
    )
