"""Static files. Browsers cache them for a year if the URL contains the digest of their content."""

from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

STATIC: Final = "/static/{path:path}"

_HERE: Final = Path(__file__).parent / "static"
_MEDIA_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class File(NamedTuple):
    """A static file, and the digest of its content."""

    content: bytes
    media_type: str
    digest: str


def _read(path: Path) -> File:
    content = path.read_bytes()
    return File(content, _MEDIA_TYPES[path.suffix], sha256(content).hexdigest()[:16])


FILES: Final = {
    path.relative_to(_HERE).as_posix(): _read(path) for path in sorted(_HERE.rglob("*")) if path.suffix in _MEDIA_TYPES
}
"""All files below static/, by their paths."""


def static_url(path: str) -> str:
    """Return the URL of a file, which changes with its content."""
    return f"/static/{path}?v={FILES[path].digest}"


class StaticFiles:
    """The route of the static files, which need no session."""

    def routes(self) -> list[Route]:
        """Return the route."""
        return [Route(STATIC, self.file, methods=["GET"])]

    async def file(self, request: Request) -> Response:
        """Return a file, or 304 if the browser has it."""
        file = FILES.get(request.path_params["path"])
        if file is None:
            raise HTTPException(404)
        tag = f'"{file.digest}"'
        is_named = request.query_params.get("v") == file.digest
        headers = {
            "cache-control": "public, max-age=31536000, immutable" if is_named else "no-cache",
            "etag": tag,
            "x-content-type-options": "nosniff",
        }
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(file.content, headers=headers, media_type=file.media_type)
