"""The authorization server's part of the OpenAPI document."""

from typing import Final

from rapport.api.endpoint import JSON, Json
from rapport.api.oauth.endpoints import DEVICE, GRANT_TYPES, KEYS, METADATA, REVOKE, TOKEN
from rapport.oauth.validator import CHALLENGE_METHOD
from rapport.web.authorize import AUTHORIZE, DECIDE

_TAG: Final = "OAuth"
_TEXT: Final = {"type": "string"}
_ERROR_SCHEMA: Final[Json] = {
    "type": "object",
    "properties": {"error": _TEXT, "error_description": _TEXT},
    "required": ["error", "error_description"],
    "additionalProperties": False,
}
_TOKEN_EXAMPLE: Final = {
    "access_token": "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJodHRwczovL3JhcHBvcnQuZXhhbXBsZS5jb20vdjMifQ.c2lnbmF0dXJl",
    "expires_in": 86_400,
    "token_type": "Bearer",
    "scope": "contact_data offline_access",
    "refresh_token": "Jx1fTn0bC2mAqk3aP7nYd8sWzRr0yHk5uVbGqLw4tNeMxSdA",
}
_DEVICE_EXAMPLE: Final = {
    "device_code": "Xp8Vd0sQf3LkTzWm6YbNcRhGj2aUe1",
    "user_code": "WDJB-MJHT",
    "verification_uri": "https://rapport.example.com/activate",
    "verification_uri_complete": "https://rapport.example.com/activate?user_code=WDJB-MJHT",
    "expires_in": 900,
    "interval": 5,
}


def _object(required: list[str], **types: Json) -> Json:
    return {"type": "object", "properties": types, "required": required}


def _response(description: str, schema: Json, example: object) -> Json:
    return {"description": description, "content": {JSON: {"schema": schema, "example": example}}}


def _page(description: str) -> Json:
    return {"description": description, "content": {"text/html": {"schema": _TEXT, "example": "<!doctype html>"}}}


def _error(description: str, error: str) -> Json:
    return _response(description, _ERROR_SCHEMA, {"error": error, "error_description": description})


_ERRORS: Final[Json] = {
    "400": _error("The request is not valid, or its code or token isn't.", "invalid_grant"),
    "401": _error("The client is unknown, or its secret is wrong.", "invalid_client"),
    "408": _response(
        "The body stopped arriving, or arrived too slowly.",
        {"type": "object"},
        {"error_key": "request_timeout", "error_message": "The body stopped arriving, or arrived too slowly."},
    ),
    "429": _error(
        "Too many requests from this application; wait for the number of seconds in Retry-After.",
        "temporarily_unavailable",
    ),
    "503": _error("Temporarily unavailable; retry after Retry-After.", "temporarily_unavailable"),
}


def _form(*, required: list[str], example: Json, **params: str) -> Json:
    properties = {name: {"type": "string", "description": description} for name, description in params.items()}
    schema = {"type": "object", "properties": properties, "required": required}
    return {
        "description": "Parameters may also be sent in the query, except client_secret.",
        "content": {"application/x-www-form-urlencoded": {"schema": schema, "example": example}},
    }


def _operation(operation_id: str, summary: str, description: str, responses: Json, **more: object) -> Json:
    return {
        "tags": [_TAG],
        "operationId": operation_id,
        "summary": summary,
        "description": description,
        **more,
        "responses": responses,
        "security": [],
    }


def _query(name: str, description: str, *, required: bool = False, **schema: object) -> Json:
    return {
        "name": name,
        "in": "query",
        "description": description,
        "required": required,
        "schema": {"type": "string", **schema},
    }


_CLIENT_ID: Final = "The application, unless it authenticates with Basic."
_CLIENT_SECRET: Final = "The application's secret, unless it authenticates with Basic."  # noqa: S105 - a description

OAUTH_PATHS: Final[dict[str, Json]] = {
    AUTHORIZE: {
        "get": _operation(
            "authorize",
            "Ask a user for access",
            "The page on which a signed-in user allows or denies access. Applications send browsers here.",
            {
                "200": _page("The page."),
                "303": {"description": "To the sign-in page, or back to the application with an error."},
                "400": _page("An error page: the application or its redirect URI is invalid."),
            },
            parameters=[
                _query("response_type", "A code: there is no implicit grant.", required=True, enum=["code"]),
                _query("client_id", "The application.", required=True),
                _query("redirect_uri", "Where the user returns to: exactly as registered."),
                _query("scope", "The requested scopes, separated by spaces, `+` or commas."),
                _query("state", "Returned unchanged."),
                _query("code_challenge", "The PKCE challenge; public applications need one."),
                _query("code_challenge_method", "The method of the challenge.", enum=[CHALLENGE_METHOD]),
            ],
        ),
    },
    DECIDE: {
        "post": _operation(
            "decide",
            "Allow or deny access",
            "The form of that page. It works in the user's session only.",
            {
                "303": {"description": "Back to the application, or to the sign-in page."},
                "408": _page("The form stopped arriving."),
            },
        ),
    },
    TOKEN: {
        "post": _operation(
            "token",
            "Issue tokens",
            "Redeem a code, refresh token or device code (RFC 6749, RFC 7636, RFC 8628).",
            {
                "200": _response(
                    "The tokens.",
                    _object(
                        ["access_token", "expires_in", "token_type", "scope"],
                        access_token=_TEXT,
                        expires_in={"type": "integer"},
                        token_type={"const": "Bearer"},
                        scope=_TEXT,
                        refresh_token={"type": "string", "maxLength": 50},
                    ),
                    _TOKEN_EXAMPLE,
                ),
                **_ERRORS,
            },
            requestBody=_form(
                required=["grant_type"],
                example={"grant_type": "authorization_code", "client_id": "an-application", "code": "a-code"},
                grant_type="One of " + ", ".join(f"`{grant_type}`" for grant_type in GRANT_TYPES) + ".",
                client_id=_CLIENT_ID,
                client_secret=_CLIENT_SECRET,
                code="The code that the user returned with.",
                redirect_uri="Where the user returned to.",
                code_verifier="The PKCE verifier.",
                refresh_token="The refresh token.",  # noqa: S106 - a description
                device_code="The device code.",
                scope="Fewer scopes than the user allowed.",
            ),
        )
    },
    DEVICE: {
        "post": _operation(
            "authorizeDevice",
            "Issue a device code",
            "Issue a code for a device, and one that its user types in elsewhere (RFC 8628).",
            {
                "200": _response(
                    "The codes.",
                    _object(
                        ["device_code", "user_code", "verification_uri", "expires_in", "interval"],
                        device_code=_TEXT,
                        user_code=_TEXT,
                        verification_uri=_TEXT,
                        verification_uri_complete=_TEXT,
                        expires_in={"type": "integer"},
                        interval={"type": "integer"},
                    ),
                    _DEVICE_EXAMPLE,
                ),
                **_ERRORS,
            },
            requestBody=_form(
                required=["client_id"],
                example={"client_id": "an-application", "scope": "contact_data offline_access"},
                client_id=_CLIENT_ID,
                client_secret=_CLIENT_SECRET,
                scope="The requested scopes, separated by spaces, `+` or commas.",
            ),
        )
    },
    REVOKE: {
        "post": _operation(
            "revokeToken",
            "Revoke a token",
            "Revoke a refresh token, with all tokens of its grant, or an access token (RFC 7009).",
            {"200": {"description": "The token is revoked, or wasn't valid."}, **_ERRORS},
            requestBody=_form(
                required=["token"],
                example={"token": "a-refresh-token", "client_id": "an-application"},
                token="The token.",  # noqa: S106 - a description
                client_id=_CLIENT_ID,
                client_secret=_CLIENT_SECRET,
            ),
        )
    },
    KEYS: {
        "get": _operation(
            "oauthKeys",
            "Get the keys that verify access tokens",
            "The same keys as at `/.well-known/jwks.json` (RFC 7517).",
            {"200": _response("The keys.", {"type": "object"}, {"keys": []}), "503": _ERRORS["503"]},
        )
    },
    METADATA: {
        "get": _operation(
            "authorizationServerMetadata",
            "Get the authorization server's metadata",
            "Its endpoints and what they support (RFC 8414).",
            {"200": _response("The metadata.", {"type": "object"}, {"issuer": "https://rapport.example.com"})},
        )
    },
}
"""The paths, as `rapport.api.openapi.describe` adds them to those of the resources."""
