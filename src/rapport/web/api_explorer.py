"""The API explorer, which is built from the OpenAPI document, and the token for its requests."""

from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rapport.auth.token_service import TokenService
from rapport.instant import SECOND
from rapport.web.rendering import page
from rapport.web.routing import page_route
from rapport.web.sessions import SessionManager, now, read_form

API_EXPLORER: Final = "/schema"
PAGE_TOKEN: Final = "/connect/page-token"  # noqa: S105 - a path


class ApiExplorerPage:
    """The API explorer, which needs no session, and its token, which does.

    The API accepts tokens only: if it accepted the session's cookie as well, every route would have to be protected
    against other sites' forms. So the page gets a short-lived token, which it keeps in memory only.
    """

    def __init__(self, sessions: SessionManager, token_service: TokenService) -> None:
        self._sessions = sessions
        self._token_service = token_service

    def routes(self) -> list[Route]:
        """Return the routes of the page and its token."""
        return [page_route(API_EXPLORER, self.show), page_route(PAGE_TOKEN, self.page_token, method="POST")]

    async def show(self, request: Request) -> Response:
        """Show the API explorer."""
        session = self._sessions.find_session(request)
        form_token = "" if session is None else self._sessions.make_form_token(session)
        return page(
            "api_explorer.html", session=session, form_token=form_token, nav_id="api", page_token_path=PAGE_TOKEN
        )

    async def page_token(self, request: Request) -> Response:
        """Return a token for the session's own requests, as JSON."""
        session = self._sessions.get_session(request)
        self._sessions.check_form(request, session, (await read_form(request)).get("form_token", ""))
        current_time = now()
        token, expires = self._token_service.create_page_token(session, current_time)
        body = msgspec.json.encode({"token": token, "expires_in": (expires - current_time) // SECOND})
        headers = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
        return Response(body, headers=headers, media_type="application/json")
