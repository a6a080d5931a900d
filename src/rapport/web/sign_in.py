"""Signing in, by a one-time link or with a token, and out again."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rapport.auth.one_time import use_code
from rapport.auth.session import begin_session, begin_session_with
from rapport.auth.watch import KeyWatch
from rapport.errors import InvalidToken
from rapport.store.protocol import Store
from rapport.web.door import SIGN_IN, Door, check_site, now, read_form
from rapport.web.navigation import home_of
from rapport.web.rendering import page
from rapport.web.routing import shown

LINK: Final = "/sign-in/{code}"
SIGN_OUT: Final = "/sign-out"

_LONGEST_TOKEN: Final = 8_192


class SigningIn:
    """The pages that need no session, and the form that ends one."""

    def __init__(self, store: Store, door: Door, keys: KeyWatch) -> None:
        self._store = store
        self._door = door
        self._keys = keys

    def routes(self) -> list[Route]:
        """The routes."""
        return [
            shown(SIGN_IN, self.form),
            shown(SIGN_IN, self.by_token, method="POST"),
            shown(LINK, self.by_link),
            shown(SIGN_OUT, self.sign_out, method="POST"),
        ]

    async def form(self, _request: Request) -> Response:
        """The page to sign in on."""
        return page("sign_in.html", problem="")

    async def by_link(self, request: Request) -> Response:
        """A link that is good once."""
        try:
            principal = await use_code(self._store, request.path_params["code"], now())
        except InvalidToken:
            told = "This link has been used, or is too old. Start the server again for a new one, or use a token."
            return page("sign_in.html", status=401, problem=told)
        return self._door.signed_in(request, begin_session(principal, now()), home_of(principal))

    async def by_token(self, request: Request) -> Response:
        """A token, pasted."""
        check_site(request)
        token = (await read_form(request)).get("token", "").strip()
        try:
            if not 0 < len(token) <= _LONGEST_TOKEN:
                raise InvalidToken("there is none")
            verified = await self._keys.verified(token)
        except InvalidToken:
            told = "This token is not good here, or no longer. Make one with: rapport token"
            return page("sign_in.html", status=401, problem=told)
        return self._door.signed_in(request, begin_session_with(verified, now()), home_of(verified.principal))

    async def sign_out(self, request: Request) -> Response:
        """End the session of this browser."""
        session = self._door.session(request)
        self._door.check_form(request, session, (await read_form(request)).get("form_token", ""))
        return self._door.signed_out()
