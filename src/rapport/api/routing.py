"""Combine the routes of a path, so that a 405 response lists all methods that are allowed."""

from collections.abc import Iterable, Mapping

from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send


class _ByMethod:
    """Serve a path whose methods have routes of their own, as ASGI."""

    def __init__(self, apps: Mapping[str, ASGIApp]) -> None:
        self._apps = apps

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._apps[scope["method"]](scope, receive, send)


def combine_routes(routes: Iterable[Route]) -> list[Route]:
    """Return one route for each path, at the position of its last one. If two routes have a method, the first wins."""
    by_path: dict[str, list[Route]] = {}
    for route in routes:
        by_path[route.path] = [*by_path.pop(route.path, []), route]
    return [_combine(path, group) for path, group in by_path.items()]


def _combine(path: str, routes: list[Route]) -> Route:
    if len(routes) == 1:
        return routes[0]
    apps: dict[str, ASGIApp] = {}
    for route in routes:
        for method in route.methods or ():
            apps.setdefault(method, route.app)
    return Route(path, _ByMethod(apps), methods=sorted(apps))
