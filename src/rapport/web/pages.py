"""The page to try the API on: made from the published description, without a build and without another host."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

TRY: Final = "/schema"

_STATIC: Final = Path(__file__).parent / "static"
_HEADERS: Final = {
    "cache-control": "no-cache",
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


_FILES: Final = {
    TRY: ("try.html", "text/html"),
    "/schema/try.js": ("try.js", "text/javascript"),
    "/schema/try.css": ("try.css", "text/css"),
    "/schema/icon.svg": ("icon.svg", "image/svg+xml"),
}


class Pages:
    """The pages and what they are made of."""

    def routes(self) -> list[Route]:
        """The routes of the pages."""
        files = [Route(path, _serve(*file), methods=["GET"]) for path, file in _FILES.items()]
        return [Route("/", self.home, methods=["GET"]), *files]

    async def home(self, _request: Request) -> Response:
        """Whoever types the bare address finds the page to try things on."""
        return RedirectResponse(TRY)


def _serve(name: str, media_type: str) -> Callable[[Request], Awaitable[Response]]:
    content = (_STATIC / name).read_bytes()

    async def file(_request: Request) -> Response:
        return Response(content, headers=_HEADERS, media_type=media_type)

    return file
