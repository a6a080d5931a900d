"""Who is signed in at the pages: all of it in a cookie, sealed by the server's key, so that every worker can tell.

A session is no token and a token no session: each is good where it was given out for.
"""

import secrets
from typing import Final

import msgspec

from rapport.auth.keys import MAX_TOKEN_LIFETIME
from rapport.auth.signing import InvalidSignature, is_tag, make_tag, sign, verify
from rapport.auth.token import Principal, Verified
from rapport.errors import InvalidToken
from rapport.instant import FIRST, HOUR, Instant

LIFE: Final = 12 * HOUR
"""How long somebody stays signed in at most."""

SESSION_ID_PREFIX: Final = "session:"
"""Distinguishes the ids of sessions from those of tokens."""

_PURPOSE: Final = b"session"
_FORM_PURPOSE: Final = b"form"
_MAX_LENGTH: Final = 4_096


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """On whose behalf pages are asked for, and until when. Tokens made in it live until `tokens_until` at most.

    It is over, and they are void, when one of the tokens is revoked with which it began.
    """

    principal: Principal
    expires: Instant
    tokens_until: Instant
    nonce: str
    token_ids: tuple[str, ...] = ()

    @property
    def session_id(self) -> str:
        """What this session is called in the list of those that were ended, and in tokens that end with it."""
        return SESSION_ID_PREFIX + self.nonce

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all that this session depends on: the tokens that it began with, and itself."""
        return (*self.token_ids, self.session_id)


def begin_session(principal: Principal, now: Instant) -> Session:
    """A session that begins now, without a token."""
    return Session(
        principal=principal,
        expires=Instant(now + LIFE),
        tokens_until=Instant(now + MAX_TOKEN_LIFETIME),
        nonce=new_nonce(now),
    )


def begin_session_with(token: Verified, now: Instant) -> Session:
    """A session that begins now with a token; it gives out nothing that outlives this token."""
    return Session(
        principal=token.principal,
        expires=Instant(min(now + LIFE, token.expires)),
        tokens_until=token.expires,
        nonce=new_nonce(now),
        token_ids=token.token_ids,
    )


def sign_session(sealing: bytes, session: Session) -> str:
    """Return the session as a cookie holds it."""
    return sign(sealing, _PURPOSE, msgspec.msgpack.encode(session))


def verify_session(sealing: bytes, text: str, now: Instant) -> Session:
    """Return the session of a cookie. Raises InvalidToken if it wasn't signed with this secret, or has expired."""
    if len(text) > _MAX_LENGTH:
        raise InvalidToken("the session is too long")
    try:
        session = msgspec.msgpack.decode(verify(sealing, _PURPOSE, text), type=Session)
    except InvalidSignature as exc:
        raise InvalidToken(f"the session is not valid: {exc}") from None
    except msgspec.MsgspecError:
        raise InvalidToken("the session is of another version") from None
    if session.expires <= now:
        raise InvalidToken("the session has expired")
    return session


def new_nonce(now: Instant) -> str:
    """Return a nonce that no other session has; it says when the session began."""
    return f"{now:x}-{secrets.token_urlsafe(16)}"


def read_begin(session_id: str) -> Instant:
    """Return when the session with this id began; the beginning of time if its id doesn't say."""
    try:
        return Instant(int(session_id.removeprefix(SESSION_ID_PREFIX).partition("-")[0], 16))
    except ValueError:
        return FIRST


def form_token(sealing: bytes, nonce: str) -> str:
    """Return the token that a form of this session must carry, so that other sites can't submit it."""
    return make_tag(sealing, _FORM_PURPOSE, nonce.encode())


def is_form_token(sealing: bytes, nonce: str, text: str) -> bool:
    """Return True if the text is the form token of this session."""
    return is_tag(sealing, _FORM_PURPOSE, nonce.encode(), text)
