"""The application itself: each request finds its route, and every failure becomes an answer.

Whatever becomes of a request, it has an id, a line in the log, and its place in the metrics.
"""

import asyncio
import itertools
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Final

import structlog
from prometheus_client import Histogram
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import Lifespan, Message, Receive, Scope, Send

from rapport import logs, metrics
from rapport.api.parameters import flatten_lists
from rapport.api.problems import answer_for, answer_internal, answer_of_router, is_answered
from rapport.api.receiving import BodyReceiver, UnfinishedBodies
from rapport.auth.token import Principal
from rapport.disconnects import is_cancelled_by_disconnect, watch_client
from rapport.errors import BodyTimeout, RapportError
from rapport.web.error_pages import ErrorPages, wants_page

_NO_ROUTE: Final = "none"
_HUNG_UP: Final = 499
"""The status in log and metrics of a request whose client went away before the answer."""

_WITHOUT_BODY: Final = frozenset({"GET", "HEAD"})

# A worker's own, and a number: unlike a random one, it costs no system call.
_WORKER: Final = secrets.token_hex(6)
_numbers: Final = itertools.count(1)

_log = structlog.get_logger("rapport.api")


class Service:
    """The application, as ASGI."""

    def __init__(self, routes: Sequence[Route], error_pages: ErrorPages, lifespan: "Lifespan[Service]") -> None:
        # A path with a slash at its end is answered as the one without it, and not redirected: that would lose the
        # Authorization header in some clients (docs/compatibility.md#trailing-slash).
        self._router = Router(routes, redirect_slashes=False, lifespan=lifespan)
        self._paths: dict[Callable[..., object], str] = {route.endpoint: route.path_format for route in routes}
        self._error_pages = error_pages
        self._seen: dict[tuple[str, int], Histogram] = {}
        self._bodies = UnfinishedBodies()

    def stop_receiving(self) -> None:
        """Give up the bodies of requests that don't arrive soon: the server is stopping."""
        self._bodies.stop()

    @property
    def paths(self) -> frozenset[str]:
        """The paths of all routes."""
        return frozenset(self._paths.values())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or the server's start and stop."""
        scope["app"] = self
        if scope["type"] != "http":
            await self._router(scope, receive, send)
            return
        began = time.perf_counter()
        _normalize_address(scope)
        receiver = BodyReceiver(self._bodies, scope, receive)
        request_id = scope["request_id"] = f"{_WORKER}-{next(_numbers):x}"
        status = _HUNG_UP

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"].append((b"x-request-id", request_id.encode()))
            await send(message)

        watch_client(receiver if scope["method"] in _WITHOUT_BODY else None)
        try:
            await self._router(scope, receiver, send_with_id)
        except ClientDisconnect:
            if receiver.timed_out and status == _HUNG_UP:
                exc = BodyTimeout("the body did not arrive in time; send it again, or in smaller parts")
                await self._error_response(exc, scope)(scope, receive, send_with_id)
        except asyncio.CancelledError:
            if not is_cancelled_by_disconnect():
                raise
        except Exception as problem:  # noqa: BLE001 - whatever it was: it is answered, and the next request goes on
            if status == _HUNG_UP:
                await self._error_response(problem, scope)(scope, receive, send_with_id)
        finally:
            receiver.close()
            self._tell(scope, request_id, status, time.perf_counter() - began)

    def _error_response(self, exc: Exception, scope: Scope) -> Response:
        if wants_page(scope):
            return self._error_pages.error_page(Request(scope), exc)
        return _answer(exc, scope["path"], scope["request_id"])

    def _tell(self, scope: Scope, request_id: str, status: int, seconds: float) -> None:
        route = self._paths.get(scope.get("endpoint", _NO_ROUTE), _NO_ROUTE)
        seen = self._seen.get((route, status))
        if seen is None:
            seen = self._seen[route, status] = metrics.REQUESTS.labels(route, status)
        seen.observe(seconds)
        principal: Principal | None = scope.get("principal")
        logs.requests.tell(
            request_id=request_id,
            method=scope["method"],
            route=route,
            status=status,
            milliseconds=round(seconds * 1000, 3),
            account=None if principal is None else principal.account_id,
            client=None if principal is None else principal.client_id,
        )


def _normalize_address(scope: Scope) -> None:
    """Take the slash from the end of the path, and the brackets of lists from the names of parameters."""
    # An encoded slash belongs to an id.
    if scope["path"].endswith("/") and scope["raw_path"].endswith(b"/"):
        scope["path"] = scope["path"].rstrip("/") or "/"
    if scope["query_string"]:
        scope["query_string"] = flatten_lists(scope["query_string"])


def _answer(problem: Exception, path: str, request_id: str) -> Response:
    if isinstance(problem, RapportError) and is_answered(type(problem)):
        return answer_for(problem, path, request_id)
    if isinstance(problem, HTTPException):
        return answer_of_router(problem)
    _log.error("request failed", request_id=request_id, exc_info=problem)
    return answer_internal()
