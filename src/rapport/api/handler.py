"""How a route calls its handler: without the machinery for what `Service` does for all routes at once."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from starlette.convertors import PathConvertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send


class _Rest(PathConvertor):
    """Whatever stands there, line breaks too: a malformed id is told as one, not as a route that there is not."""

    regex = "(?s:.*)"


register_url_convertor("path", _Rest())

Handle: TypeAlias = Callable[[Request], Awaitable[Response]]


class _Handler:
    """A handler, as ASGI."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request. What the handler raises is the caller's."""
        response = await self._handle(Request(scope, receive))
        await response(scope, receive, send)


def get(path: str, handle: Handle) -> Route:
    """The route of GET, and of HEAD, which is answered alike."""
    return Route(path, _Handler(handle), methods=["GET"])


def delete(path: str, handle: Handle) -> Route:
    """The route of DELETE."""
    return Route(path, _Handler(handle), methods=["DELETE"])


def post(path: str, handle: Handle) -> Route:
    """The route of POST."""
    return Route(path, _Handler(handle), methods=["POST"])
