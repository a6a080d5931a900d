"""Who is signed in at the pages: all of it in a cookie, sealed by the server's key, so that every worker can tell.

A session is no token and a token no session: each is good where it was given out for.
"""

import binascii
import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

import msgspec

from rapport.auth.keys import LONGEST_LIFE
from rapport.auth.token import Principal, Verified
from rapport.errors import InvalidToken
from rapport.instant import FIRST, HOUR, Instant

LIFE: Final = 12 * HOUR
"""How long somebody stays signed in at most."""

SESSION_ID_PREFIX: Final = "session:"
"""Distinguishes the ids of sessions from those of tokens."""

_SEAL: Final = 32
_LONGEST: Final = 4_096


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
        tokens_until=Instant(now + LONGEST_LIFE),
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


def seal_session(sealing: bytes, session: Session) -> str:
    """The session as a cookie holds it."""
    content = msgspec.msgpack.encode(session)
    return urlsafe_b64encode(_mac(sealing, b"session", content) + content).rstrip(b"=").decode()


def open_session(sealing: bytes, text: str, now: Instant) -> Session:
    """The session that a cookie holds. Raises InvalidToken when it wasn't sealed with this key, or is over."""
    if len(text) > _LONGEST:
        raise InvalidToken("the session is too long")
    try:
        sealed = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (UnicodeEncodeError, binascii.Error):
        raise InvalidToken("the session is no base64") from None
    seal, content = sealed[:_SEAL], sealed[_SEAL:]
    if not hmac.compare_digest(seal, _mac(sealing, b"session", content)):
        raise InvalidToken("the session was not sealed here")
    try:
        session = msgspec.msgpack.decode(content, type=Session)
    except msgspec.MsgspecError:
        raise InvalidToken("the session is of another version") from None
    if session.expires <= now:
        raise InvalidToken("the session is over")
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
    """What a form must carry to change anything: only a page that was made for this nonce's owner has it."""
    return urlsafe_b64encode(_mac(sealing, b"form", nonce.encode())).rstrip(b"=").decode()


def is_form_token(sealing: bytes, nonce: str, text: str) -> bool:
    """Whether a form came from a page of this nonce's owner."""
    return hmac.compare_digest(form_token(sealing, nonce).encode(), text.encode("utf-8", "surrogateescape"))


def _mac(sealing: bytes, purpose: bytes, content: bytes) -> bytes:
    # A key for each purpose, made from the one: nothing that is sealed for one passes for another.
    return hmac.digest(hmac.digest(sealing, purpose, "sha256"), content, "sha256")
