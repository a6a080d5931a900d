"""Sign in with a password, and redeem the one-time links of invitations and of password changes.

A failed sign-in takes the same time, and gives the same response, whether the user exists or not.
"""

from hashlib import blake2b
from typing import Final

import msgspec
import structlog

from rapport.auth.authenticator import Authenticator
from rapport.auth.rate_limits import GenerousRateLimiter
from rapport.auth.scope import ROLE_SCOPES, Role
from rapport.auth.session import Session, begin_user_session
from rapport.auth.signing import InvalidSignature, sign, verify
from rapport.auth.token import Principal
from rapport.errors import InvalidLink, RevokedToken, SignInFailed, Throttled
from rapport.instant import MINUTE, SECOND, Instant
from rapport.people.passwords import PasswordHashes, parse_new_password
from rapport.people.recovery_codes import (
    count_recovery_codes,
    digest_recovery_codes,
    is_recovery_code,
    new_recovery_codes,
    remove_recovery_code,
)
from rapport.people.totp import TotpSecrets, find_totp_step
from rapport.people.users import digest_link, end_access, make_email_key, user_revocation_id, with_next_generation
from rapport.store.store import Store
from rapport.store.users import User

MAX_ATTEMPTS: Final = 10
"""How often somebody may try to sign in with one email address before `ATTEMPT_PERIOD` is over."""
ATTEMPT_PERIOD: Final = 15 * MINUTE
MAX_LINK_REQUESTS: Final = 3
"""How often somebody may ask for a link to one email address in that period."""

_ATTEMPTS_PER_SECOND: Final = 20
"""How many attempts a worker accepts per second, whatever their email address."""
_MAX_ADDRESS_LENGTH: Final = 254
_CHALLENGE: Final = b"totp"
_CHALLENGE_LIFETIME: Final = 5 * MINUTE
_MAX_CHALLENGE_LENGTH: Final = 1_000

_log = structlog.get_logger("rapport.people")


class _Challenge(msgspec.Struct, frozen=True, array_like=True):
    """A user who has given the password, and has to give the code from the authenticator app."""

    account_id: str
    user_id: str
    generation: int
    expires: Instant


class SignInService:
    """Begins the sessions of users. Every method may raise StoreUnavailable."""

    def __init__(self, store: Store, authenticator: Authenticator) -> None:
        self._store = store
        self._authenticator = authenticator
        self._hashes = PasswordHashes()
        self._totp = TotpSecrets(store.secrets)
        self._limiter = GenerousRateLimiter(_ATTEMPTS_PER_SECOND)

    async def check_password(self, address: str, password: str, account_id: str, now: Instant) -> User:
        """Return the user with this email address and password. Raises SignInFailed and Throttled.

        Without an account, the address must belong to one user only, in whichever account.
        """
        key = self._attempt_key(b"password", make_email_key(address.strip()))
        await self.count_attempt(key, now)
        user = await self._find_user(address, account_id)
        if not await self._hashes.verify(None if user is None else user.password_hash, password):
            raise SignInFailed("the email address, the password or the account is wrong")
        if user is None or user.password_hash is None:
            raise LookupError("a password was accepted without a user")
        await self._store.users.reset_attempts(key)
        if self._hashes.needs_rehash(user.password_hash):
            new_hash = await self._hashes.hash(password)
            await self._store.users.replace_hash(user.account_id, user.user_id, user.password_hash, new_hash)
        return user

    async def find_link(self, code: str, now: Instant) -> User:
        """Return the user with this one-time link. Raises InvalidLink."""
        user = await self._store.users.find_by_link(digest_link(code), now)
        if user is None:
            raise InvalidLink("this link was already used, or has expired")
        return user

    async def redeem_link(self, code: str, password: str, now: Instant) -> User:
        """Set a password with a one-time link, which ends the user's access, and return the user.

        Raises InvalidLink, and InvalidField for the password.
        """
        user = await self.find_link(code, now)
        password_hash = await self._hashes.hash(parse_new_password(password, user.email_address))
        if user.joined_time is not None:
            await end_access(self._store, user, now)
        if not await self._store.users.redeem_link(user.account_id, digest_link(code), password_hash, now):
            raise InvalidLink("this link was already used, or has expired")
        await self._authenticator.refresh_revocations()
        _log.info("password set with a link", account=user.account_id, user_id=user.user_id)
        return await self._reload(user)

    async def change_password(self, user: User, old: str, new: str, now: Instant) -> User:
        """Change a password, which ends the user's access, and return the user.

        Raises SignInFailed, InvalidField and Throttled.
        """
        await self.check_current_password(user, old, now)
        password_hash = await self._hashes.hash(parse_new_password(new, user.email_address))
        await end_access(self._store, user, now)
        if not await self._store.users.set_password(user.account_id, user.user_id, user.generation, password_hash):
            raise SignInFailed("the password was changed a moment ago")
        await self._authenticator.refresh_revocations()
        _log.info("password changed", account=user.account_id, user_id=user.user_id)
        return await self._reload(user)

    def make_challenge(self, user: User, now: Instant) -> str:
        """Return a text with which a user who has given the password may give the code from the authenticator app."""
        challenge = _Challenge(user.account_id, user.user_id, user.generation, Instant(now + _CHALLENGE_LIFETIME))
        return sign(self._authenticator.keys.signing_secret, _CHALLENGE, msgspec.msgpack.encode(challenge))

    async def check_totp(self, challenge: str, code: str, now: Instant) -> User:
        """Return the user of a challenge who gave this code. Raises InvalidLink, SignInFailed and Throttled."""
        user = await self._read_challenge(challenge, now)
        await self._use_code(user, code, now)
        return user

    async def check_current_password(self, user: User, password: str, now: Instant) -> None:
        """Check the password of a user who is signed in. Raises SignInFailed and Throttled."""
        key = self._attempt_key(b"change", user.user_id)
        await self.count_attempt(key, now)
        if not await self._hashes.verify(user.password_hash, password):
            raise SignInFailed("the current password is wrong")
        await self._store.users.reset_attempts(key)

    async def enable_totp(self, user: User, secret: str, code: str, now: Instant) -> tuple[str, ...]:
        """Require the codes from an authenticator app from now on, and return recovery codes.

        Raises SignInFailed for a wrong code.
        """
        step = find_totp_step(secret, code, now)
        if step is None:
            raise SignInFailed("the code is wrong; check the time on your phone, and try the next one")
        encrypted = await self._totp.encrypt(user.user_id, secret)
        codes = new_recovery_codes()
        digests = digest_recovery_codes(user.user_id, codes)
        if not await self._store.users.set_totp(user.account_id, user.user_id, encrypted, step, digests):
            raise InvalidLink("the user was removed a moment ago")
        _log.info("authenticator app set up", account=user.account_id, user_id=user.user_id)
        return codes

    async def renew_recovery_codes(self, user: User) -> tuple[str, ...]:
        """Replace the recovery codes, and return the new ones. Raises SignInFailed if they were changed meanwhile."""
        codes = new_recovery_codes()
        if not await self._store.users.replace_recovery_codes(user, digest_recovery_codes(user.user_id, codes)):
            raise SignInFailed("the authenticator app or its recovery codes were changed a moment ago")
        _log.info("recovery codes renewed", account=user.account_id, user_id=user.user_id)
        return codes

    async def disable_totp(self, user: User) -> None:
        """Require no codes any more."""
        await self._store.users.remove_totp(user.account_id, user.user_id)
        _log.info("authenticator app removed", account=user.account_id, user_id=user.user_id)

    async def _read_challenge(self, text: str, now: Instant) -> User:
        try:
            content = verify(self._authenticator.keys.signing_secret, _CHALLENGE, text[:_MAX_CHALLENGE_LENGTH])
            challenge = msgspec.msgpack.decode(content, type=_Challenge)
        except (InvalidSignature, msgspec.DecodeError):
            raise InvalidLink("the form is not from this server") from None
        user = await self._store.users.find_user(challenge.account_id, challenge.user_id)
        if user is None or user.generation != challenge.generation or challenge.expires <= now:
            raise InvalidLink("the sign-in has expired")
        return user

    async def _use_code(self, user: User, code: str, now: Instant) -> None:
        key = self._attempt_key(b"totp", user.user_id)
        await self.count_attempt(key, now)
        if user.totp_secret is None:
            raise InvalidLink("the authenticator app was removed a moment ago")
        if is_recovery_code(code):
            is_accepted = await self._use_recovery_code(user, code)
        else:
            step = find_totp_step(await self._totp.decrypt(user.user_id, user.totp_secret), code, now)
            is_accepted = step is not None and await self._store.users.use_totp_step(
                user.account_id, user.user_id, step
            )
        if not is_accepted:
            raise SignInFailed("the code is wrong, or was used before")
        await self._store.users.reset_attempts(key)

    async def _use_recovery_code(self, user: User, code: str) -> bool:
        """Use up a recovery code. Return False if it isn't one, or was used before."""
        remaining = remove_recovery_code(user.user_id, code, user.recovery_codes)
        if remaining is None or not await self._store.users.replace_recovery_codes(user, remaining):
            return False
        _log.warning(
            "recovery code used",
            account=user.account_id,
            user_id=user.user_id,
            remaining=count_recovery_codes(remaining),
        )
        return True

    async def begin_session(self, user: User, now: Instant) -> Session:
        """Return a new session of a user who has proved who they are."""
        try:
            self._authenticator.check_not_revoked(user.account_id, (user_revocation_id(user),))
        except RevokedToken:
            # A change that ends the sessions before it was interrupted.
            await self._store.users.start_generation(user.account_id, user.user_id, user.generation)
            user = with_next_generation(user)
        await self._store.users.set_signed_in(user.account_id, user.user_id, now)
        role = Role(user.role)
        principal = Principal(
            account_id=user.account_id,
            client_id=user.account_id,
            user=user.email_address,
            role=role,
            scopes=ROLE_SCOPES[role],
        )
        _log.info("user signed in", account=user.account_id, user_id=user.user_id)
        return begin_user_session(principal, user.user_id, user_revocation_id(user), now)

    async def get_session_user(self, session: Session) -> User | None:
        """Return the user of a session, or None if it isn't a user's."""
        if not session.user_id:
            return None
        return await self._store.users.find_user(session.principal.account_id, session.user_id)

    async def count_link_request(self, address: str, now: Instant) -> None:
        """Count a request for a link by email. Raises Throttled."""
        key = self._attempt_key(b"forgotten", make_email_key(address.strip()))
        await self.count_attempt(key, now, MAX_LINK_REQUESTS)

    async def count_attempt(self, key: bytes, now: Instant, max_attempts: int = MAX_ATTEMPTS) -> None:
        """Count an attempt to sign in. Raises Throttled."""
        await self._limiter.acquire("sign-in")
        count = await self._store.users.count_attempt(key, now, Instant(now + ATTEMPT_PERIOD))
        if count.attempts > max_attempts:
            _log.warning("too many attempts to sign in", key=key.hex()[:12])
            raise Throttled(retry_after=max(1, -(-(count.expires - now) // SECOND)))

    def _attempt_key(self, purpose: bytes, text: str) -> bytes:
        encoded = text.encode("utf-8", "surrogateescape")
        return blake2b(
            encoded, digest_size=16, key=self._authenticator.keys.signing_secret[:64], person=purpose
        ).digest()

    async def _find_user(self, address: str, account_id: str) -> User | None:
        email_key = make_email_key(address.strip())
        if len(email_key) > _MAX_ADDRESS_LENGTH or "\x00" in email_key:
            email_key = ""
        users = await self._store.users.list_by_email(email_key)
        candidates = [user for user in users if user.joined_time and account_id in {"", user.account_id}]
        return candidates[0] if len(candidates) == 1 else None

    async def _reload(self, user: User) -> User:
        reloaded = await self._store.users.find_user(user.account_id, user.user_id)
        if reloaded is None:
            raise InvalidLink("the user was removed a moment ago")
        return reloaded
