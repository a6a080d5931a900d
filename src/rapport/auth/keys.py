"""The keys that sign tokens, and the secret that signs cursors and sessions.

They are created on first use and rotated with `rapport keys rotate`. Public keys are published as a JWKS (RFC 7517).
"""

import secrets
from typing import Any, Final

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, RSAKey

from rapport.errors import StoreUnavailable
from rapport.instant import DAY, Instant
from rapport.store.secrets import SecretRepository

ALGORITHM: Final = "RS256"
MAX_TOKEN_LIFETIME: Final = 400 * DAY
"""The maximum lifetime of a token; after that long, a retired key has signed no token that is still valid."""

_NAME: Final = "signing-keys"
_KEY_BITS: Final = 2048


class _StoredKey(msgspec.Struct, frozen=True):
    jwk: dict[str, Any]
    retired_time: Instant | None = None


class _StoredKeys(msgspec.Struct, frozen=True):
    """The current key first, then retired keys, which still verify."""

    signing: list[_StoredKey]
    signing_secret: bytes = msgspec.field(name="sealing")
    """Stored under its first name."""


class Keys:
    """The keys at one time; rotating them creates a new instance."""

    def __init__(self, stored: bytes) -> None:
        try:
            keys = msgspec.json.decode(stored, type=_StoredKeys)
            signing = [RSAKey.import_key(key.jwk) for key in keys.signing]
        except (msgspec.DecodeError, JoseError, ValueError) as exc:
            raise StoreUnavailable(
                f"the signing keys are damaged ({exc}): restore them from a backup, or remove them to create new "
                "ones, which invalidates all tokens"
            ) from None
        if not signing:
            raise StoreUnavailable(
                "the signing keys are damaged (the list is empty): restore them from a backup, or remove them to "
                "create new ones, which invalidates all tokens"
            )
        self.stored = stored
        self.signing_secret = keys.signing_secret
        self.signing_key = signing[0]
        self.verification_keys = KeySet(list(signing))
        self.ids = frozenset(str(key.kid) for key in signing)

    @property
    def jwks(self) -> bytes:
        """The public keys, as a JWKS."""
        return msgspec.json.encode(self.verification_keys.as_dict(private=False))


async def load_keys(repository: SecretRepository, known: Keys | None = None) -> Keys:
    """Return the store's keys, creating them if there are none; `known` itself if they haven't changed."""
    while True:
        stored = await repository.read(_NAME)
        if stored is not None:
            return known if known is not None and known.stored == stored else Keys(stored)
        # The first process to get here creates them; the others read them in their next iteration.
        await repository.replace(_NAME, None, _encode([_new_key()], secrets.token_bytes(32)))


async def rotate_keys(repository: SecretRepository, now: Instant, *, drop_old: bool) -> Keys:
    """Create a new key and sign with it from now on.

    Tokens that were signed with the old keys stay valid until they expire. With `drop_old`, every token, session and
    cursor becomes invalid.
    """
    while True:
        old = await load_keys(repository)
        if drop_old:
            new = _encode([_new_key()], secrets.token_bytes(32))
        else:
            known = msgspec.json.decode(old.stored, type=_StoredKeys)
            retired = [_StoredKey(key.jwk, key.retired_time or now) for key in known.signing]
            oldest = now - MAX_TOKEN_LIFETIME
            kept = [key for key in retired if key.retired_time is None or key.retired_time > oldest]
            new = _encode([_new_key(), *kept], known.signing_secret)
        if await repository.replace(_NAME, old.stored, new):
            return Keys(new)


def _new_key() -> _StoredKey:
    key = RSAKey.generate_key(_KEY_BITS, {"use": "sig", "alg": ALGORITHM}, auto_kid=True)
    return _StoredKey(dict(key.as_dict(private=True)))


def _encode(signing: list[_StoredKey], signing_secret: bytes) -> bytes:
    return msgspec.json.encode(_StoredKeys(signing, signing_secret))
