"""Is it alive, is it ready, how is it doing: for machines that watch over it. Nothing here is about anybody."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rapport import metrics
from rapport.api.answers import json_answer
from rapport.api.handler import get
from rapport.store.protocol import Store

HEALTHZ: Final = "/healthz"
READYZ: Final = "/readyz"
METRICS: Final = "/metrics"


class Health:
    """The routes for a supervisor, a load balancer and Prometheus."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def routes(self) -> list[Route]:
        """The routes that need no token."""
        return [
            get(HEALTHZ, self.alive),
            get(READYZ, self.ready),
            get(METRICS, self.metrics),
        ]

    async def alive(self, _request: Request) -> Response:
        """The process answers."""
        return json_answer(b'{"status":"alive"}')

    async def ready(self, _request: Request) -> Response:
        """The store can be read and written; else 503."""
        await self._store.check()
        return json_answer(b'{"status":"ready"}')

    async def metrics(self, _request: Request) -> Response:
        """All figures, over all workers, in the format of Prometheus."""
        body, media_type = metrics.exposition()
        return Response(body, headers={"content-type": media_type, "cache-control": "no-store"})
