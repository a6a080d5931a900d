"""The page to try the API on, made from the published description, and the files that all pages share."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
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
    "/static/pages.css": ("pages.css", "text/css"),
    "/static/pages.js": ("pages.js", "text/javascript"),
    "/schema/icon.svg": ("icon.svg", "image/svg+xml"),
}


class Pages:
    """What is the same for everybody, and needs no session."""

    def routes(self) -> list[Route]:
        """The routes of the files."""
        return [Route(path, _serve(*file), methods=["GET"]) for path, file in _FILES.items()]


def _serve(name: str, media_type: str) -> Callable[[Request], Awaitable[Response]]:
    content = (_STATIC / name).read_bytes()

    async def file(_request: Request) -> Response:
        return Response(content, headers=_HEADERS, media_type=media_type)

    return file
