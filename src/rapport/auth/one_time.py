"""One-time codes to sign in with: made by a command, used up by the first who brings it to any worker or server.

The store keeps digests only, beside its keys: who reads it can't sign in.
"""

import secrets
from hashlib import sha256
from typing import Final

import msgspec

from rapport.auth.token import Principal
from rapport.errors import InvalidToken, StoreUnavailable
from rapport.instant import MINUTE, Instant
from rapport.store.secrets import SecretRepository

LIFE: Final = 15 * MINUTE

_NAME: Final = "sign-in-codes"
_MOST: Final = 100
"""Codes that wait to be used; of more, the oldest are void."""


class _Code(msgspec.Struct, frozen=True):
    digest: bytes
    expires: Instant
    principal: Principal


async def create_code(repository: SecretRepository, principal: Principal, now: Instant) -> str:
    """A code that signs the principal in, once and within LIFE from now."""
    text = secrets.token_urlsafe(32)
    made = _Code(_digest(text), Instant(now + LIFE), principal)
    while True:
        stored = await repository.read(_NAME)
        waiting = [code for code in _decode(stored) if code.expires > now]
        if await repository.replace(_NAME, stored, _encode([*waiting, made][-_MOST:])):
            return text


async def redeem_code(repository: SecretRepository, text: str, now: Instant) -> Principal:
    """Whom the code signs in; it is used up by this. Raises InvalidToken when it is not, or no longer, good."""
    digest = _digest(text)
    while True:
        stored = await repository.read(_NAME)
        codes = _decode(stored)
        found = next((code for code in codes if code.digest == digest), None)
        if found is None:
            raise InvalidToken("there is no such code, or it has been used")
        if await repository.replace(_NAME, stored, _encode([code for code in codes if code is not found])):
            if found.expires <= now:
                raise InvalidToken("the code is too old")
            return found.principal


def _digest(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogateescape")).digest()


def _encode(codes: list[_Code]) -> bytes:
    return msgspec.json.encode(codes)


def _decode(stored: bytes | None) -> list[_Code]:
    if stored is None:
        return []
    try:
        return msgspec.json.decode(stored, type=list[_Code])
    except msgspec.DecodeError as problem:
        raise StoreUnavailable(f"the codes to sign in with are damaged ({problem}): remove them") from None
