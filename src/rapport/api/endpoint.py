"""Declarations of endpoints: route, permissions, parameters, response and documentation.

A `Resource` groups endpoints that use the same repositories. The routes and the OpenAPI document are both derived from
the declarations, so that they always agree.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol, TypeAlias, TypeVar

import msgspec
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope

from rapport.auth.authorization import Authorizer
from rapport.auth.scope import Privilege, Scope
from rapport.auth.token import Principal
from rapport.errors import Forbidden, InvalidToken, QuotaExceeded, RapportError, StoreUnavailable, Throttled

Json: TypeAlias = dict[str, Any]
R = TypeVar("R", bound="Resource")

JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"
NDJSON_NAMES: Final = frozenset(
    {NDJSON, "application/ndjson", "application/jsonl", "application/x-jsonl", "application/jsonlines", "text/plain"}
)


class _AnyConvertor(StringConvertor):
    """Matches anything, including slashes and newlines, so that a malformed id isn't taken for an unknown route."""

    regex = "(?s:.*)"


register_url_convertor("any", _AnyConvertor())


class Access(NamedTuple):
    """The permissions that a request needs in addition to a valid token: a scope, and a privilege of the role."""

    scope: Scope | None = None
    privilege: Privilege | None = None


class Param(Protocol):
    """A parameter of a path, query or header, as an endpoint declares it."""

    @property
    def errors(self) -> tuple[type[RapportError], ...]:
        """The errors that reading it can raise."""
        ...

    def describe(self) -> list[Json]:
        """Return its OpenAPI parameter objects: usually one, two for a range."""
        ...


class NamedSchema(NamedTuple):
    """A JSON schema written by hand, and its name in the OpenAPI document."""

    name: str
    schema: Json


@dataclass(frozen=True, kw_only=True)
class Returns:
    """A successful response. `schema` is a msgspec type, or a JSON schema where there is no type; None for no body.

    `other_status` is a second status that has the same body.
    """

    description: str
    schema: Any = None
    example: object = None
    media_type: str = JSON
    status: int = 200
    other_status: int | None = None
    other_media_types: Mapping[str, str] = field(default_factory=dict)
    """Media types in which the body is sent on request, each with an example."""


@dataclass(frozen=True, kw_only=True)
class JsonBody:
    """A request body that is a JSON object of a msgspec type. Unknown fields are ignored."""

    schema: type[msgspec.Struct]
    example: Json


@dataclass(frozen=True, kw_only=True)
class RequestBody:
    """A request body with items of one schema: a JSON array, or NDJSON with one item per line."""

    item: NamedSchema
    example: Json


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """An operation of the API. `access` is None if no token is needed."""

    method: str
    path: str
    operation_id: str
    tag: str
    summary: str
    description: str
    access: Access | None
    params: tuple[Param, ...]
    body: RequestBody | JsonBody | None
    returns: Returns
    errors: tuple[type[RapportError], ...]
    handle: Callable[..., Awaitable[Response]] = field(repr=False)

    @property
    def public_path(self) -> str:
        """The path in the documentation, such as `/v3/contacts/{contact_id}`."""
        return self.path.replace(":any", "")

    @property
    def all_errors(self) -> tuple[type[RapportError], ...]:
        """The declared errors, and those of its parameters, its authorization and the store."""
        from_params = [error for param in self.params for error in param.errors]
        from_access: list[type[RapportError]] = []
        if self.access is not None:
            from_access = [InvalidToken, Throttled, QuotaExceeded, StoreUnavailable]
            if self.access != Access():
                from_access.append(Forbidden)
        return tuple(dict.fromkeys((*from_params, *from_access, *self.errors)))

    def route(self, resource: "Resource", authorizer: Authorizer) -> Route:
        """Return the Starlette route that serves it. GET serves HEAD as well."""
        handle = self.handle.__get__(resource)
        app = _Public(handle) if self.access is None else _Authorized(handle, authorizer, self.access)
        return Route(self.path, app, methods=[self.method])


class Resource:
    """A group of endpoints that share their dependencies."""

    @classmethod
    def endpoints(cls) -> list[Endpoint]:
        """Return the declared endpoints in the order of their declaration, which is that of their routes."""
        return [value for value in vars(cls).values() if isinstance(value, Endpoint)]

    def routes(self, authorizer: Authorizer) -> list[Route]:
        """Return the routes of all endpoints."""
        return [endpoint.route(self, authorizer) for endpoint in self.endpoints()]


AuthorizedHandler: TypeAlias = Callable[[R, Request, Principal], Awaitable[Response]]
PublicHandler: TypeAlias = Callable[[R, Request], Awaitable[Response]]


def endpoint(
    method: str,
    path: str,
    *,
    operation_id: str,
    tag: str,
    summary: str,
    description: str,
    access: Access,
    returns: Returns,
    params: tuple[Param, ...] = (),
    body: RequestBody | JsonBody | None = None,
    errors: tuple[type[RapportError], ...] = (),
) -> Callable[[AuthorizedHandler[R]], Endpoint]:
    """Declare the decorated method as an endpoint that needs a token. It is called with the token's principal.

    A path parameter with the convertor `any` matches slashes too, so that a malformed id isn't taken for an unknown
    route.
    """

    def declare(handle: AuthorizedHandler[R]) -> Endpoint:
        return Endpoint(
            method=method,
            path=path,
            operation_id=operation_id,
            tag=tag,
            summary=summary,
            description=description,
            access=access,
            params=params,
            body=body,
            returns=returns,
            errors=errors,
            handle=handle,
        )

    return declare


def public_endpoint(
    path: str,
    *,
    operation_id: str,
    tag: str,
    summary: str,
    description: str,
    returns: Returns,
    errors: tuple[type[RapportError], ...] = (),
) -> Callable[[PublicHandler[R]], Endpoint]:
    """Declare the decorated method as a GET endpoint that needs no token."""

    def declare(handle: PublicHandler[R]) -> Endpoint:
        return Endpoint(
            method="GET",
            path=path,
            operation_id=operation_id,
            tag=tag,
            summary=summary,
            description=description,
            access=None,
            params=(),
            body=None,
            returns=returns,
            errors=errors,
            handle=handle,
        )

    return declare


class _Public:
    """Serve a handler that needs no token, as ASGI."""

    def __init__(self, handle: Callable[[Request], Awaitable[Response]]) -> None:
        self._handle = handle

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        response = await self._handle(Request(scope, receive))
        await response(scope, receive, send)


class _Authorized:
    """Serve a handler as ASGI, after the checks of the token, its scope and privilege, and the rate limit."""

    def __init__(
        self, handle: Callable[[Request, Principal], Awaitable[Response]], authorizer: Authorizer, access: Access
    ) -> None:
        self._handle = handle
        self._authorizer = authorizer
        self._access = access

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        principal = await self._authorizer.verify(request.headers.get("authorization"))
        # The access log names the principal.
        scope["principal"] = principal
        quota = await self._authorizer.authorize(principal, self._access.scope, self._access.privilege)
        if quota is not None:
            # The application adds headers about it to the response, also to an error.
            scope["quota"] = quota
        response = await self._handle(request, principal)
        await response(scope, receive, send)
