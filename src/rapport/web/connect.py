"""Connect: the tokens of the account, and what to paste into a program that asks this server."""

import secrets
from hashlib import blake2b
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from rapport.auth.gate import may
from rapport.auth.grant import MANAGE_TOKENS, TokenRequest, TokenService, may_give, roles_of
from rapport.auth.keys import MAX_TOKEN_LIFETIME
from rapport.auth.register import MAX_NAME_LENGTH
from rapport.auth.scope import Privilege, Role, Scope
from rapport.auth.session import Session
from rapport.errors import InvalidField, RepeatedRequest
from rapport.instant import DAY, Instant
from rapport.store.contacts import ContactRepository
from rapport.web.door import SessionManager, now, read_fields, read_form
from rapport.web.rendering import page
from rapport.web.routing import shown
from rapport.web.snippets import NOBODY, snippets
from rapport.web.words import ROLE_LABELS, SCOPE_LABELS
from rapport.web.zone import zone_of

CONNECT: Final = "/connect"
MAKE: Final = "/connect/tokens"
REVOKE: Final = "/connect/tokens/{token_id}/revoke"

_LIVES: Final = {"1": "1 day", "7": "7 days", "30": "30 days", "90": "90 days", "365": "365 days"}
_LONGEST: Final = "longest"
_NONCE_BYTES: Final = 12
_REPEATED: Final = "repeated"
"""The parameter that says that a form was submitted again."""
_CHECKED: Final = frozenset({Scope.CONTACT_DATA, Scope.CAMPAIGN_DATA, Scope.ACCOUNT_READ})
"""What most programs ask for."""


class ConnectPage:
    """The page, the form that makes a token, and those that revoke one."""

    def __init__(self, contacts: ContactRepository, door: SessionManager, grants: TokenService) -> None:
        self._contacts = contacts
        self._door = door
        self._grants = grants

    def routes(self) -> list[Route]:
        """The routes."""
        return [
            shown(CONNECT, self.connect),
            shown(MAKE, self.make, method="POST"),
            shown(REVOKE, self.revoke, method="POST"),
        ]

    async def connect(self, request: Request) -> Response:
        """The page; everybody who is signed in sees how to connect."""
        return await self._page(request, self._door.session(request))

    async def make(self, request: Request) -> Response:
        """A token, shown this once."""
        session = self._door.session(request, privilege=MANAGE_TOKENS)
        fields = await read_fields(request)
        self._door.check_form(request, session, dict(fields).get("form_token", ""))
        params = _asked(session, fields)
        try:
            token = await self._grants.make(session, params, now())
        except RepeatedRequest:
            # The page with the token was loaded again, which submits its form again.
            return RedirectResponse(f"{CONNECT}?{_REPEATED}=1", status_code=303)
        return await self._page(request, session, token, params.name)

    async def revoke(self, request: Request) -> Response:
        """A token is void from now on."""
        session = self._door.session(request, privilege=MANAGE_TOKENS)
        self._door.check_form(request, session, (await read_form(request)).get("form_token", ""))
        await self._grants.revoke(session, request.path_params["token_id"], now())
        return RedirectResponse(f"{CONNECT}#tokens", status_code=303)

    async def _page(self, request: Request, session: Session, token: str = "", name: str = "") -> Response:
        url = self._door.address(request)
        return page(
            "connect.html",
            session=session,
            form_token=self._door.form_token(session),
            here="connect",
            zone=zone_of(request),
            url=url,
            snippets=snippets(url, await self._contact_id(session)),
            token=token,
            name=name,
            nonce=secrets.token_urlsafe(_NONCE_BYTES),
            is_repeated=_REPEATED in request.query_params,
            role_words=ROLE_LABELS,
            scope_words=SCOPE_LABELS,
            **await self._tokens(session),
        )

    async def _tokens(self, session: Session) -> dict[str, Any]:
        if not may(session.principal, None, MANAGE_TOKENS):
            return {"may_manage": False}
        moment = now()
        lives, until = _lives(session, moment)
        return {
            "may_manage": True,
            "longest_name": MAX_NAME_LENGTH,
            "roles": [role.value for role in roles_of(session)],
            "scopes": [(scope.value, scope in _CHECKED) for scope in Scope if scope in session.principal.scopes],
            "lives": lives,
            "longest_life": _LONGEST,
            "until": until,
            "tokens": [
                {
                    "token": each,
                    "scopes": sorted(scope.value for scope in each.scopes),
                    "revocation": revocation,
                    "is_own": each.token_id in session.token_ids[:1],
                    "may_revoke": revocation is None and may_give(session, each.role, each.scopes),
                }
                for each, revocation in await self._grants.tokens(session, moment)
            ],
        }

    async def _contact_id(self, session: Session) -> str:
        """A contact of the account, so that what is pasted has an answer, where the session may know of one."""
        if not may(session.principal, Scope.CONTACT_DATA, Privilege.CONTACT_REPORTS):
            return NOBODY
        found = await self._contacts.list_ids(session.principal.account_id, "", 1)
        return found[0] if found else NOBODY


def _lives(session: Session, moment: Instant) -> tuple[dict[str, str], Instant]:
    """How long a token of this session may live: some lengths in days, and the latest end."""
    until = Instant(min(session.tokens_until, moment + MAX_TOKEN_LIFETIME))
    return {days: words for days, words in _LIVES.items() if moment + int(days) * DAY <= until}, until


def _asked(session: Session, fields: list[tuple[str, str]]) -> TokenRequest:
    form = dict(fields)
    moment = now()
    roles, scopes = {role.value: role for role in Role}, {scope.value: scope for scope in Scope}
    role, life = form.get("role", ""), form.get("life", "")
    if role not in roles:
        raise InvalidField("role", role, "must be one of " + ", ".join(roles))
    chosen = [value for name, value in fields if name == "scope"]
    for scope in chosen:
        if scope not in scopes:
            raise InvalidField("scope", scope, "must be one of " + ", ".join(scopes))
    if life not in {*_LIVES, _LONGEST}:
        raise InvalidField("life", life, "must be one of " + ", ".join([*_LIVES, _LONGEST]))
    if len(form.get("nonce", "")) < _NONCE_BYTES:
        raise InvalidField("nonce", form.get("nonce", ""), "is missing; reload the page and submit the form again")
    _, until = _lives(session, moment)
    return TokenRequest(
        name=form.get("name", ""),
        role=roles[role],
        scopes=frozenset(scopes[each] for each in chosen),
        expires=until if life == _LONGEST else Instant(moment + int(life) * DAY),
        request_key=blake2b(urlencode(fields).encode(), digest_size=16).hexdigest(),
    )
