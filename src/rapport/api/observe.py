"""What every request gets, whatever becomes of it: an id, a line in the log, its place in the metrics."""

import secrets
import time
from collections.abc import Callable, Sequence
from typing import Final

import structlog
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rapport import metrics
from rapport.auth.token import Principal

_NO_ROUTE: Final = "none"
_HUNG_UP: Final = 499
"""The status in log and metrics of a request whose client went away before the answer."""

_log = structlog.get_logger("rapport.api")


class Observed:
    """The application, watched."""

    def __init__(self, app: ASGIApp, routes: Sequence[Route]) -> None:
        self._app = app
        self._paths: dict[Callable[..., object], str] = {route.endpoint: route.path_format for route in routes}

    @property
    def paths(self) -> frozenset[str]:
        """The paths of all routes."""
        return frozenset(self._paths.values())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        request_id = secrets.token_hex(8)
        scope["request_id"] = request_id
        status = _HUNG_UP

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception:  # noqa: BLE001 - whatever it was: the log has it, the next request goes on
            _log.exception("request failed", request_id=request_id)
        finally:
            self._tell(scope, request_id, status, time.perf_counter() - began)

    def _tell(self, scope: Scope, request_id: str, status: int, seconds: float) -> None:
        route = self._paths.get(scope.get("endpoint", _NO_ROUTE), _NO_ROUTE)
        metrics.REQUESTS.labels(route, status).observe(seconds)
        principal: Principal | None = scope.get("principal")
        _log.info(
            "request",
            request_id=request_id,
            method=scope["method"],
            route=route,
            status=status,
            milliseconds=round(seconds * 1000, 3),
            account=None if principal is None else principal.account_id,
            client=None if principal is None else principal.client_id,
        )
