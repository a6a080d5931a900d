"""Routes are found by their path as Starlette's router would find them, one after another."""

import re
from collections.abc import Iterator

import httpx
from starlette.responses import PlainTextResponse
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from rapport.api.routing import IndexedRouter
from rapport.app import build
from rapport.settings import Settings

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


class Named:
    """An endpoint that answers with its name."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse(self._name, headers={"x-name": self._name})(scope, receive, send)


def copy_routes() -> Iterator[Route]:
    """Return routes with the paths and methods of the server's."""
    for route in build(Settings(data="/nowhere"))._router.routes:  # noqa: SLF001 - the only list of routes
        assert isinstance(route, Route)
        yield Route(route.path, Named(route.path), methods=sorted(route.methods or ()))


Outcome = tuple[str, str, int, str | None, str | None]


async def list_outcomes(router: ASGIApp, requests: list[tuple[str, str]]) -> list[Outcome]:
    """Return each request's method and path, the status, the name of the endpoint and the allowed methods."""
    transport = httpx.ASGITransport(router)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        responses = [await client.request(*request) for request in requests]
    return [
        (*request, response.status_code, response.headers.get("x-name"), response.headers.get("allow"))
        for request, response in zip(requests, responses, strict=True)
    ]


async def test_indexed_routes_are_those_that_match_first() -> None:
    routes = list(copy_routes())
    paths = [re.sub(r"{[^}]+}", "x", route.path) for route in routes]
    paths += [*(f"{path}/" for path in paths), "/", "/nowhere", "/v3/contacts/counts/x"]
    requests = [(method, path) for path in paths for method in METHODS]
    plain = Router(routes, redirect_slashes=False)
    assert await list_outcomes(IndexedRouter(routes, None), requests) == await list_outcomes(plain, requests)


async def test_route_hidden_by_an_earlier_one_stays_hidden() -> None:
    routes = [
        Route("/things/{thing}", Named("any"), methods=["GET"]),
        Route("/things/first", Named("first"), methods=["GET", "POST"]),
        Route("/things/second", Named("second"), methods=["POST"]),
    ]
    requests = [(method, f"/things/{thing}") for thing in ("first", "second") for method in ("GET", "POST")]
    outcomes = await list_outcomes(IndexedRouter(routes, None), requests)
    assert [name for _, _, _, name, _ in outcomes] == ["any", "first", "any", "second"]
