"""The page to try the API on, made from the published description."""

from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

TRY: Final = "/schema"

_PAGE: Final = (Path(__file__).parent / "static" / "try.html").read_bytes()
_HEADERS: Final = {
    "cache-control": "no-cache",
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class Pages:
    """What is the same for everybody, and needs no session."""

    def routes(self) -> list[Route]:
        """The route."""
        return [Route(TRY, self.try_the_api, methods=["GET"])]

    async def try_the_api(self, _request: Request) -> Response:
        """The page."""
        return Response(_PAGE, headers=_HEADERS, media_type="text/html")
