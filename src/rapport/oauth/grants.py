"""What users let applications do: the grants of a session's user, listed and revoked."""

from typing import Final

import msgspec
import structlog

from rapport.auth.authenticator import Authenticator
from rapport.auth.revocations import add_revocation
from rapport.auth.session import Session, find_user_id
from rapport.errors import UnknownApplication
from rapport.instant import HOUR, Instant
from rapport.oauth.lifetimes import ACCESS_TOKEN_LIFETIME
from rapport.store.applications import Application, Grant
from rapport.store.store import Store

_log = structlog.get_logger("rapport.oauth")


class AllowedApplication(msgspec.Struct, frozen=True, kw_only=True):
    """An application, and all that a user lets it do."""

    application: Application
    scopes: tuple[str, ...]
    allowed_time: Instant
    """When the user last allowed something."""


class GrantService:
    """Lists and revokes the grants of a session's user. Every method may raise StoreUnavailable."""

    def __init__(self, store: Store, authenticator: Authenticator) -> None:
        self._store = store
        self._authenticator = authenticator

    async def list_allowed(self, session: Session, now: Instant) -> list[AllowedApplication]:
        """Return the applications that the user lets act, by name."""
        grants: dict[str, list[Grant]] = {}
        for grant in await self._list_grants(session):
            if grant.expires > now:
                grants.setdefault(grant.client_id, []).append(grant)
        applications = await self._store.applications.list_applications(session.principal.account_id)
        return [
            AllowedApplication(
                application=application,
                scopes=tuple(sorted({scope for grant in own for scope in grant.consent.scopes})),
                allowed_time=max(grant.created_time for grant in own),
            )
            for application in sorted(applications, key=lambda application: application.name.lower())
            if (own := grants.get(application.client_id))
        ]

    async def revoke(self, session: Session, client_id: str, now: Instant) -> None:
        """Revoke all that the user lets an application do. Raises UnknownApplication."""
        grants = [grant for grant in await self._list_grants(session) if grant.client_id == client_id]
        if not grants:
            raise UnknownApplication(client_id)
        for grant in grants:
            await revoke_grant(self._store, grant.grant_id, now, by=session.principal.user)
        await self._authenticator.refresh_revocations()
        _log.info("application disallowed", account=session.principal.account_id, client_id=client_id)

    async def _list_grants(self, session: Session) -> list[Grant]:
        grants = await self._store.applications.list_grants(session.principal.account_id)
        return [grant for grant in grants if _is_granted_by(session, grant)]


async def revoke_grant(store: Store, grant_id: str, now: Instant, *, by: str) -> bool:
    """Revoke a grant: its refresh token at once, its access tokens when servers next poll the revocations.

    Return False if it was revoked before.
    """
    if not await store.applications.revoke_grant(grant_id, now):
        return False
    await add_revocation(store.secrets, grant_id, Instant(now + _REVOCATION_LIFETIME), by=by, now=now)
    return True


def _is_granted_by(session: Session, grant: Grant) -> bool:
    """Return True if the session's user allowed it: another user of the account may have the same name."""
    user_ids = {user_id for token_id in grant.consent.parent_tokens if (user_id := find_user_id(token_id))}
    if session.user_id:
        return session.user_id in user_ids
    return not user_ids and grant.consent.user == session.principal.user


_REVOCATION_LIFETIME: Final = ACCESS_TOKEN_LIFETIME + HOUR
