"""Routes of pages, whose exceptions become error pages (`rapport.web.error_pages`)."""

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from rapport.web.error_pages import mark_as_page
from rapport.web.own_urls import SIGN_IN, sign_in_path
from rapport.web.sessions import NotSignedIn

PageHandler = Callable[[Request], Awaitable[Response]]


def page_route(path: str, show: PageHandler, *, method: str = "GET") -> Route:
    """Return the route of a page or a form."""

    async def handle(request: Request) -> Response:
        mark_as_page(request)
        try:
            return await show(request)
        except NotSignedIn:
            if "hx-request" in request.headers:
                # The request was for a part of a page; redirect the whole page to the sign-in page.
                current = urlsplit(request.headers.get("hx-current-url", ""))
                location = sign_in_path(current._replace(scheme="", netloc="", fragment="").geturl() or "/")
                return Response(headers={"hx-redirect": location, "cache-control": "no-store"})
            location = sign_in_path(_requested_path(request)) if request.method == "GET" else SIGN_IN
            return RedirectResponse(location, status_code=303)

    return Route(path, handle, methods=[method])


def _requested_path(request: Request) -> str:
    query = request.scope["query_string"].decode("latin-1")
    raw_path: bytes = request.scope["raw_path"]
    return raw_path.decode("latin-1") + (f"?{query}" if query else "")
