"""The operations that need no token: how it is doing, the public keys, this description itself."""

from typing import Final

from rapport.api.descriptions.parts import Json, answer, problems
from rapport.api.health import HEALTHZ, METRICS, READYZ
from rapport.api.jwks import JWKS
from rapport.errors import RapportError, StoreUnavailable
from rapport.web.pages import TRY

OPENAPI: Final = "/schema/openapi.json"


def _open(tag: str, operation: str, summary: str, shown: Json, *failures: type[RapportError]) -> Json:
    """An operation that needs no token."""
    responses = {"200": shown, **problems(*failures)}
    return {"tags": [tag], "operationId": operation, "summary": summary, "responses": responses, "security": []}


_STATUS: Final = {"type": "object", "properties": {"status": {"type": "string"}}, "required": ["status"]}
_PLAIN: Final = {"type": "string"}
_OBJECT: Final = {"type": "object"}

OPERATIONS: Final[Json] = {
    HEALTHZ: {"get": _open("Operating", "alive", "Is it alive?", answer("Yes.", _STATUS, {"status": "alive"}))},
    READYZ: {
        "get": _open(
            "Operating",
            "ready",
            "Can it read and write?",
            answer("Yes.", _STATUS, {"status": "ready"}),
            StoreUnavailable,
        )
    },
    METRICS: {
        "get": _open(
            "Operating",
            "metrics",
            "How is it doing?",
            answer("All figures, for Prometheus.", _PLAIN, "rapport_activities_duplicate_total 0.0\n", "text/plain"),
        )
    },
    JWKS: {
        "get": _open(
            "Tokens",
            "keys",
            "The public keys that verify tokens",
            answer("A JWKS (RFC 7517).", _OBJECT, {"keys": []}, "application/jwk-set+json"),
            StoreUnavailable,
        )
    },
    OPENAPI: {
        "get": _open("Tokens", "description", "This description", answer("OpenAPI 3.1.", _OBJECT, {"openapi": "3.1.0"}))
    },
    TRY: {"get": _open("Operating", "tryPage", "A page to try all this on", answer("HTML.", _PLAIN, "", "text/html"))},
}
