"""The public halves of the signing keys, for whoever wants to verify our tokens (RFC 7517)."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rapport.api.handler import get
from rapport.auth.watch import KeyWatch

JWKS: Final = "/.well-known/jwks.json"


class PublishedKeys:
    """The key set."""

    def __init__(self, keys: KeyWatch) -> None:
        self._keys = keys

    def routes(self) -> list[Route]:
        """The well-known route."""
        return [get(JWKS, self.jwks)]

    async def jwks(self, _request: Request) -> Response:
        """All keys whose tokens are good."""
        headers = {"cache-control": "public, max-age=300"}
        return Response(self._keys.keys.published, headers=headers, media_type="application/jwk-set+json")
