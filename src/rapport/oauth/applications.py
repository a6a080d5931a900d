"""Applications: who may create, change and delete them, and what they may be."""

import enum
import uuid
from collections.abc import Iterable
from typing import Final

import msgspec
import structlog

from rapport.auth.gate import check_may
from rapport.auth.grant import roles_of
from rapport.auth.register import read_name, revoke_id
from rapport.auth.scope import Privilege, Role, Scope
from rapport.auth.session import Session
from rapport.auth.token import Verified
from rapport.auth.watch import KeyCache
from rapport.errors import Forbidden, InvalidField, TooManyApplications, UnknownApplication
from rapport.instant import HOUR, Instant
from rapport.oauth.credentials import digest_client_secret, new_client_secret
from rapport.oauth.lifetimes import ACCESS_TOKEN_LIFETIME
from rapport.oauth.redirects import MAX_REDIRECT_URIS, read_redirect_uri
from rapport.store.applications import Application
from rapport.store.store import Store

MANAGE_APPLICATIONS: Final = Privilege.ACCOUNT_UPDATE
"""The privilege to see and change the account's applications: an owner's and a manager's."""

MAX_APPLICATIONS: Final = 100
"""Applications of one account."""

_log = structlog.get_logger("rapport.oauth")


class RefreshPolicy(enum.Enum):
    """What a refresh returns: a new refresh token each time, or the same one."""

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


def application_mark(client_id: str) -> str:
    """Return what the tokens of an application are marked with: they are void once this is revoked."""
    return f"application:{client_id}"


def is_application_token(token: Verified) -> bool:
    """Return True if the token was issued to an application. It is for the API: it signs nobody in."""
    return application_mark(token.principal.client_id) in token.token_ids


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
        name=read_name(request.name),
        secret_digest=None if secret is None else digest_client_secret(secret),
        redirect_uris=_read_redirect_uris(request.redirect_uris),
        scopes=tuple(sorted(scope.value for scope in request.scopes)),
        refresh_policy=request.refresh_policy.value,
        credentials_role=None if request.credentials_role is None else request.credentials_role.value,
        created_time=now,
        created_by=by,
    )
    if len(await store.applications.list_applications(account_id)) >= MAX_APPLICATIONS:
        raise TooManyApplications(
            f"the account {account_id} has {MAX_APPLICATIONS} applications, which is the maximum: delete one first"
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
    """Replace the application's secret, and return the new one. The old one is void at once.

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
    """Delete an application with all that was granted to it, and return its name. Raises UnknownApplication.

    Servers refuse its access tokens within the seconds in which they read what is revoked.
    """
    application = await find_application(store, account_id, client_id)
    # First: should this be interrupted, the application can be deleted again.
    await revoke_id(
        store.secrets, application_mark(client_id), Instant(now + ACCESS_TOKEN_LIFETIME + HOUR), by=by, now=now
    )
    if not await store.applications.delete_application(account_id, client_id):
        raise UnknownApplication(client_id)
    return application.name


class ApplicationService:
    """What sessions do with the applications of their accounts. Every call may raise Forbidden."""

    def __init__(self, store: Store, keys: KeyCache) -> None:
        self._store = store
        self._keys = keys

    async def list_applications(self, session: Session) -> list[Application]:
        """Return the account's applications, oldest first."""
        check_may(session.principal, None, MANAGE_APPLICATIONS)
        return await self._store.applications.list_applications(session.principal.account_id)

    async def create(
        self, session: Session, request: ApplicationRequest, now: Instant
    ) -> tuple[Application, str | None]:
        """Create an application for no more than the session's own scopes and role. Raises InvalidField."""
        check_manages(session)
        for scope in sorted(request.scopes - session.principal.scopes, key=lambda scope: scope.value):
            raise Forbidden(f"scope {scope.value}")
        if request.credentials_role is not None and request.credentials_role not in roles_of(session):
            raise Forbidden(f"role {request.credentials_role.value}")
        principal = session.principal
        created = await create_application(self._store, principal.account_id, request, by=principal.user, now=now)
        _log.info("application created", account=principal.account_id, client_id=created[0].client_id)
        return created

    async def rotate_secret(self, session: Session, client_id: str) -> tuple[Application, str]:
        """Replace an application's secret, and return the new one. Raises UnknownApplication."""
        check_manages(session)
        application = await find_application(self._store, session.principal.account_id, client_id)
        secret = await rotate_secret(self._store, application.account_id, client_id)
        _log.info("application secret rotated", account=application.account_id, client_id=client_id)
        return application, secret

    async def delete(self, session: Session, client_id: str, now: Instant) -> None:
        """Delete an application with all that was granted to it. Raises UnknownApplication."""
        check_manages(session)
        principal = session.principal
        await delete_application(self._store, principal.account_id, client_id, by=principal.user, now=now)
        await self._keys.look_up_revoked()
        _log.info("application deleted", account=principal.account_id, client_id=client_id)


def check_manages(session: Session) -> None:
    """Return if the session may change applications. Raises Forbidden.

    One that began with a token may not: an application would outlive the token.
    """
    check_may(session.principal, None, MANAGE_APPLICATIONS)
    if session.token_ids:
        raise Forbidden("sign-in by a link, instead of a token,")


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


def _read_redirect_uris(texts: Iterable[str]) -> tuple[str, ...]:
    uris = tuple(dict.fromkeys(read_redirect_uri(text) for text in texts))
    if len(uris) > MAX_REDIRECT_URIS:
        raise InvalidField("redirect_uri", uris[-1], f"there must be at most {MAX_REDIRECT_URIS}")
    return uris
