"""The ASGI application: routing, error responses, access log and metrics.

Every request has an id, a line in the access log, and is counted in the metrics, however it ends.
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
from starlette.routing import Route
from starlette.types import Lifespan, Message, Receive, Scope, Send

from rapport import logs, metrics
from rapport.api.body_timeouts import BodyReceiver, UnfinishedBodies
from rapport.api.errors import (
    error_response,
    has_error_spec,
    internal_error_response,
    quota_headers,
    router_error_response,
)
from rapport.api.query import flatten_lists
from rapport.api.routing import IndexedRouter
from rapport.auth.token import Principal
from rapport.disconnects import is_cancelled_by_disconnect, watch_client
from rapport.errors import BodyTimeout, RapportError
from rapport.url_paths import decode_path
from rapport.web.error_pages import ErrorPages, wants_page

_NO_ROUTE: Final = "none"
CLIENT_CLOSED_REQUEST: Final = 499
"""The status in log and metrics of a request whose client disconnected before the response, as nginx has it."""

_DOUBLE_SLASH: Final = "/v3//"
"""Some clients combine a base address that ends in a slash with paths that begin with one."""
_METHODS_WITHOUT_BODY: Final = frozenset({"GET", "HEAD"})

# Request ids are a worker's random prefix and a number: unlike random ids, they cost no system call.
_WORKER: Final = secrets.token_hex(6)
_request_numbers: Final = itertools.count(1)

_log = structlog.get_logger("rapport.api")


class Application:
    """The ASGI application of one worker."""

    def __init__(self, routes: Sequence[Route], error_pages: ErrorPages, lifespan: "Lifespan[Application]") -> None:
        self._router = IndexedRouter(routes, lifespan)
        self._paths: dict[Callable[..., object], str] = {route.endpoint: route.path_format for route in routes}
        self._error_pages = error_pages
        self._histograms: dict[tuple[str, int], Histogram] = {}
        self._bodies = UnfinishedBodies()

    def stop_receiving(self) -> None:
        """Time out unfinished request bodies soon, because the server is stopping."""
        self._bodies.stop()

    @property
    def paths(self) -> frozenset[str]:
        """The paths of all routes."""
        return frozenset(self._paths.values())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or the server's startup and shutdown."""
        scope["app"] = self
        if scope["type"] != "http":
            await self._router(scope, receive, send)
            return
        started = time.perf_counter()
        _normalize_url(scope)
        receiver = BodyReceiver(self._bodies, scope, receive)
        request_id = scope["request_id"] = f"{_WORKER}-{next(_request_numbers):x}"
        status = CLIENT_CLOSED_REQUEST

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"].append((b"x-request-id", request_id.encode()))
                message["headers"].extend(quota_headers(scope.get("quota")))
            await send(message)

        watch_client(receiver if scope["method"] in _METHODS_WITHOUT_BODY else None)
        try:
            await self._router(scope, receiver, send_with_id)
        except ClientDisconnect:
            if receiver.timed_out and status == CLIENT_CLOSED_REQUEST:
                timeout = BodyTimeout("the body did not arrive in time; send it again, or in smaller parts")
                await self._error_response(timeout, scope)(scope, receive, send_with_id)
        except asyncio.CancelledError:
            if not is_cancelled_by_disconnect():
                raise
        except Exception as exc:  # noqa: BLE001 - last-resort handler
            if status == CLIENT_CLOSED_REQUEST:
                await self._error_response(exc, scope)(scope, receive, send_with_id)
        finally:
            receiver.close()
            self._record_request(scope, request_id, status, time.perf_counter() - started)

    def _error_response(self, exc: Exception, scope: Scope) -> Response:
        if wants_page(scope):
            return self._error_pages.error_page(Request(scope), exc)
        return _response(exc, scope["path"], scope["request_id"])

    def _record_request(self, scope: Scope, request_id: str, status: int, seconds: float) -> None:
        route = self._paths.get(scope.get("endpoint", _NO_ROUTE), _NO_ROUTE)
        histogram = self._histograms.get((route, status))
        if histogram is None:
            histogram = self._histograms[route, status] = metrics.REQUESTS.labels(route, status)
        histogram.observe(seconds)
        principal: Principal | None = scope.get("principal")
        logs.access_log.log(
            request_id=request_id,
            method=scope["method"],
            route=route,
            status=status,
            milliseconds=round(seconds * 1000, 3),
            account=None if principal is None else principal.account_id,
            client=None if principal is None else principal.client_id,
        )


def _normalize_url(scope: Scope) -> None:
    """Mark encoded slashes and commas, and remove redundant slashes of the path and the brackets in parameter names."""
    raw_path = scope["raw_path"]
    if b"%" in raw_path:
        scope["path"] = decode_path(raw_path.decode("latin-1"), scope["path"])
    # An encoded slash belongs to an id.
    if scope["path"].endswith("/") and scope["raw_path"].endswith(b"/"):
        scope["path"] = scope["path"].rstrip("/") or "/"
    if scope["path"].startswith(_DOUBLE_SLASH):
        scope["path"] = "/v3/" + scope["path"][len(_DOUBLE_SLASH) :].lstrip("/")
    if scope["query_string"]:
        scope["query_string"] = flatten_lists(scope["query_string"])


def _response(exc: Exception, path: str, request_id: str) -> Response:
    if isinstance(exc, RapportError) and has_error_spec(type(exc)):
        return error_response(exc, path, request_id)
    if isinstance(exc, HTTPException):
        return router_error_response(exc)
    _log.error("request failed", request_id=request_id, exc_info=exc)
    return internal_error_response()
