"""The endpoints for applications: tokens, devices, revocation, keys and metadata.

They take parameters from the query and the body, so they aren't declared with `rapport.api.endpoint`; their part of
the OpenAPI document is in `rapport.api.oauth.description`.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rapport.api.responses import json_response
from rapport.auth.authenticator import Authenticator
from rapport.auth.scope import Scope
from rapport.errors import StoreBusy, StoreUnavailable, Throttled
from rapport.instant import Instant
from rapport.oauth.requests import MAX_BODY_BYTES, ClientRequest, MalformedRequest, read_client_request
from rapport.oauth.responses import OAuthResponse
from rapport.oauth.server import AuthorizationServer
from rapport.oauth.validator import CHALLENGE_METHOD, DEVICE_CODE
from rapport.web.authorize import AUTHORIZE, BASE
from rapport.web.sessions import SessionManager

TOKEN: Final = f"{BASE}/token"
DEVICE: Final = f"{BASE}/device/authorize"
REVOKE: Final = f"{BASE}/revoke"
KEYS: Final = f"{BASE}/keys"
METADATA: Final = "/.well-known/oauth-authorization-server"

GRANT_TYPES: Final = ("authorization_code", "refresh_token", "client_credentials", DEVICE_CODE)
_CLIENT_AUTHENTICATION: Final = ("client_secret_basic", "client_secret_post", "none")

_ALLOW_ORIGIN: Final = {"access-control-allow-origin": "*"}
"""Pages of any origin may read the response."""

Handler = Callable[[ClientRequest, str, Instant], Awaitable[OAuthResponse]]

_log = structlog.get_logger("rapport.api")


class OAuthEndpoints:
    """The endpoints that applications call."""

    def __init__(self, server: AuthorizationServer, authenticator: Authenticator, sessions: SessionManager) -> None:
        self._server = server
        self._authenticator = authenticator
        self._sessions = sessions

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            *(Route(path, self.allow_browsers, methods=["OPTIONS"]) for path in (TOKEN, DEVICE, REVOKE)),
            Route(TOKEN, self.token, methods=["POST"]),
            Route(DEVICE, self.authorize_device, methods=["POST"]),
            Route(REVOKE, self.revoke, methods=["POST"]),
            Route(KEYS, self.jwks, methods=["GET"]),
            Route(METADATA, self.metadata, methods=["GET"]),
        ]

    async def allow_browsers(self, _request: Request) -> Response:
        """Allow pages of any origin to send requests, as public applications in browsers do.

        Nothing here depends on cookies, so a page can do no more than any other client.
        """
        headers = {
            **_ALLOW_ORIGIN,
            "access-control-allow-methods": "POST",
            "access-control-allow-headers": "authorization, content-type",
            "access-control-max-age": "86400",
        }
        return Response(status_code=204, headers=headers)

    async def token(self, request: Request) -> Response:
        """Issue tokens for a code, a refresh token, a device code, or the application itself."""
        return await self._handle(request, self._server.issue_token)

    async def authorize_device(self, request: Request) -> Response:
        """Issue a device code, and the code that the user types."""
        return await self._handle(request, self._server.authorize_device)

    async def revoke(self, request: Request) -> Response:
        """Revoke a refresh token with its grant, or an access token."""

        async def revoke(client_request: ClientRequest, _base_url: str, now: Instant) -> OAuthResponse:
            return await self._server.revoke(client_request, now)

        return await self._handle(request, revoke)

    async def jwks(self, _request: Request) -> Response:
        """Return the keys that verify access tokens."""
        headers = {"cache-control": "public, max-age=300", **_ALLOW_ORIGIN}
        return Response(self._authenticator.keys.jwks, headers=headers, media_type="application/json")

    async def metadata(self, request: Request) -> Response:
        """Return the metadata of the authorization server (RFC 8414)."""
        base_url = self._sessions.get_base_url(request)
        content = {
            "issuer": base_url,
            "authorization_endpoint": base_url + AUTHORIZE,
            "token_endpoint": base_url + TOKEN,
            "device_authorization_endpoint": base_url + DEVICE,
            "revocation_endpoint": base_url + REVOKE,
            "jwks_uri": base_url + KEYS,
            "scopes_supported": [scope.value for scope in Scope],
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": GRANT_TYPES,
            "token_endpoint_auth_methods_supported": _CLIENT_AUTHENTICATION,
            "revocation_endpoint_auth_methods_supported": _CLIENT_AUTHENTICATION,
            "code_challenge_methods_supported": [CHALLENGE_METHOD],
            "authorization_response_iss_parameter_supported": True,
        }
        return json_response(msgspec.json.encode(content), headers=_ALLOW_ORIGIN)

    async def _handle(self, request: Request, handle: Handler) -> Response:
        try:
            client_request = read_client_request(
                request.scope["query_string"].decode("latin-1"),
                await _read_body(request),
                request.headers.get("authorization"),
            )
            response = await handle(
                client_request, self._sessions.get_base_url(request), Instant(time.time_ns() // 1_000_000)
            )
        except MalformedRequest as exc:
            response = _error(401 if exc.error == "invalid_client" else 400, exc.error, exc.description)
        except Throttled as exc:
            response = _error(429, "temporarily_unavailable", f"{exc}.", exc.retry_after)
        except StoreUnavailable as exc:
            _log.warning("store unavailable", request_id=request.scope["request_id"], reason=str(exc))
            retry_after = exc.retry_after if isinstance(exc, StoreBusy) else 1
            response = _error(503, "temporarily_unavailable", "The store is unavailable; retry later.", retry_after)
        body = b"" if response.body is None else msgspec.json.encode(response.body)
        return json_response(body, response.status, {"pragma": "no-cache", **_ALLOW_ORIGIN, **response.headers})


async def _read_body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise MalformedRequest("invalid_request", f"The body has more than {MAX_BODY_BYTES:,} bytes.")
    return bytes(body)


def _error(status: int, error: str, description: str, retry_after: int | None = None) -> OAuthResponse:
    headers = {} if retry_after is None else {"retry-after": str(retry_after)}
    return OAuthResponse(status, {"error": error, "error_description": description}, headers)
