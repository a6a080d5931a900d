"""Endpoints without a token: health, readiness, metrics, the public keys and the OpenAPI document."""

from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from rapport import metrics
from rapport.api.endpoint import Json, Resource, Returns, public_endpoint
from rapport.api.responses import json_response
from rapport.auth.authenticator import Authenticator
from rapport.errors import StoreUnavailable
from rapport.store.store import Store

READYZ: Final = "/readyz"

_STATUS_SCHEMA: Final = {"type": "object", "properties": {"status": {"type": "string"}}, "required": ["status"]}
_OBJECT: Final = {"type": "object"}


class Operations(Resource):
    """Health checks, metrics, public keys and the OpenAPI document. None of them returns data about contacts."""

    def __init__(self, store: Store, authenticator: Authenticator, openapi: Json) -> None:
        self._store = store
        self._authenticator = authenticator
        self._openapi = msgspec.json.encode(openapi)

    @public_endpoint(
        "/healthz",
        operation_id="alive",
        tag="Operations",
        summary="Check liveness",
        description="The process responds.",
        returns=Returns(description="It is alive.", schema=_STATUS_SCHEMA, example={"status": "alive"}),
    )
    async def healthz(self, _request: Request) -> Response:
        return json_response(b'{"status":"alive"}')

    @public_endpoint(
        READYZ,
        operation_id="ready",
        tag="Operations",
        summary="Check readiness",
        description="The store can be read and written.",
        returns=Returns(description="It is ready.", schema=_STATUS_SCHEMA, example={"status": "ready"}),
        errors=(StoreUnavailable,),
    )
    async def readyz(self, _request: Request) -> Response:
        await self._store.check()
        return json_response(b'{"status":"ready"}')

    @public_endpoint(
        "/metrics",
        operation_id="metrics",
        tag="Operations",
        summary="Get metrics",
        description="The metrics of all workers, in the Prometheus text format.",
        returns=Returns(
            description="The metrics.",
            schema={"type": "string"},
            example="rapport_activities_duplicate_total 0.0\n",
            media_type="text/plain",
        ),
    )
    async def metrics(self, _request: Request) -> Response:
        body, media_type = metrics.render_metrics()
        return Response(body, headers={"content-type": media_type, "cache-control": "no-store"})

    @public_endpoint(
        "/.well-known/jwks.json",
        operation_id="keys",
        tag="Tokens",
        summary="Get the public keys",
        description="The keys that verify this server's tokens, as a JWKS (RFC 7517).",
        returns=Returns(
            description="The keys.", schema=_OBJECT, example={"keys": []}, media_type="application/jwk-set+json"
        ),
        errors=(StoreUnavailable,),
    )
    async def jwks(self, _request: Request) -> Response:
        headers = {"cache-control": "public, max-age=300"}
        return Response(self._authenticator.keys.jwks, headers=headers, media_type="application/jwk-set+json")

    @public_endpoint(
        "/schema/openapi.json",
        operation_id="description",
        tag="Operations",
        summary="Get the OpenAPI document",
        description="This document.",
        returns=Returns(description="OpenAPI 3.1.", schema=_OBJECT, example={"openapi": "3.1.0"}),
    )
    async def openapi(self, _request: Request) -> Response:
        return Response(self._openapi, headers={"cache-control": "no-cache"}, media_type="application/json")
