"""The page to try the API on, made from the published description, and the token that its requests carry."""

from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rapport.auth.grant import TokenService
from rapport.instant import SECOND
from rapport.web.door import SessionManager, now, read_form
from rapport.web.rendering import page
from rapport.web.routing import shown

TRY: Final = "/schema"
PAGE_TOKEN: Final = "/connect/page-token"  # noqa: S105 - a path


class Pages:
    """The page, which needs no session, and its token, which does.

    The API accepts tokens only: if it accepted the session's cookie as well, every route would have to be protected
    against other sites' forms. So the page gets a short-lived token, which it keeps in memory only.
    """

    def __init__(self, door: SessionManager, grants: TokenService) -> None:
        self._door = door
        self._grants = grants

    def routes(self) -> list[Route]:
        """The routes."""
        return [shown(TRY, self.try_the_api), shown(PAGE_TOKEN, self.page_token, method="POST")]

    async def try_the_api(self, request: Request) -> Response:
        """The page."""
        session = self._door.find_session(request)
        form_token = "" if session is None else self._door.form_token(session)
        return page("schema.html", session=session, form_token=form_token, here="api", page_token_path=PAGE_TOKEN)

    async def page_token(self, request: Request) -> Response:
        """Return a token for the session's own requests, as JSON."""
        session = self._door.session(request)
        self._door.check_form(request, session, (await read_form(request)).get("form_token", ""))
        moment = now()
        token, expires = self._grants.make_page_token(session, moment)
        body = msgspec.json.encode({"token": token, "expires_in": (expires - moment) // SECOND})
        headers = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
        return Response(body, headers=headers, media_type="application/json")
