"""Find the route of a request, and combine those of a path, so that a 405 response lists all allowed methods."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from starlette.routing import Match, Route, Router
from starlette.types import ASGIApp, Lifespan, Receive, Scope, Send


class IndexedRouter(Router):
    """A router that looks up routes without parameters by their path.

    Starlette tries one route after another, which takes a microsecond for each. A trailing slash isn't redirected:
    that would lose the Authorization header in some clients (docs/compatibility.md#trailing-slash).
    """

    def __init__(self, routes: Sequence[Route], lifespan: Lifespan[Any] | None) -> None:
        super().__init__(routes, redirect_slashes=False, lifespan=lifespan)
        self._by_path = {route.path: route for route in routes if _is_first_match(route, routes)}

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or the server's startup and shutdown."""
        route = self._by_path.get(scope.get("path", ""))
        if route is not None:
            match, child_scope = route.matches(scope)
            if match is Match.FULL:
                scope["route"] = route
                scope.update(child_scope)
                await route.handle(scope, receive, send)
                return
        await super().app(scope, receive, send)


def _is_first_match(route: Route, routes: Sequence[Route]) -> bool:
    """Return True for a route without parameters that no earlier route with one of its methods hides."""
    if route.param_convertors:
        return False
    methods = route.methods or set()
    earlier = routes[: routes.index(route)]
    return not any(methods & (other.methods or set()) and other.path_regex.match(route.path) for other in earlier)


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
