"""What stands before every route: a good token, the scope, the privilege, the limit, in this order.

See docs/compatibility.md#order-of-checks.
"""

from typing import Final

from rapport.auth.limits import Limiter, Quota
from rapport.auth.scope import PRIVILEGES, Privilege, Scope
from rapport.auth.token import Principal
from rapport.auth.watch import KeyCache
from rapport.errors import Forbidden, InvalidToken

_LONGEST_TOKEN: Final = 8_192


class Authorizer:
    """Lets a request in, or says why not."""

    def __init__(self, keys: KeyCache, limiter: Limiter) -> None:
        self._keys = keys
        self._limiter = limiter

    async def verify(self, authorization: str | None) -> Principal:
        """The principal of a request with this Authorization header. Raises InvalidToken."""
        scheme, _, token = (authorization or "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not 0 < len(token) <= _LONGEST_TOKEN:
            raise InvalidToken("there is none")
        return await self._keys.verify(token)

    async def admit(
        self, principal: Principal, scope: Scope | None = None, privilege: Privilege | None = None
    ) -> Quota | None:
        """Return if the principal may pass, with what is left of its quota if that is counted exactly.

        Raises Forbidden, then Throttled or QuotaExceeded.
        """
        check_may(principal, scope, privilege)
        return await self._limiter.admit(principal.client_id)


def check_may(principal: Principal, scope: Scope | None, privilege: Privilege | None) -> None:
    """Return if the principal has the scope, and its role the privilege. Raises Forbidden."""
    if scope is not None and scope not in principal.scopes:
        raise Forbidden(f"scope {scope.value}", scope.value)
    if privilege is not None and privilege not in PRIVILEGES[principal.role]:
        raise Forbidden(f"privilege {privilege.value}")


def may(principal: Principal, scope: Scope | None, privilege: Privilege | None) -> bool:
    """Whether the principal has the scope, and its role the privilege."""
    try:
        check_may(principal, scope, privilege)
    except Forbidden:
        return False
    return True
