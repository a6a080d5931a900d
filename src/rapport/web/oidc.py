"""Signing in through the OpenID Connect provider: the way there, and the way back."""

from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from rapport.errors import ProviderUnavailable, SeveralAccounts, SignInFailed
from rapport.instant import SECOND
from rapport.people.oidc import LIFETIME, OidcService
from rapport.people.sign_in import SignInService
from rapport.web.own_urls import NEXT
from rapport.web.rendering import HEADERS, page
from rapport.web.routing import page_route
from rapport.web.sessions import SessionManager, now
from rapport.web.sign_in import OIDC, choose_page, oidc_path, read_next_path

CALLBACK: Final = "/sign-in/oidc/callback"
COOKIE: Final = "rapport_oidc"

_log = structlog.get_logger("rapport.web")


class OidcPages:
    """The redirect to the provider, and the page that it sends the browser back to."""

    def __init__(self, oidc: OidcService, sign_in: SignInService, sessions: SessionManager) -> None:
        self._oidc = oidc
        self._sign_in = sign_in
        self._sessions = sessions

    def routes(self) -> list[Route]:
        """Return the routes; none without a provider."""
        if not self._oidc.name:
            return []
        return [page_route(OIDC, self.start), page_route(CALLBACK, self.finish)]

    async def start(self, request: Request) -> Response:
        """Send the browser to the provider."""
        next_path = read_next_path(request.query_params.get(NEXT, ""))
        account_id = request.query_params.get("account", "")[:255]
        try:
            url, cookie = await self._oidc.start(self._redirect_uri(request), account_id, next_path, now())
        except ProviderUnavailable as exc:
            return self._unavailable(exc)
        response = RedirectResponse(url, status_code=303, headers=HEADERS)
        # Lax, because the browser comes back from another site.
        response.set_cookie(
            COOKIE,
            cookie,
            max_age=LIFETIME // SECOND,
            path=OIDC,
            httponly=True,
            samesite="lax",
            secure=self._sessions.get_base_url(request).startswith("https:"),
        )
        return response

    async def finish(self, request: Request) -> Response:
        """Sign in, when the browser comes back from the provider."""
        query = request.scope["query_string"].decode("latin-1")
        cookie = request.cookies.get(COOKIE, "")
        try:
            user, next_path = await self._oidc.finish(query, cookie, self._redirect_uri(request), now())
        except ProviderUnavailable as exc:
            return self._unavailable(exc)
        except SeveralAccounts as exc:
            choices = [(account_id, oidc_path("", account_id)) for account_id in exc.account_ids]
            response = page("choose_account.html", choices=choices)
        except SignInFailed:
            response = self._message(
                401,
                "Sign-in failed",
                "The provider did not confirm a user of this server. Ask an owner of the account to invite your email "
                "address, and try again.",
            )
        else:
            session = await self._sign_in.begin_session(user, now())
            to = choose_page(next_path, session)
            response = await self._sessions.start_session(request, session, "oidc", to)
        response.delete_cookie(COOKIE, path=OIDC, httponly=True, samesite="lax")
        return response

    def _redirect_uri(self, request: Request) -> str:
        return self._sessions.get_base_url(request) + CALLBACK

    def _unavailable(self, exc: ProviderUnavailable) -> Response:
        _log.warning("OpenID Connect provider unavailable", reason=str(exc)[:300])
        text = "The sign-in provider can't be reached at the moment. Try again shortly, or sign in another way."
        return self._message(503, "Temporarily unavailable", text)

    def _message(self, status: int, title: str, text: str) -> Response:
        return page("message.html", status=status, session=None, form_token="", title=title, text=text)
