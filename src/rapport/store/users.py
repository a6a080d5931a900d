"""Users who sign in to the pages, their sessions, and attempts to sign in."""

from typing import Final

import msgspec
from msgspec.structs import asdict

from rapport.instant import Instant
from rapport.store.sql_engine import Params, Row, SqlEngine
from rapport.store.sql_repository import SqlRepository

MAX_USERS_PER_ADDRESS: Final = 20
MAX_LISTED_SESSIONS: Final = 500


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A user of an account. Without `joined_time`, the user is invited only.

    `email_key` is the address as it is compared. `generation` counts the changes that end all sessions of the user.
    """

    user_id: str
    account_id: str
    email_address: str
    email_key: str
    role: str
    password_hash: str | None = None
    totp_secret: bytes | None = None
    totp_step: int = 0
    recovery_codes: bytes | None = None
    identity_issuer: str | None = None
    identity_subject: str | None = None
    link_digest: bytes | None = None
    link_expires: Instant | None = None
    generation: int = 0
    created_time: Instant
    created_by: str
    joined_time: Instant | None = None
    signed_in_time: Instant | None = None


class UserSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session, as it is listed. `user_id` is empty if it began with a link or a token."""

    session_id: str
    account_id: str
    user_id: str
    user_name: str
    role: str
    method: str
    client: str
    token_ids: tuple[str, ...] = ()
    started_time: Instant
    expires: Instant


class AttemptCount(msgspec.Struct, frozen=True):
    """The number of attempts, including this one, and when the count expires."""

    attempts: int
    expires: Instant


class UserRepository(SqlRepository):
    """Reads and writes users and sessions. Every method raises StoreUnavailable, and has then changed nothing.

    Methods that change a user return False if the account has no such user, or if the change isn't allowed any more.
    """

    def __init__(self, engine: SqlEngine) -> None:
        super().__init__(engine, "users")

    async def add_user(self, user: User) -> bool:
        """Add a user. Return False if the account has one with this email address."""
        return await self._changes(user.account_id, ("add_user", asdict(user)))

    async def replace_user(self, user: User) -> None:
        """Add a user in place of the one with this email address, if there is one."""
        params = asdict(user)
        await self._execute(user.account_id, ("delete_by_email", params), ("add_user", params))

    async def find_user(self, account_id: str, user_id: str) -> User | None:
        """Return the account's user with this id."""
        return await self._find(account_id, "find_user", {"account_id": account_id, "user_id": user_id})

    async def find_by_email(self, account_id: str, email_key: str) -> User | None:
        """Return the account's user with this email address."""
        return await self._find(account_id, "find_by_email", {"account_id": account_id, "email_key": email_key})

    async def list_by_email(self, email_key: str) -> list[User]:
        """Return the users of all accounts with this email address, oldest first."""
        return await self._list("", "list_by_email", {"email_key": email_key, "max_users": MAX_USERS_PER_ADDRESS})

    async def list_by_identity(self, issuer: str, subject: str) -> list[User]:
        """Return the users of all accounts who sign in with this identity at a provider."""
        params = {"identity_issuer": issuer, "identity_subject": subject, "max_users": MAX_USERS_PER_ADDRESS}
        return await self._list("", "list_by_identity", params)

    async def find_by_link(self, link_digest: bytes, now: Instant) -> User | None:
        """Return the user with this one-time link, unless it has expired."""
        return await self._find("", "find_by_link", {"link_digest": link_digest, "now": now})

    async def list_users(self, account_id: str) -> list[User]:
        """Return the account's users by email address."""
        return await self._list(account_id, "list_users", {"account_id": account_id})

    async def set_link(self, account_id: str, user_id: str, link_digest: bytes, expires: Instant) -> bool:
        """Give a user another one-time link, which replaces the one before."""
        params = {"account_id": account_id, "user_id": user_id, "link_digest": link_digest, "link_expires": expires}
        return await self._changes(account_id, ("set_link", params))

    async def redeem_link(self, account_id: str, link_digest: bytes, password_hash: str, now: Instant) -> bool:
        """Redeem a one-time link by setting a password. Return False if it was redeemed before, or has expired."""
        params = {"link_digest": link_digest, "password_hash": password_hash, "now": now}
        return await self._changes(account_id, ("redeem_link", params))

    async def set_password(self, account_id: str, user_id: str, generation: int, password_hash: str) -> bool:
        """Set a password. Return False if the user is no longer of this generation."""
        params = {
            "account_id": account_id,
            "user_id": user_id,
            "generation": generation,
            "password_hash": password_hash,
        }
        return await self._changes(account_id, ("set_password", params))

    async def replace_hash(self, account_id: str, user_id: str, old_hash: str, new_hash: str) -> None:
        """Replace the hash of a password by another one of the same password."""
        params = {"account_id": account_id, "user_id": user_id, "old_hash": old_hash, "new_hash": new_hash}
        await self._execute(account_id, ("replace_hash", params))

    async def start_generation(self, account_id: str, user_id: str, generation: int) -> None:
        """Begin another generation of the user's sessions, unless one has begun after `generation`."""
        params = {"account_id": account_id, "user_id": user_id, "generation": generation}
        await self._execute(account_id, ("start_generation", params))

    async def set_role(self, account_id: str, user_id: str, role: str) -> bool:
        """Change a user's role. Return False for the last owner who has joined."""
        params = {"account_id": account_id, "user_id": user_id, "role": role}
        return await self._changes(account_id, ("list_owners", params), ("set_role", params))

    async def remove_user(self, account_id: str, user_id: str) -> bool:
        """Delete a user. Return False for the last owner who has joined."""
        params = {"account_id": account_id, "user_id": user_id}
        return await self._changes(account_id, ("list_owners", params), ("remove_user", params))

    async def set_signed_in(self, account_id: str, user_id: str, now: Instant) -> None:
        """Set when a user last signed in."""
        await self._execute(
            account_id,
            ("set_signed_in", {"account_id": account_id, "user_id": user_id, "now": now}),
            is_durable=False,
        )

    async def set_totp(
        self, account_id: str, user_id: str, totp_secret: bytes, totp_step: int, recovery_codes: bytes
    ) -> bool:
        """Set the secret of a user's authenticator app, and the recovery codes. Codes up to `totp_step` are used up."""
        return await self._set_totp(account_id, user_id, totp_secret, totp_step, recovery_codes)

    async def remove_totp(self, account_id: str, user_id: str) -> bool:
        """Remove the secret of a user's authenticator app, and the recovery codes."""
        return await self._set_totp(account_id, user_id, None, 0, None)

    async def replace_recovery_codes(self, user: User, recovery_codes: bytes) -> bool:
        """Replace the recovery codes of a user. Return False if they, or the app, were changed meanwhile."""
        params = {
            "account_id": user.account_id,
            "user_id": user.user_id,
            "recovery_codes": recovery_codes,
            "old_recovery_codes": user.recovery_codes,
            "none": b"",
        }
        return await self._changes(user.account_id, ("replace_recovery_codes", params))

    async def _set_totp(
        self, account_id: str, user_id: str, totp_secret: bytes | None, totp_step: int, recovery_codes: bytes | None
    ) -> bool:
        params = {
            "account_id": account_id,
            "user_id": user_id,
            "totp_secret": totp_secret,
            "totp_step": totp_step,
            "recovery_codes": recovery_codes,
        }
        return await self._changes(account_id, ("set_totp", params))

    async def use_totp_step(self, account_id: str, user_id: str, totp_step: int) -> bool:
        """Use up the code of a time step. Return False if it, or a later one, was used before."""
        params = {"account_id": account_id, "user_id": user_id, "totp_step": totp_step}
        return await self._changes(account_id, ("use_totp_step", params))

    async def set_identity(self, account_id: str, user_id: str, issuer: str, subject: str, now: Instant) -> bool:
        """Store a user's identity at a provider; the user has joined then. Return False if there is one already."""
        params = {
            "account_id": account_id,
            "user_id": user_id,
            "identity_issuer": issuer,
            "identity_subject": subject,
            "now": now,
        }
        return await self._changes(account_id, ("set_identity", params))

    async def count_attempt(self, key: bytes, now: Instant, expires: Instant) -> AttemptCount:
        """Count an attempt to sign in. The first one decides when the count expires."""
        params = {"key": key, "now": now, "expires": expires}
        rows = await self._execute("", ("delete_expired_attempts", params), ("count_attempt", params), is_durable=False)
        return AttemptCount(*rows[0])

    async def reset_attempts(self, key: bytes) -> None:
        """Delete the counted attempts with this key."""
        await self._execute("", ("reset_attempts", {"key": key}), is_durable=False)

    async def add_session(self, session: UserSession, now: Instant) -> None:
        """Add a session, and delete those that have expired."""
        await self._execute(
            session.account_id,
            ("delete_expired_sessions", {"now": now}),
            ("add_session", {**asdict(session), "token_ids": " ".join(session.token_ids)}),
        )

    async def list_sessions(self, account_id: str, now: Instant) -> list[UserSession]:
        """Return the newest sessions of an account, newest first."""
        params = {"account_id": account_id, "now": now, "max_sessions": MAX_LISTED_SESSIONS}
        rows = await self._fetch_all(account_id, "list_sessions", params)
        return [_read_session(row) for row in rows]

    async def find_session(self, account_id: str, session_id: str) -> UserSession | None:
        """Return the account's session with this id."""
        params = {"account_id": account_id, "session_id": session_id}
        row = await self._fetch_one(account_id, "find_session", params)
        return None if row is None else _read_session(row)

    async def delete_session(self, account_id: str, session_id: str) -> None:
        """Delete a session from the list."""
        await self._execute(account_id, ("delete_session", {"account_id": account_id, "session_id": session_id}))

    async def delete_user_sessions(self, account_id: str, user_id: str) -> None:
        """Delete all sessions of a user from the list."""
        await self._execute(account_id, ("delete_user_sessions", {"account_id": account_id, "user_id": user_id}))

    async def delete_account(self, account_id: str) -> None:
        """Delete all users and sessions of an account."""
        params = {"account_id": account_id}
        await self._execute(account_id, ("delete_account_sessions", params), ("delete_users", params))

    async def _changes(self, account_id: str, *statements: tuple[str, Params]) -> bool:
        return bool(await self._execute(account_id, *statements))

    async def _find(self, account_id: str, statement: str, params: Params) -> User | None:
        row = await self._fetch_one(account_id, statement, params)
        return None if row is None else _read_user(row)

    async def _list(self, account_id: str, statement: str, params: Params) -> list[User]:
        rows = await self._fetch_all(account_id, statement, params)
        return [_read_user(row) for row in rows]


def _read_user(row: Row) -> User:
    return User(**dict(zip(User.__struct_fields__, row, strict=True)))


def _read_session(row: Row) -> UserSession:
    values = dict(zip(UserSession.__struct_fields__, row, strict=True))
    return UserSession(**{**values, "token_ids": tuple(values["token_ids"].split())})
