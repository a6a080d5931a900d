"""Signing in, with a password, a one-time link or a token, and signing out."""

from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rapport.auth.authenticator import Authenticator
from rapport.auth.session import Session, begin_session, begin_session_from_token
from rapport.auth.sign_in_codes import redeem_code
from rapport.errors import InvalidLink, InvalidToken, SignInFailed, Throttled
from rapport.oauth.applications import is_application_token
from rapport.people.sign_in import SignInService
from rapport.store.secrets import SecretRepository
from rapport.store.users import User
from rapport.web.navigation import get_home_path
from rapport.web.own_urls import NEXT, SIGN_IN, is_own_path
from rapport.web.rendering import page
from rapport.web.routing import page_route
from rapport.web.sessions import SessionManager, now, read_form

LINK: Final = "/sign-in/{code}"
OIDC: Final = "/sign-in/oidc"
BY_EMAIL: Final = "/sign-in/password"
BY_CODE: Final = "/sign-in/code"
SIGN_OUT: Final = "/sign-out"

_MAX_TOKEN_LENGTH: Final = 8_192
_MAX_FIELD_LENGTH: Final = 300

_WRONG: Final = (
    "The email address or the password is wrong. If you are a user of several accounts, name the account as well."
)
_TOO_MANY_ATTEMPTS: Final = (
    "Too many attempts to sign in with this email address. Try again in {} minute{}, or use a sign-in link."
)


class SignInPage:
    """The pages that need no session, and the form that ends one."""

    def __init__(
        self,
        secrets: SecretRepository,
        sessions: SessionManager,
        authenticator: Authenticator,
        sign_in: SignInService,
        provider_name: str,
    ) -> None:
        self._provider_name = provider_name
        self._sign_in = sign_in
        self._secrets = secrets
        self._sessions = sessions
        self._authenticator = authenticator

    def routes(self) -> list[Route]:
        """Return the routes of the pages and forms."""
        return [
            page_route(SIGN_IN, self.form),
            page_route(SIGN_IN, self.by_token, method="POST"),
            page_route(BY_EMAIL, self.by_password, method="POST"),
            page_route(BY_CODE, self.by_code, method="POST"),
            page_route(LINK, self.link),
            page_route(LINK, self.by_link, method="POST"),
            page_route(SIGN_OUT, self.sign_out, method="POST"),
        ]

    async def form(self, request: Request) -> Response:
        """Show the sign-in page."""
        return self._form(
            "",
            read_next_path(request.query_params.get(NEXT, "")),
            account_id=request.query_params.get("account", "")[:_MAX_FIELD_LENGTH],
        )

    def _form(
        self, error: str, next_path: str, *, status: int = 200, address: str = "", account_id: str = ""
    ) -> Response:
        return page(
            "sign_in.html",
            status=status,
            error=error,
            next_path=next_path,
            address=address[:_MAX_FIELD_LENGTH],
            account_id=account_id[:_MAX_FIELD_LENGTH],
            provider_name=self._provider_name,
            provider_path=oidc_path(next_path, account_id),
        )

    async def link(self, request: Request) -> Response:
        """Show a button that redeems the link.

        Opening the link must not redeem it, because mail scanners, chat previews and prefetching browsers open links.
        Some of them run scripts, so no script submits the form.
        """
        return page("sign_in_link.html", next_path=read_next_path(request.query_params.get(NEXT, "")))

    async def by_link(self, request: Request) -> Response:
        """Sign in with a link, which works once."""
        self._sessions.check_site(request)
        next_path = read_next_path((await read_form(request)).get(NEXT, ""))
        try:
            principal = await redeem_code(self._secrets, request.path_params["code"], now())
        except InvalidToken:
            error = (
                "This link was already used or has expired. Run `rapport sign-in` on the server to get a new one, "
                "or paste a token."
            )
            return self._form(error, next_path, status=401)
        session = begin_session(principal, now())
        return await self._sessions.start_session(request, session, "link", choose_page(next_path, session))

    async def by_token(self, request: Request) -> Response:
        """Sign in with a pasted token."""
        self._sessions.check_site(request)
        form = await read_form(request)
        token, next_path = form.get("token", "").strip(), read_next_path(form.get(NEXT, ""))
        try:
            if not 0 < len(token) <= _MAX_TOKEN_LENGTH:
                raise InvalidToken("no token, or one that is too long")
            verified = await self._authenticator.verify(token)
            if is_application_token(verified):
                raise InvalidToken("it was issued to an application")
        except InvalidToken:
            error = "This token is invalid or has expired. Create one with `rapport token create`."
            return self._form(error, next_path, status=401)
        session = begin_session_from_token(verified, now())
        return await self._sessions.start_session(request, session, "token", choose_page(next_path, session))

    async def by_password(self, request: Request) -> Response:
        """Sign in with an email address and a password."""
        self._sessions.check_site(request)
        form = await read_form(request)
        address, account_id = form.get("email_address", ""), form.get("account", "").strip()
        next_path = read_next_path(form.get(NEXT, ""))
        try:
            user = await self._sign_in.check_password(address, form.get("password", ""), account_id, now())
        except SignInFailed:
            status, error = 401, _WRONG
        except Throttled as exc:
            status, error = 429, _describe_throttling(exc)
        else:
            return await continue_sign_in(request, self._sign_in, self._sessions, user, next_path)
        return self._form(error, next_path, status=status, address=address, account_id=account_id)

    async def by_code(self, request: Request) -> Response:
        """Sign in with the code from an authenticator app, after the password."""
        self._sessions.check_site(request)
        form = await read_form(request)
        challenge, next_path = form.get("challenge", ""), read_next_path(form.get(NEXT, ""))
        try:
            user = await self._sign_in.check_totp(challenge, form.get("code", ""), now())
        except InvalidLink:
            return self._form("That took too long. Sign in again.", next_path, status=401)
        except SignInFailed:
            error, status = "The code is wrong, or was used before. Wait for the next one.", 401
            return page("totp.html", status=status, challenge=challenge, next_path=next_path, error=error)
        except Throttled as exc:
            return self._form(_describe_throttling(exc), next_path, status=429)
        session = await self._sign_in.begin_session(user, now())
        to = choose_page(next_path, session)
        return await self._sessions.start_session(request, session, "password", to)

    async def sign_out(self, request: Request) -> Response:
        """End the session."""
        session = self._sessions.get_session(request)
        self._sessions.check_form(request, session, (await read_form(request)).get("form_token", ""))
        return await self._sessions.sign_out(session)


async def continue_sign_in(
    request: Request, sign_in: SignInService, sessions: SessionManager, user: User, next_path: str
) -> Response:
    """Begin the session of a user who has given the password, or first ask for the code from the authenticator app."""
    if user.totp_secret is not None:
        return page("totp.html", challenge=sign_in.make_challenge(user, now()), next_path=next_path, error="")
    session = await sign_in.begin_session(user, now())
    return await sessions.start_session(request, session, "password", choose_page(next_path, session))


def oidc_path(next_path: str, account_id: str) -> str:
    """Return the path that leads to the provider, and back to `next_path`."""
    params = {name: value for name, value in ((NEXT, next_path), ("account", account_id)) if value}
    return f"{OIDC}?{urlencode(params)}" if params else OIDC


def _describe_throttling(exc: Throttled) -> str:
    minutes = -(-exc.retry_after // 60)
    return _TOO_MANY_ATTEMPTS.format(minutes, "" if minutes == 1 else "s")


def read_next_path(text: str) -> str:
    """Return the path of a page of this server to show after signing in; empty if there is none."""
    return text if is_own_path(text) else ""


def choose_page(next_path: str, session: Session) -> str:
    """Return the path to show after signing in."""
    return next_path or get_home_path(session)
