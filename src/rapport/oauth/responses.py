"""Responses to applications: JSON with exactly the members of RFC 6749, because some clients accept no others."""

from typing import Any, Final

import msgspec
from oauthlib.oauth2.rfc6749.errors import OAuth2Error

from rapport.oauth.requests import ClientRequest
from rapport.oauth.validator import DEVICE_CODE

FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}
URI: Final = "https://rapport.invalid/"
"""oauthlib expects a URI, but reads the parameters from the body."""


class OAuthResponse(msgspec.Struct, frozen=True):
    """A response to a client: JSON, or empty if `body` is None."""

    status: int
    body: dict[str, Any] | None
    headers: dict[str, str] = {}


def error_response(exc: OAuth2Error, request: ClientRequest) -> OAuthResponse:
    """Return the response for an oauthlib error."""
    error = str(exc.error)
    body = {"error": error, "error_description": exc.description or _DESCRIPTIONS.get(error, error)}
    return OAuthResponse(exc.status_code, body, _challenge(exc.status_code, request))


_DESCRIPTIONS: Final = {
    "invalid_client": "The client is unknown, or its secret is wrong.",
    "invalid_grant": "The code or refresh token is unknown, expired, revoked, was used before, or is another client's.",
    "invalid_scope": "The application may not ask for this scope.",
    "unauthorized_client": "The application may not use this grant or response type.",
    "unsupported_grant_type": "grant_type must be authorization_code, refresh_token, client_credentials or "
    f"{DEVICE_CODE}.",
    "authorization_pending": "The user has not decided yet.",
    "slow_down": "The device polls too fast; wait five seconds longer from now on.",
    "expired_token": "The device code has expired.",
    "access_denied": "The user denied access.",
}


def read_response(body: str, status: int, request: ClientRequest) -> OAuthResponse:
    """Return oauthlib's response, with only the defined members of an error."""
    content = msgspec.json.decode(body, type=dict[str, Any])
    if "error" in content:
        error = content["error"]
        content = {
            "error": error,
            "error_description": content.get("error_description") or _DESCRIPTIONS.get(error, error),
        }
    return OAuthResponse(status, content, _challenge(status, request))


def _challenge(status: int, request: ClientRequest) -> dict[str, str]:
    return {"www-authenticate": 'Basic realm="rapport"'} if status == 401 and request.used_basic_auth else {}
