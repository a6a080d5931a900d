"""The keys that sign tokens and seal cursors: made on first use, rotated by command, published as a JWKS (RFC 7517)."""

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
"""No token lives longer, so that after this time a retired key has signed nothing that is still good."""

_NAME: Final = "signing-keys"
_KEY_BITS: Final = 2048


class _StoredKey(msgspec.Struct, frozen=True):
    jwk: dict[str, Any]
    retired_time: Instant | None = None


class _StoredKeys(msgspec.Struct, frozen=True):
    """The current key first; behind it those that still verify. And what seals cursors."""

    signing: list[_StoredKey]
    sealing: bytes


class Keys:
    """One state of the keys; a rotation makes another one."""

    def __init__(self, stored: bytes) -> None:
        try:
            keys = msgspec.json.decode(stored, type=_StoredKeys)
            signing = [RSAKey.import_key(key.jwk) for key in keys.signing]
        except (msgspec.DecodeError, JoseError, ValueError) as problem:
            raise StoreUnavailable(
                f"the signing keys are damaged ({problem}): put them back from a backup, or remove them to have new "
                "ones made, which voids all tokens"
            ) from None
        if not signing:
            raise StoreUnavailable(
                "the signing keys are damaged (there is none): put them back from a backup, or remove them to have new "
                "ones made, which voids all tokens"
            )
        self.stored = stored
        self.sealing = keys.sealing
        self.signing = signing[0]
        self.verifying = KeySet(list(signing))
        self.ids = frozenset(str(key.kid) for key in signing)

    @property
    def published(self) -> bytes:
        """The public halves, as a JWKS."""
        return msgspec.json.encode(self.verifying.as_dict(private=False))


async def load_keys(repository: SecretRepository, known: Keys | None = None) -> Keys:
    """The store's keys, which are made if there are none yet; `known` itself if they are still the same."""
    while True:
        stored = await repository.read(_NAME)
        if stored is not None:
            return known if known is not None and known.stored == stored else Keys(stored)
        # Whoever is first makes them; all others find them on the next turn.
        await repository.replace(_NAME, None, _encode([_new_key()], secrets.token_bytes(32)))


async def rotate_keys(repository: SecretRepository, now: Instant, *, drop_old: bool) -> Keys:
    """Sign with a new key from now on.

    Tokens of the old ones stay good until they expire, unless `drop_old`: then every token, and every cursor,
    that was ever given out is void.
    """
    while True:
        old = await load_keys(repository)
        if drop_old:
            new = _encode([_new_key()], secrets.token_bytes(32))
        else:
            known = msgspec.json.decode(old.stored, type=_StoredKeys)
            retired = [_StoredKey(key.jwk, key.retired_time or now) for key in known.signing]
            good = [key for key in retired if key.retired_time is None or key.retired_time > now - MAX_TOKEN_LIFETIME]
            new = _encode([_new_key(), *good], known.sealing)
        if await repository.replace(_NAME, old.stored, new):
            return Keys(new)


def _new_key() -> _StoredKey:
    key = RSAKey.generate_key(_KEY_BITS, {"use": "sig", "alg": ALGORITHM}, auto_kid=True)
    return _StoredKey(dict(key.as_dict(private=True)))


def _encode(signing: list[_StoredKey], sealing: bytes) -> bytes:
    return msgspec.json.encode(_StoredKeys(signing, sealing))
