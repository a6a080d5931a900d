"""Invite, change and remove users. Used by the commands and, through `UserService`, by the pages.

Ending a user's access revokes the id that the user's sessions, and everything created in them, depend on. It is revoked
before the user is changed: if that is interrupted, nothing stays valid, and the next sign-in begins another generation.
"""

import secrets
from hashlib import sha256
from typing import Final

import structlog
from msgspec.structs import replace

from rapport.auth.authenticator import Authenticator
from rapport.auth.keys import MAX_TOKEN_LIFETIME
from rapport.auth.revocations import add_revocation
from rapport.auth.scope import ROLE_SCOPES, Role
from rapport.auth.session import USER_ID_PREFIX, Session
from rapport.email_address import normalize_address
from rapport.errors import Forbidden, InvalidField, LastOwner, TooManyUsers, UnknownUser
from rapport.instant import DAY, HOUR, Instant
from rapport.store.store import Store
from rapport.store.users import User

LINK_LIFETIME: Final = 7 * DAY
MAX_USERS: Final = 1_000
"""The maximum number of an account's users."""

_log = structlog.get_logger("rapport.people")


def parse_user_address(text: str) -> str:
    """Return the text as the email address of a user. Raises InvalidField."""
    try:
        address = normalize_address(text)
    except ValueError as exc:
        raise InvalidField("email_address", text, str(exc)) from None
    if not address.isprintable():
        raise InvalidField("email_address", text, "must have printable characters only")
    return address


def make_email_key(address: str) -> str:
    """Return the form in which email addresses of users are compared."""
    return address.lower()


def user_revocation_id(user: User) -> str:
    """Return the id that the user's sessions of this generation, and everything created in them, depend on."""
    return f"{USER_ID_PREFIX}{user.user_id}:{user.generation}"


def digest_link(code: str) -> bytes:
    """Return the digest under which the code of a one-time link is stored."""
    return sha256(code.encode("utf-8", "surrogateescape")).digest()


async def invite_user(
    store: Store, account_id: str, address: str, role: Role, *, by: str, now: Instant
) -> tuple[User, str]:
    """Invite a user, and return it with the code of its one-time link. A pending invitation is replaced.

    Raises InvalidField, also if the account has a user with this address, and TooManyUsers.
    """
    address = parse_user_address(address)
    email_key = make_email_key(address)
    await store.accounts.ensure(account_id)
    code = secrets.token_urlsafe(32)
    existing = await store.users.find_by_email(account_id, email_key)
    if existing is not None and existing.joined_time is not None:
        raise InvalidField("email_address", address, f"{address} is already a user of the account {account_id}")
    if existing is None and len(await store.users.list_users(account_id)) >= MAX_USERS:
        raise TooManyUsers(f"the account {account_id} has {MAX_USERS} users, which is the maximum; remove one first")
    user = User(
        user_id=secrets.token_hex(12) if existing is None else existing.user_id,
        account_id=account_id,
        email_address=address,
        email_key=email_key,
        role=role.value,
        link_digest=digest_link(code),
        link_expires=Instant(now + LINK_LIFETIME),
        generation=0 if existing is None else existing.generation + 1,
        created_time=now,
        created_by=by,
    )
    if existing is not None:
        await store.users.replace_user(user)
    elif not await store.users.add_user(user):
        raise InvalidField("email_address", address, "was invited by somebody else a moment ago; try again")
    return user, code


async def create_password_link(store: Store, user: User, now: Instant, lifetime: int = LINK_LIFETIME) -> str:
    """Return the code of a new one-time link with which the user sets a password. The one before becomes invalid."""
    code = secrets.token_urlsafe(32)
    if not await store.users.set_link(user.account_id, user.user_id, digest_link(code), Instant(now + lifetime)):
        raise UnknownUser(user.email_address)
    return code


async def get_user(store: Store, account_id: str, user_id: str) -> User:
    """Return the account's user with this id. Raises UnknownUser."""
    user = await store.users.find_user(account_id, user_id)
    if user is None:
        raise UnknownUser(user_id)
    return user


async def get_user_by_address(store: Store, account_id: str, address: str) -> User:
    """Return the account's user with this email address. Raises InvalidField and UnknownUser."""
    address = parse_user_address(address)
    user = await store.users.find_by_email(account_id, make_email_key(address))
    if user is None:
        raise UnknownUser(f"{address} in the account {account_id}; `rapport user list` prints the users")
    return user


async def change_role(store: Store, user: User, role: Role, now: Instant) -> None:
    """Change the user's role, which ends the user's access. Raises LastOwner."""
    if role.value == user.role:
        return
    await _require_other_owner(store, user)
    await end_access(store, user, now)
    if not await store.users.set_role(user.account_id, user.user_id, role.value):
        raise _last_owner(user)


async def remove_user(store: Store, user: User, now: Instant) -> None:
    """Remove the user, which ends the user's access. Raises LastOwner."""
    await _require_other_owner(store, user)
    await end_access(store, user, now)
    if not await store.users.remove_user(user.account_id, user.user_id):
        raise _last_owner(user)


async def end_access(store: Store, user: User, now: Instant) -> None:
    """End the user's sessions, the tokens that were created in them, and what applications may do for the user.

    Running servers notice when they next poll the list of revocations.
    """
    expires = Instant(now + MAX_TOKEN_LIFETIME + HOUR)
    await add_revocation(store.secrets, user_revocation_id(user), expires, by=user.user_id, now=now)
    await store.users.delete_user_sessions(user.account_id, user.user_id)
    for grant in await store.applications.list_grants(user.account_id):
        if user_revocation_id(user) in grant.consent.parent_tokens:
            await store.applications.revoke_grant(grant.grant_id, now)


async def _require_other_owner(store: Store, user: User) -> None:
    if user.role != Role.OWNER.value or user.joined_time is None:
        return
    others = await store.users.list_users(user.account_id)
    if not any(
        other.role == Role.OWNER.value and other.joined_time is not None and other.user_id != user.user_id
        for other in others
    ):
        raise _last_owner(user)


def _last_owner(user: User) -> LastOwner:
    return LastOwner(f"{user.email_address} is the only owner of the account; make another user an owner first")


def is_owner(session: Session) -> bool:
    """Return True if the session may manage the account's users."""
    return session.principal.role is Role.OWNER and not session.began_with_token


def require_owner(session: Session) -> None:
    """Check that the session may manage the account's users. Raises Forbidden.

    A session that began with a token may not, because a user would outlive the token.
    """
    if session.principal.role is not Role.OWNER:
        raise Forbidden("only owners can manage users")
    if session.began_with_token:
        raise Forbidden("you signed in with a token; to manage users, sign in as a user or with a link")


class UserService:
    """Manages an account's users on behalf of a session. Every method may raise Forbidden and UnknownUser."""

    def __init__(self, store: Store, authenticator: Authenticator) -> None:
        self._store = store
        self._authenticator = authenticator

    async def list_users(self, session: Session) -> list[User]:
        """Return the account's users by email address."""
        require_owner(session)
        return await self._store.users.list_users(session.principal.account_id)

    async def invite(self, session: Session, address: str, role: Role, now: Instant) -> tuple[User, str]:
        """Invite a user, and return it with the code of its one-time link. Raises InvalidField and TooManyUsers."""
        require_owner(session)
        for scope in sorted(ROLE_SCOPES[role] - session.principal.scopes, key=lambda scope: scope.value):
            raise Forbidden(f"your session doesn't have the scope {scope.value}")
        principal = session.principal
        user, code = await invite_user(self._store, principal.account_id, address, role, by=principal.user, now=now)
        _log.info("user invited", account=user.account_id, user_id=user.user_id, role=role.value)
        return user, code

    async def get_account_name(self, session: Session) -> str:
        """Return the name of the session's account: that of the organization, or else the id."""
        account_id = session.principal.account_id
        return (await self._store.accounts.get_details(account_id)).organization_name or account_id

    async def create_password_link(self, session: Session, user_id: str, now: Instant) -> tuple[User, str]:
        """Return the user with the code of a new one-time link."""
        user = await self._get_user(session, user_id)
        code = await create_password_link(self._store, user, now)
        _log.info("password link created", account=user.account_id, user_id=user.user_id)
        return user, code

    async def change_role(self, session: Session, user_id: str, role: Role, now: Instant) -> None:
        """Change a user's role. Raises LastOwner."""
        user = await self._get_user(session, user_id)
        await change_role(self._store, user, role, now)
        await self._authenticator.refresh_revocations()
        _log.info("user role changed", account=user.account_id, user_id=user.user_id, role=role.value)

    async def reset_totp(self, session: Session, user_id: str) -> None:
        """Let a user sign in without the authenticator app."""
        user = await self._get_user(session, user_id)
        await self._store.users.remove_totp(user.account_id, user.user_id)
        _log.info("authenticator app reset", account=user.account_id, user_id=user.user_id)

    async def remove(self, session: Session, user_id: str, now: Instant) -> None:
        """Remove a user. Raises LastOwner."""
        user = await self._get_user(session, user_id)
        await remove_user(self._store, user, now)
        await self._authenticator.refresh_revocations()
        _log.info("user removed", account=user.account_id, user_id=user.user_id)

    async def _get_user(self, session: Session, user_id: str) -> User:
        require_owner(session)
        return await get_user(self._store, session.principal.account_id, user_id)


def with_next_generation(user: User) -> User:
    """Return the user in its next generation."""
    return replace(user, generation=user.generation + 1)
