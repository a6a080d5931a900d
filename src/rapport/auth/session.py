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
from rapport.instant import HOUR, Instant

LIFE: Final = 12 * HOUR
"""How long somebody stays signed in at most."""

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


def begin_session(principal: Principal, now: Instant) -> Session:
    """A session that begins now, without a token."""
    return Session(
        principal=principal,
        expires=Instant(now + LIFE),
        tokens_until=Instant(now + LONGEST_LIFE),
        nonce=new_nonce(),
    )


def begin_session_with(token: Verified, now: Instant) -> Session:
    """A session that begins now with a token; it gives out nothing that outlives this token."""
    return Session(
        principal=token.principal,
        expires=Instant(min(now + LIFE, token.expires)),
        tokens_until=token.expires,
        nonce=new_nonce(),
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


def new_nonce() -> str:
    """What tells one browser's session from all others."""
    return secrets.token_urlsafe(16)


def form_token(sealing: bytes, nonce: str) -> str:
    """What a form must carry to change anything: only a page that was made for this nonce's owner has it."""
    return urlsafe_b64encode(_mac(sealing, b"form", nonce.encode())).rstrip(b"=").decode()


def is_form_token(sealing: bytes, nonce: str, text: str) -> bool:
    """Whether a form came from a page of this nonce's owner."""
    return hmac.compare_digest(form_token(sealing, nonce).encode(), text.encode("utf-8", "surrogateescape"))


def _mac(sealing: bytes, purpose: bytes, content: bytes) -> bytes:
    # A key for each purpose, made from the one: nothing that is sealed for one passes for another.
    return hmac.digest(hmac.digest(sealing, purpose, "sha256"), content, "sha256")
