"""One-time sign-in codes: created by a command, and redeemed once, on any worker or server.

The store keeps only digests, so that reading it isn't enough to sign in.
"""

import secrets
from hashlib import sha256
from typing import Final

import msgspec

from rapport.auth.token import Principal
from rapport.errors import InvalidToken, StoreUnavailable
from rapport.instant import MINUTE, Instant
from rapport.store.secrets import SecretRepository

LIFETIME: Final = 15 * MINUTE

_NAME: Final = "sign-in-codes"
_MAX_CODES: Final = 100
"""The maximum number of unused codes; creating another one drops the oldest."""


class _Code(msgspec.Struct, frozen=True):
    digest: bytes
    expires: Instant
    principal: Principal


async def create_code(repository: SecretRepository, principal: Principal, now: Instant) -> str:
    """Return a new code that signs the principal in once, until `LIFETIME` from now."""
    text = secrets.token_urlsafe(32)
    code = _Code(_digest(text), Instant(now + LIFETIME), principal)
    while True:
        stored = await repository.read(_NAME)
        unused = [other for other in _decode(stored) if other.expires > now]
        if await repository.replace(_NAME, stored, _encode([*unused, code][-_MAX_CODES:])):
            return text


async def redeem_code(repository: SecretRepository, text: str, now: Instant) -> Principal:
    """Use up the code and return the principal it signs in. Raises InvalidToken for a used, old or unknown code."""
    digest = _digest(text)
    while True:
        stored = await repository.read(_NAME)
        codes = _decode(stored)
        redeemed = next((code for code in codes if code.digest == digest), None)
        if redeemed is None:
            raise InvalidToken("the sign-in code is unknown or was used")
        if await repository.replace(_NAME, stored, _encode([code for code in codes if code is not redeemed])):
            if redeemed.expires <= now:
                raise InvalidToken("the sign-in code has expired")
            return redeemed.principal


def _digest(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogateescape")).digest()


def _encode(codes: list[_Code]) -> bytes:
    return msgspec.json.encode(codes)


def _decode(stored: bytes | None) -> list[_Code]:
    if stored is None:
        return []
    try:
        return msgspec.json.decode(stored, type=list[_Code])
    except msgspec.DecodeError as exc:
        raise StoreUnavailable(f"the sign-in codes are damaged ({exc}): remove them") from None
