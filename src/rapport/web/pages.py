"""The page to try the API on: made from the published description, without a build and without another host."""

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


class Pages:
    """The pages and what they are made of."""

    def routes(self) -> list[Route]:
        """The routes of the pages."""
        return [
            Route("/", self.home, methods=["GET"]),
            Route(TRY, self.try_page, methods=["GET"]),
            Route("/schema/try.js", self.try_script, methods=["GET"]),
            Route("/schema/try.css", self.try_style, methods=["GET"]),
        ]

    async def home(self, _request: Request) -> Response:
        """Whoever types the bare address finds the page to try things on."""
        return RedirectResponse(TRY)

    async def try_page(self, _request: Request) -> Response:
        """The page."""
        return _file("try.html", "text/html")

    async def try_script(self, _request: Request) -> Response:
        """Its script."""
        return _file("try.js", "text/javascript")

    async def try_style(self, _request: Request) -> Response:
        """Its style."""
        return _file("try.css", "text/css")


def _file(name: str, media_type: str) -> Response:
    return Response((_STATIC / name).read_bytes(), headers=_HEADERS, media_type=media_type)
