"""Signing in, with a one-time link or a token, and signing out."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rapport.auth.key_cache import KeyCache
from rapport.auth.session import begin_session, begin_session_from_token
from rapport.auth.sign_in_codes import redeem_code
from rapport.auth.token import Principal
from rapport.errors import InvalidToken
from rapport.oauth.applications import is_application_token
from rapport.store.secrets import SecretRepository
from rapport.web.addresses import NEXT, SIGN_IN, is_own_path
from rapport.web.navigation import get_home_path
from rapport.web.rendering import page
from rapport.web.routing import page_route
from rapport.web.sessions import SessionManager, now, read_form

LINK: Final = "/sign-in/{code}"
SIGN_OUT: Final = "/sign-out"

_MAX_TOKEN_LENGTH: Final = 8_192


class SignInPage:
    """The pages that need no session, and the form that ends one."""

    def __init__(self, secrets: SecretRepository, sessions: SessionManager, keys: KeyCache) -> None:
        self._secrets = secrets
        self._sessions = sessions
        self._keys = keys

    def routes(self) -> list[Route]:
        """Return the routes of the pages and forms."""
        return [
            page_route(SIGN_IN, self.form),
            page_route(SIGN_IN, self.by_token, method="POST"),
            page_route(LINK, self.link),
            page_route(LINK, self.by_link, method="POST"),
            page_route(SIGN_OUT, self.sign_out, method="POST"),
        ]

    async def form(self, request: Request) -> Response:
        """Show the sign-in page."""
        return page("sign_in.html", error="", next_path=_next_path(request.query_params.get(NEXT, "")))

    async def link(self, request: Request) -> Response:
        """Show a button that redeems the link.

        Opening the link must not redeem it, because mail scanners, chat previews and prefetching browsers open links.
        Some of them run scripts, so no script submits the form.
        """
        return page("sign_in_link.html", next_path=_next_path(request.query_params.get(NEXT, "")))

    async def by_link(self, request: Request) -> Response:
        """Sign in with a link, which works once."""
        self._sessions.check_site(request)
        next_path = _next_path((await read_form(request)).get(NEXT, ""))
        try:
            principal = await redeem_code(self._secrets, request.path_params["code"], now())
        except InvalidToken:
            error = (
                "This link was already used or has expired. Run `rapport sign-in` on the server to get a new one, "
                "or paste a token."
            )
            return page("sign_in.html", status=401, error=error, next_path=next_path)
        return self._sessions.start_session(
            request, begin_session(principal, now()), _choose_page(next_path, principal)
        )

    async def by_token(self, request: Request) -> Response:
        """Sign in with a pasted token."""
        self._sessions.check_site(request)
        form = await read_form(request)
        token, next_path = form.get("token", "").strip(), _next_path(form.get(NEXT, ""))
        try:
            if not 0 < len(token) <= _MAX_TOKEN_LENGTH:
                raise InvalidToken("no token, or one that is too long")
            verified = await self._keys.verify(token)
            if is_application_token(verified):
                raise InvalidToken("it was issued to an application")
        except InvalidToken:
            error = "This token is invalid or has expired. Create one with `rapport token create`."
            return page("sign_in.html", status=401, error=error, next_path=next_path)
        session = begin_session_from_token(verified, now())
        return self._sessions.start_session(request, session, _choose_page(next_path, verified.principal))

    async def sign_out(self, request: Request) -> Response:
        """End the session."""
        session = self._sessions.get_session(request)
        self._sessions.check_form(request, session, (await read_form(request)).get("form_token", ""))
        return await self._sessions.sign_out(session)


def _next_path(text: str) -> str:
    return text if is_own_path(text) else ""


def _choose_page(next_path: str, principal: Principal) -> str:
    return next_path or get_home_path(principal)
