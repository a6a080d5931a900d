"""Tokens with a name: who may make and revoke which. Nobody gives out more than they have, nor for longer."""

from typing import Final

import msgspec
import structlog

from rapport.auth.gate import check_may
from rapport.auth.keys import MAX_TOKEN_LIFETIME, Keys
from rapport.auth.register import (
    ListedToken,
    NamedToken,
    listed_token,
    listed_tokens,
    new_token_id,
    read_name,
    register,
    revoke,
)
from rapport.auth.scope import Privilege, Role, Scope
from rapport.auth.session import Session
from rapport.auth.token import Principal, make_token
from rapport.auth.watch import KeyCache
from rapport.errors import Forbidden, InvalidField, TooManyTokens
from rapport.instant import MINUTE, Instant, iso
from rapport.settings import Settings
from rapport.store.secrets import SecretRepository

MANAGE_TOKENS: Final = Privilege.ACCOUNT_UPDATE
"""The privilege to see, make and revoke the tokens of the account: an owner's and a manager's."""

PAGE_TOKEN_LIFE: Final = 10 * MINUTE
"""How long a page can use a token; it gets another one with its session."""

_LONGEST_LINEAGE: Final = 8
"""Tokens that one was made with, each in a session that began with the one before."""


_log = structlog.get_logger("rapport.auth")


class TokenRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A token that somebody asks for."""

    name: str
    role: Role
    scopes: frozenset[Scope]
    expires: Instant
    request_key: str = ""


def may_give(session: Session, role: Role, scopes: frozenset[Scope]) -> bool:
    """Whether the session may have to do with a token for these: it is not for more than the session's own."""
    return role in roles_of(session) and scopes <= session.principal.scopes


def roles_of(session: Session) -> list[Role]:
    """The roles of the tokens that the session may give out, its own first."""
    every = list(Role)
    return every[every.index(session.principal.role) :]


class TokenService:
    """What sessions do with the tokens of their accounts. Every call may raise Forbidden."""

    def __init__(self, repository: SecretRepository, keys: KeyCache, settings: Settings) -> None:
        self._repository = repository
        self._keys = keys
        self._settings = settings

    async def tokens(self, session: Session, now: Instant) -> list[ListedToken]:
        """The tokens that have a name, the newest first."""
        check_may(session.principal, None, MANAGE_TOKENS)
        return await listed_tokens(self._repository, self._keys.keys, session.principal.account_id, now)

    async def make(self, session: Session, params: TokenRequest, now: Instant) -> str:
        """The token that is asked for. Raises InvalidField, TooManyTokens and RepeatedRequest."""
        check_may(session.principal, None, MANAGE_TOKENS)
        _check(session, params, now)
        principal = Principal(
            account_id=session.principal.account_id,
            client_id=session.principal.account_id,
            user=session.principal.user,
            role=params.role,
            scopes=params.scopes,
        )
        given, token = await give(
            self._repository,
            self._keys.keys,
            self._settings,
            principal,
            name=params.name,
            now=now,
            expires=params.expires,
            made_with=session.token_ids,
            request_key=params.request_key,
        )
        _log.info("token made", account=given.account_id, token_id=given.token_id)
        return token

    def make_page_token(self, session: Session, now: Instant) -> tuple[str, Instant]:
        """Return a token for requests from a page, and when it expires: at the latest when the session is over.

        It has the session's permissions, isn't registered, and is revoked with the session and the session's tokens.
        """
        expires = Instant(min(now + PAGE_TOKEN_LIFE, session.expires, session.tokens_until))
        token = make_token(
            self._keys.keys,
            session.principal,
            issuer=self._settings.issuer,
            audience=self._settings.audience,
            now=now,
            expires=expires,
            token_id=new_token_id(),
            made_with=session.ids,
        )
        return token, expires

    async def revoke(self, session: Session, token_id: str, now: Instant) -> None:
        """Void a token of the account, here at once. Raises UnknownToken."""
        check_may(session.principal, None, MANAGE_TOKENS)
        account_id = session.principal.account_id
        token, _ = await listed_token(self._repository, self._keys.keys, account_id, token_id, now)
        if not may_give(session, token.role, token.scopes):
            raise Forbidden("role or a scope of that token")
        await revoke(self._repository, token, by=session.principal.user, now=now)
        await self._keys.look_up_revoked()
        _log.info("token revoked", account=account_id, token_id=token_id)


async def give(
    repository: SecretRepository,
    keys: Keys,
    settings: Settings,
    principal: Principal,
    *,
    name: str,
    now: Instant,
    expires: Instant,
    made_with: tuple[str, ...] = (),
    request_key: str = "",
) -> tuple[NamedToken, str]:
    """A token for the principal, and how it stands in the register. Raises InvalidField and TooManyTokens."""
    made = NamedToken(
        token_id=new_token_id(),
        account_id=principal.account_id,
        name=read_name(name),
        role=principal.role,
        scopes=principal.scopes,
        key_id=str(keys.signing.kid),
        made_time=now,
        made_by=principal.user,
        made_with=made_with,
        expires=expires,
        request_key=request_key,
    )
    await register(repository, keys, made, now)
    return made, make_token(
        keys,
        principal,
        issuer=settings.issuer,
        audience=settings.audience,
        now=now,
        expires=expires,
        token_id=made.token_id,
        made_with=made_with,
    )


def _check(session: Session, params: TokenRequest, now: Instant) -> None:
    if params.role not in roles_of(session):
        raise Forbidden(f"role {params.role.value}")
    for scope in sorted(params.scopes - session.principal.scopes, key=lambda scope: scope.value):
        raise Forbidden(f"scope {scope.value}")
    if not params.scopes:
        raise InvalidField("scope", "", "must name one at least of " + ", ".join(scope.value for scope in Scope))
    latest = min(session.tokens_until, now + MAX_TOKEN_LIFETIME)
    if not now < params.expires <= latest:
        raise InvalidField("life", iso(params.expires), f"must end at {iso(latest)} at the latest")
    if len(session.token_ids) > _LONGEST_LINEAGE:
        raise TooManyTokens(
            f"the token that you signed in with comes from {_LONGEST_LINEAGE} others, each made with the one before: "
            "sign in by a link to make more"
        )
