"""The checks before every API route: a valid token, then its scope, its role's privilege and the rate limit.

See docs/compatibility.md#order-of-checks.
"""

from typing import Final

from rapport.auth.authenticator import Authenticator
from rapport.auth.rate_limits import Quota, RateLimiter
from rapport.auth.scope import PRIVILEGES, Privilege, Scope
from rapport.auth.token import Principal
from rapport.errors import Forbidden, InvalidToken

_MAX_TOKEN_LENGTH: Final = 8_192


class Authorizer:
    """Authenticates and authorizes API requests."""

    def __init__(self, authenticator: Authenticator, limiter: RateLimiter) -> None:
        self._authenticator = authenticator
        self._limiter = limiter

    async def verify(self, authorization: str | None) -> Principal:
        """Return the principal of a request with this Authorization header. Raises InvalidToken."""
        scheme, _, token = (authorization or "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not 0 < len(token) <= _MAX_TOKEN_LENGTH:
            raise InvalidToken("no bearer token, or one that is too long")
        return (await self._authenticator.verify(token)).principal

    async def authorize(
        self, principal: Principal, scope: Scope | None = None, privilege: Privilege | None = None
    ) -> Quota | None:
        """Check the principal's permissions, count the request and return its quota, if that is counted exactly.

        Raises Forbidden, Throttled or QuotaExceeded.
        """
        require_permission(principal, scope, privilege)
        return await self._limiter.acquire(principal.client_id)


def require_permission(principal: Principal, scope: Scope | None, privilege: Privilege | None) -> None:
    """Check that the principal has the scope, and its role the privilege. Raises Forbidden."""
    if scope is not None and scope not in principal.scopes:
        raise Forbidden(f"requires the scope {scope.value}", scope.value)
    if privilege is not None and privilege not in PRIVILEGES[principal.role]:
        raise Forbidden(f"requires the privilege {privilege.value}, which the role {principal.role.value} doesn't have")


def has_permission(principal: Principal, scope: Scope | None, privilege: Privilege | None) -> bool:
    """Return True if the principal has the scope, and its role the privilege."""
    try:
        require_permission(principal, scope, privilege)
    except Forbidden:
        return False
    return True
