"""The gate, as the routes use it."""

from starlette.requests import Request

from rapport.auth.gate import Gate
from rapport.auth.scope import Privilege, Scope
from rapport.auth.token import Principal


async def admit(
    gate: Gate, request: Request, scope: Scope | None = None, privilege: Privilege | None = None
) -> Principal:
    """The principal of the request, which the log then names. Raises what `Gate.admit` raises."""
    principal = await gate.verify(request.headers.get("authorization"))
    request.scope["principal"] = principal
    await gate.admit(principal, scope, privilege)
    return principal
