"""A route that reads the body of a webhook, responds with 200, and stores nothing."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


async def _accept(request: Request) -> Response:
    await request.body()
    return Response(headers={"cache-control": "no-store"})


application = Starlette(routes=[Route("/in/{provider}/{hook}", _accept, methods=["POST"])])
