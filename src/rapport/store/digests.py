"""Keys that are made from what they stand for, so that nobody has to look them up. Stored: never change them."""

from functools import lru_cache
from hashlib import blake2b
from typing import Final

from rapport.caching import MAX_CACHED_TEXT
from rapport.store.links import joined

_PERSONS = b"rapport/person"


_MOST_REMEMBERED: Final = 100_000
"""Keys that are wanted again and again while a file is imported; making one costs 20 times what remembering it does."""


@lru_cache(_MOST_REMEMBERED)
def contact_key(account_id: str, contact_id: str) -> bytes:
    """16 bytes for a contact of an account. Neither id can hold the byte between them."""
    return blake2b(f"{account_id}\0{contact_id}".encode(), digest_size=16).digest()


def contact_order(account_id: str, contact_id: str) -> int:
    """Six bytes, signed, in the order of the contacts' keys: SQLite's order of activities with equal times."""
    return int.from_bytes(contact_key(account_id, contact_id)[:6]) - (1 << 47)


def person_key(said: tuple[str | None, ...]) -> int:
    """64 bits, signed, for what is said of one contact."""
    is_short = sum(len(text) for text in said if text is not None) <= MAX_CACHED_TEXT
    return _cached_person_key(said) if is_short else _person_key(said)


def _person_key(said: tuple[str | None, ...]) -> int:
    return int.from_bytes(blake2b(joined(said), digest_size=8, person=_PERSONS).digest(), signed=True)


_cached_person_key: Final = lru_cache(_MOST_REMEMBERED)(_person_key)
