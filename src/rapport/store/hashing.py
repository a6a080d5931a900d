"""Keys that are hashes of what they identify, so that no look-up is needed. They are stored: never change them."""

from functools import lru_cache
from hashlib import blake2b
from typing import Final

from rapport.caching import MAX_CACHED_TEXT
from rapport.store.links import encode_unambiguously

_PROFILES: Final = b"rapport/person"

_MAX_CACHED: Final = 100_000
"""Keys that recur while a file is imported. Hashing costs 20 times as much as a cache hit."""


@lru_cache(_MAX_CACHED)
def contact_key(account_id: str, contact_id: str) -> bytes:
    """Return a key of 16 bytes for a contact of an account. Ids can't contain the byte between them."""
    return blake2b(f"{account_id}\0{contact_id}".encode(), digest_size=16).digest()


def contact_order(account_id: str, contact_id: str) -> int:
    """Return the first six bytes of the contact's key, signed: how SQLite orders activities with equal times."""
    return int.from_bytes(contact_key(account_id, contact_id)[:6]) - (1 << 47)


def profile_key(profile: tuple[str | None, ...]) -> int:
    """Return a signed 64-bit key for a profile of one contact."""
    is_short = sum(len(text) for text in profile if text is not None) <= MAX_CACHED_TEXT
    return _cached_profile_key(profile) if is_short else _hash_profile(profile)


def _hash_profile(profile: tuple[str | None, ...]) -> int:
    return int.from_bytes(blake2b(encode_unambiguously(profile), digest_size=8, person=_PROFILES).digest(), signed=True)


_cached_profile_key: Final = lru_cache(_MAX_CACHED)(_hash_profile)
