"""Keys that are made from what they stand for, so that nobody has to look them up. Stored: never change them."""

from functools import lru_cache
from hashlib import blake2b
from typing import Final

_PERSONS = b"rapport/person"
_LINKS = b"rapport/link"


_MOST_REMEMBERED: Final = 100_000
"""Keys that are wanted again and again while a file is imported; making one costs 20 times what remembering it does."""


@lru_cache(_MOST_REMEMBERED)
def contact_key(account_id: str, contact_id: str) -> bytes:
    """16 bytes for a contact of an account. Neither id can hold the byte between them."""
    return blake2b(f"{account_id}\0{contact_id}".encode(), digest_size=16).digest()


@lru_cache(_MOST_REMEMBERED)
def person_key(said: tuple[str | None, ...]) -> int:
    """64 bits, signed, for what is said of one contact."""
    return int.from_bytes(blake2b(_joined(said), digest_size=8, person=_PERSONS).digest(), signed=True)


def link_digest(link_url: str | None, url_id: str | None) -> bytes:
    """16 bytes for a link of one campaign activity."""
    return blake2b(_joined((link_url, url_id)), digest_size=16, person=_LINKS).digest()


def _joined(texts: tuple[str | None, ...]) -> bytes:
    """The texts, told apart from every other: absent ones from empty ones, and where one ends from the next's begin."""
    return b"".join(
        b"-" if text is None else b"%d:%s" % (len(encoded := text.encode("utf-8")), encoded) for text in texts
    )
