"""Sessions of the pages, kept in a signed cookie that every worker can verify.

Sessions and API tokens are not interchangeable.
"""

import secrets
from typing import Final

import msgspec
from msgspec.structs import replace

from rapport.auth.keys import MAX_TOKEN_LIFETIME
from rapport.auth.signing import InvalidSignature, is_tag, make_tag, sign, verify
from rapport.auth.token import Principal, VerifiedToken
from rapport.errors import InvalidToken
from rapport.instant import HOUR, MIN_INSTANT, Instant

LIFETIME: Final = 12 * HOUR
"""The maximum lifetime of a session."""

SESSION_ID_PREFIX: Final = "session:"
"""Distinguishes the ids of sessions from those of tokens."""

USER_ID_PREFIX: Final = "user:"
"""Distinguishes the ids that depend on a user, `user:{user_id}:{generation}`, from those of tokens."""

_PURPOSE: Final = b"session"
_FORM_PURPOSE: Final = b"form"
_MAX_LENGTH: Final = 4_096


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A signed-in user. Tokens created in the session expire at `tokens_until` at the latest.

    Revoking a token that the session began with ends the session, and revokes the tokens created in it.
    """

    principal: Principal
    expires: Instant
    tokens_until: Instant
    nonce: str
    token_ids: tuple[str, ...] = ()
    user_id: str = ""
    """The user who signed in; empty if the session began with a link or a token."""

    @property
    def began_with_token(self) -> bool:
        """True if somebody pasted a token to begin the session."""
        return bool(self.token_ids) and not self.user_id

    @property
    def session_id(self) -> str:
        """The session's id in the list of ended sessions, and in tokens that end with it."""
        return SESSION_ID_PREFIX + self.nonce

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of everything this session depends on: the tokens that it began with, and itself."""
        return (*self.token_ids, self.session_id)


def begin_session(principal: Principal, now: Instant) -> Session:
    """Return a new session that doesn't depend on a token."""
    return Session(
        principal=principal,
        expires=Instant(now + LIFETIME),
        tokens_until=Instant(now + MAX_TOKEN_LIFETIME),
        nonce=new_nonce(now),
    )


def begin_session_from_token(token: VerifiedToken, now: Instant) -> Session:
    """Return a new session that began with a token. Neither it nor tokens created in it outlive that token."""
    return Session(
        principal=token.principal,
        expires=Instant(min(now + LIFETIME, token.expires)),
        tokens_until=token.expires,
        nonce=new_nonce(now),
        token_ids=token.token_ids,
    )


def begin_user_session(principal: Principal, user_id: str, revocation_id: str, now: Instant) -> Session:
    """Return a new session of a user. Revoking `revocation_id` ends it, with everything that was created in it."""
    session = begin_session(principal, now)
    return replace(session, user_id=user_id, token_ids=(revocation_id,))


def sign_session(signing_secret: bytes, session: Session) -> str:
    """Return the session as the signed value of a cookie."""
    return sign(signing_secret, _PURPOSE, msgspec.msgpack.encode(session))


def verify_session(signing_secret: bytes, text: str, now: Instant) -> Session:
    """Return the session of a cookie. Raises InvalidToken if it wasn't signed with this secret, or has expired."""
    if len(text) > _MAX_LENGTH:
        raise InvalidToken("the session is too long")
    try:
        session = msgspec.msgpack.decode(verify(signing_secret, _PURPOSE, text), type=Session)
    except InvalidSignature as exc:
        raise InvalidToken(f"the session is not valid: {exc}") from None
    except msgspec.MsgspecError:
        raise InvalidToken("the session is of another version") from None
    if session.expires <= now:
        raise InvalidToken("the session has expired")
    return session


def new_nonce(now: Instant) -> str:
    """Return a unique nonce, which contains the session's start time."""
    return f"{now:x}-{secrets.token_urlsafe(16)}"


def parse_start_time(session_id: str) -> Instant:
    """Return the start time of the session with this id; the earliest possible time if it isn't in the id."""
    try:
        return Instant(int(session_id.removeprefix(SESSION_ID_PREFIX).partition("-")[0], 16))
    except ValueError:
        return MIN_INSTANT


def form_token(signing_secret: bytes, nonce: str) -> str:
    """Return the token that a form of this session must carry, so that other sites can't submit it."""
    return make_tag(signing_secret, _FORM_PURPOSE, nonce.encode())


def is_form_token(signing_secret: bytes, nonce: str, text: str) -> bool:
    """Return True if the text is the form token of this session."""
    return is_tag(signing_secret, _FORM_PURPOSE, nonce.encode(), text)


def find_user_id(token_id: str) -> str | None:
    """Return the user on whom a token id depends; None if it doesn't depend on one."""
    if not token_id.startswith(USER_ID_PREFIX):
        return None
    return token_id.removeprefix(USER_ID_PREFIX).partition(":")[0]
