"""The OpenAPI document, derived from the endpoints' declarations."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from rapport import __version__
from rapport.api.endpoint import JSON, NDJSON, Endpoint, Json, JsonBody, RequestBody, Resource, Returns
from rapport.api.errors import INTERNAL, STATUS_DESCRIPTIONS, ErrorBody, ErrorSpec, error_spec
from rapport.api.responses import Id
from rapport.auth.scope import Scope

_REFERENCE: Final = "#/components/schemas/{name}"


def describe(resources: Iterable[type[Resource]], other_paths: Mapping[str, Json]) -> Json:
    """Return the OpenAPI 3.1 document of all endpoints of the resources, and of other paths, described by hand."""
    endpoints = [endpoint for resource in resources for endpoint in resource.endpoints()]
    types = {_key(endpoint.returns): endpoint.returns.schema for endpoint in endpoints if _is_type(endpoint.returns)}
    bodies = [endpoint.body for endpoint in endpoints if endpoint.body is not None]
    body_types = [body.schema for body in bodies if isinstance(body, JsonBody)]
    roots, components = msgspec.json.schema_components(
        (*types.values(), *body_types, ErrorBody), ref_template=_REFERENCE
    )
    schemas = dict(zip(types, roots, strict=False))
    paths: dict[str, Json] = {}
    for endpoint in endpoints:
        operation = _operation(endpoint, _success(endpoint.returns, schemas))
        paths.setdefault(endpoint.public_path, {})[endpoint.method.lower()] = operation
    items = {body.item.name: body.item.schema for body in bodies if isinstance(body, RequestBody)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Rapport",
            "version": __version__,
            "description": "Records opens, clicks and other email and landing page activity, and serves it through "
            "Constant Contact's v3 reporting API.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": {**paths, **other_paths},
        "components": {
            "schemas": {**components, "Id": msgspec.json.schema(Id), **items},
            "securitySchemes": {"token": _security_scheme()},
        },
    }


def _security_scheme() -> Json:
    scopes = ", ".join(f"`{scope.value}`" for scope in Scope)
    return {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": f"`rapport token create --scope '…'` creates one. Scopes: {scopes}.",
    }


def _operation(endpoint: Endpoint, success: Json) -> Json:
    operation: Json = {
        "tags": [endpoint.tag],
        "operationId": endpoint.operation_id,
        "summary": endpoint.summary,
        "description": endpoint.description,
    }
    if endpoint.params:
        operation["parameters"] = [described for param in endpoint.params for described in param.describe()]
    if endpoint.body is not None:
        operation["requestBody"] = _request_body(endpoint.body)
    returns = endpoint.returns
    statuses = [returns.status, *([] if returns.other_status is None else [returns.other_status])]
    operation["responses"] = {**{str(status): success for status in statuses}, **_error_responses(endpoint)}
    operation["security"] = []
    if endpoint.access is not None:
        scope, privilege = endpoint.access
        operation["security"] = [{"token": [] if scope is None else [scope.value]}]
        if privilege is not None:
            operation["x-authorization-privileges"] = [privilege.value]
    return operation


def _request_body(body: RequestBody | JsonBody) -> Json:
    if isinstance(body, JsonBody):
        schema = {"$ref": _REFERENCE.format(name=body.schema.__name__)}
        return {"required": True, "content": {JSON: {"schema": schema, "example": body.example}}}
    line = msgspec.json.encode(body.example).decode() + "\n"
    reference = {"$ref": _REFERENCE.format(name=body.item.name)}
    return {
        "required": True,
        "content": {
            NDJSON: {
                "schema": {"type": "string", "description": f"One {body.item.name} per line."},
                "example": line,
            },
            JSON: {"schema": {"type": "array", "items": reference}, "example": [body.example]},
        },
    }


def _success(returns: Returns, schemas: dict[str, Any]) -> Json:
    if returns.schema is None:
        return {"description": returns.description}
    schema = schemas[_key(returns)] if _is_type(returns) else returns.schema
    return {
        "description": returns.description,
        "content": {
            returns.media_type: {"schema": schema, "example": returns.example},
            **{
                media_type: {"schema": {"type": "string"}, "example": example}
                for media_type, example in returns.other_media_types.items()
            },
        },
    }


def _is_type(returns: Returns) -> bool:
    return returns.schema is not None and not isinstance(returns.schema, dict)


def _key(returns: Returns) -> str:
    return repr(returns.schema)


def _error_responses(endpoint: Endpoint) -> Json:
    by_status: dict[int, list[ErrorSpec]] = {}
    specs = dict.fromkeys(error_spec(error, endpoint.path) for error in endpoint.all_errors)
    for spec in (*specs, INTERNAL):
        by_status.setdefault(spec.status, []).append(spec)
    return {str(status): _error_response(specs) for status, specs in sorted(by_status.items())}


def _error_response(specs: Sequence[ErrorSpec]) -> Json:
    description = STATUS_DESCRIPTIONS[specs[0].status]
    body = {"$ref": _REFERENCE.format(name="ErrorBody")}
    examples = {}
    for spec in specs:
        example = {"error_key": spec.error_key, "error_message": spec.message or description}
        examples[spec.error_key] = {"value": [example] if spec.as_array else example}
    schema = {"type": "array", "items": body, "minItems": 1} if specs[0].as_array else body
    return {"description": description, "content": {JSON: {"schema": schema, "examples": examples}}}
