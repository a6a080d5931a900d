"""Create and revoke named tokens. A token has at most the permissions of the session that creates it."""

from typing import Final

import msgspec
import structlog

from rapport.auth.authenticator import Authenticator
from rapport.auth.authorization import require_permission
from rapport.auth.keys import MAX_TOKEN_LIFETIME, Keys
from rapport.auth.scope import Privilege, Role, Scope
from rapport.auth.session import Session
from rapport.auth.token import Principal, sign_token
from rapport.auth.token_registry import (
    NamedToken,
    TokenStatus,
    create_token_id,
    get_token,
    list_tokens,
    parse_token_name,
    register_token,
    revoke_token,
)
from rapport.errors import Forbidden, InvalidField, TooManyTokens
from rapport.instant import MINUTE, Instant, iso
from rapport.settings import Settings
from rapport.store.secrets import SecretRepository

MANAGE_TOKENS: Final = Privilege.ACCOUNT_UPDATE
"""The privilege to list, create and revoke the account's tokens: owners and managers have it."""

PAGE_TOKEN_LIFETIME: Final = 10 * MINUTE
"""The lifetime of a token for requests from a page, which can get another one as long as its session lasts."""

_MAX_TOKEN_CHAIN: Final = 8
"""The maximum number of parent tokens: each was used to sign in to the session that created the next."""

_log = structlog.get_logger("rapport.auth")


class TokenRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request for a named token."""

    name: str
    role: Role
    scopes: frozenset[Scope]
    expires: Instant
    request_key: str = ""


def can_delegate(session: Session, role: Role, scopes: frozenset[Scope]) -> bool:
    """Return True if the session may create and revoke tokens with this role and these scopes."""
    return role in delegable_roles(session) and scopes <= session.principal.scopes


def delegable_roles(session: Session) -> list[Role]:
    """Return the roles that the session may give to tokens, its own first."""
    roles = list(Role)
    return roles[roles.index(session.principal.role) :]


class TokenService:
    """Manages an account's tokens on behalf of a session. Every method that takes a session may raise Forbidden."""

    def __init__(self, repository: SecretRepository, authenticator: Authenticator, settings: Settings) -> None:
        self._repository = repository
        self._authenticator = authenticator
        self._settings = settings

    async def list_tokens(self, session: Session, now: Instant) -> list[TokenStatus]:
        """Return the account's named tokens, newest first."""
        require_permission(session.principal, None, MANAGE_TOKENS)
        return await list_tokens(self._repository, self._authenticator.keys, session.principal.account_id, now)

    async def create_token(self, session: Session, request: TokenRequest, now: Instant) -> str:
        """Create and return the requested token. Raises InvalidField, TooManyTokens and RepeatedRequest."""
        require_permission(session.principal, None, MANAGE_TOKENS)
        _check_request(session, request, now)
        principal = Principal(
            account_id=session.principal.account_id,
            client_id=session.principal.account_id,
            user=session.principal.user,
            role=request.role,
            scopes=request.scopes,
        )
        named, token = await issue_token(
            self._repository,
            self._authenticator.keys,
            self._settings,
            principal,
            name=request.name,
            now=now,
            expires=request.expires,
            parent_tokens=session.token_ids,
            request_key=request.request_key,
        )
        _log.info("token created", account=named.account_id, token_id=named.token_id)
        return token

    def create_page_token(self, session: Session, now: Instant) -> tuple[str, Instant]:
        """Return a token for requests from a page, and its expiry, which is never later than the session's.

        It has the session's permissions, isn't registered, and is revoked with the session and the session's tokens.
        """
        expires = Instant(min(now + PAGE_TOKEN_LIFETIME, session.expires, session.tokens_until))
        token = sign_token(
            self._authenticator.keys,
            session.principal,
            issuer=self._settings.issuer,
            audience=self._settings.audience,
            now=now,
            expires=expires,
            token_id=create_token_id(),
            parent_tokens=session.ids,
        )
        return token, expires

    async def revoke_token(self, session: Session, token_id: str, now: Instant) -> None:
        """Revoke a token of the account, effective on this server at once. Raises UnknownToken."""
        require_permission(session.principal, None, MANAGE_TOKENS)
        account_id = session.principal.account_id
        token, _ = await get_token(self._repository, self._authenticator.keys, account_id, token_id, now)
        if not can_delegate(session, token.role, token.scopes):
            raise Forbidden("your session doesn't have the role or a scope of that token")
        await revoke_token(self._repository, token, by=session.principal.user, now=now)
        await self._authenticator.refresh_revocations()
        _log.info("token revoked", account=account_id, token_id=token_id)


async def issue_token(
    repository: SecretRepository,
    keys: Keys,
    settings: Settings,
    principal: Principal,
    *,
    name: str,
    now: Instant,
    expires: Instant,
    parent_tokens: tuple[str, ...] = (),
    request_key: str = "",
) -> tuple[NamedToken, str]:
    """Create a named token for the principal; return its registry entry and the token itself.

    Raises InvalidField and TooManyTokens.
    """
    named = NamedToken(
        token_id=create_token_id(),
        account_id=principal.account_id,
        name=parse_token_name(name),
        role=principal.role,
        scopes=principal.scopes,
        key_id=str(keys.signing_key.kid),
        created_time=now,
        created_by=principal.user,
        parent_tokens=parent_tokens,
        expires=expires,
        request_key=request_key,
    )
    await register_token(repository, keys, named, now)
    return named, sign_token(
        keys,
        principal,
        issuer=settings.issuer,
        audience=settings.audience,
        now=now,
        expires=expires,
        token_id=named.token_id,
        parent_tokens=parent_tokens,
    )


def _check_request(session: Session, request: TokenRequest, now: Instant) -> None:
    if request.role not in delegable_roles(session):
        raise Forbidden(f"your session doesn't have the role {request.role.value}")
    for scope in sorted(request.scopes - session.principal.scopes, key=lambda scope: scope.value):
        raise Forbidden(f"your session doesn't have the scope {scope.value}")
    if not request.scopes:
        raise InvalidField("scope", "", "select at least one of " + ", ".join(scope.value for scope in Scope))
    latest = min(session.tokens_until, now + MAX_TOKEN_LIFETIME)
    if not now < request.expires <= latest:
        raise InvalidField("expires", iso(request.expires), f"must be in the future, and not later than {iso(latest)}")
    if len(session.token_ids) > _MAX_TOKEN_CHAIN:
        raise TooManyTokens(
            f"the token that you signed in with is the last of {_MAX_TOKEN_CHAIN + 1} tokens that were each created "
            "with the one before: sign in with a link (`rapport sign-in`) to create more"
        )
