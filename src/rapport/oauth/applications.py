"""OAuth applications: validate, create, change and delete them."""

import enum
import uuid
from collections.abc import Iterable
from typing import Final

import msgspec
import structlog

from rapport.auth.authenticator import Authenticator
from rapport.auth.authorization import require_permission
from rapport.auth.revocations import add_revocation
from rapport.auth.scope import Privilege, Role, Scope
from rapport.auth.session import Session
from rapport.auth.token import VerifiedToken
from rapport.auth.token_registry import parse_token_name
from rapport.auth.token_service import delegable_roles
from rapport.errors import Forbidden, InvalidField, TooManyApplications, UnknownApplication
from rapport.instant import HOUR, Instant
from rapport.oauth.credentials import digest_client_secret, new_client_secret
from rapport.oauth.lifetimes import ACCESS_TOKEN_LIFETIME
from rapport.oauth.redirects import MAX_REDIRECT_URIS, parse_redirect_uri
from rapport.store.applications import Application
from rapport.store.store import Store

MANAGE_APPLICATIONS: Final = Privilege.ACCOUNT_UPDATE
"""The privilege to see and change the account's applications: owners and managers have it."""

MAX_APPLICATIONS: Final = 100
"""The maximum number of an account's applications."""

_log = structlog.get_logger("rapport.oauth")


class RefreshPolicy(enum.Enum):
    """Return a new refresh token with each refresh, or always the same one."""

    ROTATING = "rotating"
    LONG_LIVED = "long-lived"


class ApplicationRequest(msgspec.Struct, frozen=True, kw_only=True):
    """An application to create."""

    name: str
    redirect_uris: tuple[str, ...] = ()
    scopes: frozenset[Scope]
    is_public: bool = False
    refresh_policy: RefreshPolicy = RefreshPolicy.ROTATING
    credentials_role: Role | None = None


def application_revocation_id(client_id: str) -> str:
    """Return the id that all tokens of an application depend on, so that they can be revoked together."""
    return f"application:{client_id}"


def is_application_token(token: VerifiedToken) -> bool:
    """Return True if the token was issued to an application. Such tokens are for the API only, not for signing in."""
    return application_revocation_id(token.principal.client_id) in token.token_ids


async def create_application(
    store: Store, account_id: str, request: ApplicationRequest, *, by: str, now: Instant
) -> tuple[Application, str | None]:
    """Create an application, and return it with its secret, which is stored as a digest only; None if it is public.

    Raises InvalidField and TooManyApplications.
    """
    _check_request(request)
    secret = None if request.is_public else new_client_secret()
    application = Application(
        client_id=str(uuid.uuid4()),
        account_id=account_id,
        name=parse_token_name(request.name),
        secret_digest=None if secret is None else digest_client_secret(secret),
        redirect_uris=_parse_redirect_uris(request.redirect_uris),
        scopes=tuple(sorted(scope.value for scope in request.scopes)),
        refresh_policy=request.refresh_policy.value,
        credentials_role=None if request.credentials_role is None else request.credentials_role.value,
        created_time=now,
        created_by=by,
    )
    if len(await store.applications.list_applications(account_id)) >= MAX_APPLICATIONS:
        raise TooManyApplications(
            f"the account {account_id} has {MAX_APPLICATIONS} applications, which is the maximum; delete one first"
        )
    await store.applications.add_application(application)
    return application, secret


async def find_application(store: Store, account_id: str, client_id: str) -> Application:
    """Return an application of the account. Raises UnknownApplication."""
    application = await store.applications.find_application(client_id)
    if application is None or application.account_id != account_id:
        raise UnknownApplication(client_id)
    return application


async def rotate_secret(store: Store, account_id: str, client_id: str) -> str:
    """Replace the application's secret, and return the new one. The old one is invalid at once.

    Raises UnknownApplication, and InvalidField for a public one.
    """
    application = await find_application(store, account_id, client_id)
    if application.secret_digest is None:
        raise InvalidField("client_id", client_id, f"the application {application.name} is public and has no secret")
    secret = new_client_secret()
    if not await store.applications.set_secret(account_id, client_id, digest_client_secret(secret)):
        raise UnknownApplication(client_id)
    return secret


async def delete_application(store: Store, account_id: str, client_id: str, *, by: str, now: Instant) -> str:
    """Delete an application with all its grants, and return its name. Raises UnknownApplication.

    Running servers reject its access tokens when they next poll the list of revocations.
    """
    application = await find_application(store, account_id, client_id)
    # Revoke first: if this is interrupted, the application can still be deleted again.
    await add_revocation(
        store.secrets, application_revocation_id(client_id), Instant(now + ACCESS_TOKEN_LIFETIME + HOUR), by=by, now=now
    )
    if not await store.applications.delete_application(account_id, client_id):
        raise UnknownApplication(client_id)
    return application.name


class ApplicationService:
    """Manages an account's applications on behalf of a session. Every method may raise Forbidden."""

    def __init__(self, store: Store, authenticator: Authenticator) -> None:
        self._store = store
        self._authenticator = authenticator

    async def list_applications(self, session: Session) -> list[Application]:
        """Return the account's applications, oldest first."""
        require_permission(session.principal, None, MANAGE_APPLICATIONS)
        return await self._store.applications.list_applications(session.principal.account_id)

    async def create(
        self, session: Session, request: ApplicationRequest, now: Instant
    ) -> tuple[Application, str | None]:
        """Create an application, which can get no more than the session's own scopes and role. Raises InvalidField."""
        require_manager(session)
        for scope in sorted(request.scopes - session.principal.scopes, key=lambda scope: scope.value):
            raise Forbidden(f"your session doesn't have the scope {scope.value}")
        if request.credentials_role is not None and request.credentials_role not in delegable_roles(session):
            raise Forbidden(f"your session doesn't have the role {request.credentials_role.value}")
        principal = session.principal
        created = await create_application(self._store, principal.account_id, request, by=principal.user, now=now)
        _log.info("application created", account=principal.account_id, client_id=created[0].client_id)
        return created

    async def rotate_secret(self, session: Session, client_id: str) -> tuple[Application, str]:
        """Replace an application's secret, and return the new one. Raises UnknownApplication."""
        require_manager(session)
        application = await find_application(self._store, session.principal.account_id, client_id)
        secret = await rotate_secret(self._store, application.account_id, client_id)
        _log.info("application secret rotated", account=application.account_id, client_id=client_id)
        return application, secret

    async def delete(self, session: Session, client_id: str, now: Instant) -> None:
        """Delete an application with all its grants. Raises UnknownApplication."""
        require_manager(session)
        principal = session.principal
        await delete_application(self._store, principal.account_id, client_id, by=principal.user, now=now)
        await self._authenticator.refresh_revocations()
        _log.info("application deleted", account=principal.account_id, client_id=client_id)


def require_manager(session: Session) -> None:
    """Check that the session may change applications. Raises Forbidden.

    A session that began with a token may not, because an application would outlive the token.
    """
    require_permission(session.principal, None, MANAGE_APPLICATIONS)
    if session.began_with_token:
        raise Forbidden("you signed in with a token; to change applications, sign in as a user or with a link")


def _check_request(request: ApplicationRequest) -> None:
    if not request.scopes:
        raise InvalidField("scope", "", "must name at least one of " + ", ".join(scope.value for scope in Scope))
    if request.is_public and request.refresh_policy is RefreshPolicy.LONG_LIVED:
        raise InvalidField(
            "refresh", request.refresh_policy.value, "must be rotating for a public application, which has no secret"
        )
    if request.is_public and request.credentials_role is not None:
        raise InvalidField(
            "client_credentials", request.credentials_role.value, "needs a confidential application, which has a secret"
        )


def _parse_redirect_uris(texts: Iterable[str]) -> tuple[str, ...]:
    uris = tuple(dict.fromkeys(parse_redirect_uri(text) for text in texts))
    if len(uris) > MAX_REDIRECT_URIS:
        raise InvalidField("redirect_uri", uris[-1], f"is one too many; the maximum is {MAX_REDIRECT_URIS}")
    return uris
