"""Signing in, by a one-time link or with a token, and out again."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rapport.auth.one_time import redeem_code
from rapport.auth.session import begin_session, begin_session_with
from rapport.auth.token import Principal
from rapport.auth.watch import KeyCache
from rapport.errors import InvalidToken
from rapport.oauth.applications import is_application_token
from rapport.store.secrets import SecretRepository
from rapport.web.addresses import NEXT, SIGN_IN, is_own_path
from rapport.web.door import SessionManager, now, read_form
from rapport.web.navigation import home_of
from rapport.web.rendering import page
from rapport.web.routing import shown

LINK: Final = "/sign-in/{code}"
SIGN_OUT: Final = "/sign-out"

_LONGEST_TOKEN: Final = 8_192


class SignInPage:
    """The pages that need no session, and the form that ends one."""

    def __init__(self, secrets: SecretRepository, door: SessionManager, keys: KeyCache) -> None:
        self._secrets = secrets
        self._door = door
        self._keys = keys

    def routes(self) -> list[Route]:
        """The routes."""
        return [
            shown(SIGN_IN, self.form),
            shown(SIGN_IN, self.by_token, method="POST"),
            shown(LINK, self.link),
            shown(LINK, self.by_link, method="POST"),
            shown(SIGN_OUT, self.sign_out, method="POST"),
        ]

    async def form(self, request: Request) -> Response:
        """Show the page to sign in on."""
        return page("sign_in.html", problem="", next_path=_next_path(request.query_params.get(NEXT, "")))

    async def link(self, request: Request) -> Response:
        """Show the button that uses the link.

        Opening a link must not use it up: mail scanners, chat previews and browsers that load pages in advance do so,
        and some of them run scripts. That is why no script presses the button.
        """
        return page("sign_in_link.html", next_path=_next_path(request.query_params.get(NEXT, "")))

    async def by_link(self, request: Request) -> Response:
        """Sign in with a link, which works once."""
        self._door.check_site(request)
        next_path = _next_path((await read_form(request)).get(NEXT, ""))
        try:
            principal = await redeem_code(self._secrets, request.path_params["code"], now())
        except InvalidToken:
            problem = (
                "This link was already used or has expired. Run `rapport sign-in` on the server to get a new one, "
                "or paste a token."
            )
            return page("sign_in.html", status=401, problem=problem, next_path=next_path)
        return self._door.signed_in(request, begin_session(principal, now()), _destination(next_path, principal))

    async def by_token(self, request: Request) -> Response:
        """Sign in with a pasted token."""
        self._door.check_site(request)
        form = await read_form(request)
        token, next_path = form.get("token", "").strip(), _next_path(form.get(NEXT, ""))
        try:
            if not 0 < len(token) <= _LONGEST_TOKEN:
                raise InvalidToken("there is none")
            verified = await self._keys.verified(token)
            if is_application_token(verified):
                raise InvalidToken("it was issued to an application")
        except InvalidToken:
            problem = "This token is invalid or has expired. Create one with `rapport token`."
            return page("sign_in.html", status=401, problem=problem, next_path=next_path)
        session = begin_session_with(verified, now())
        return self._door.signed_in(request, session, _destination(next_path, verified.principal))

    async def sign_out(self, request: Request) -> Response:
        """End the session."""
        session = self._door.session(request)
        self._door.check_form(request, session, (await read_form(request)).get("form_token", ""))
        return await self._door.sign_out(session)


def _next_path(text: str) -> str:
    return text if is_own_path(text) else ""


def _destination(next_path: str, principal: Principal) -> str:
    return next_path or home_of(principal)
