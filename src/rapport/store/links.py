"""What a link is called by its digest. Stored, and told to clients: never change it."""

from functools import lru_cache
from hashlib import blake2b
from typing import Final

_LINKS: Final = b"rapport/link"
_BYTES: Final = 16
_OF_THE_ID: Final = 8
_MOST_REMEMBERED: Final = 50_000

NO_LINK: Final = "0"
"""The url_id of a click of which nothing is known but that it was one."""


def joined(texts: tuple[str | None, ...]) -> bytes:
    """The texts, told apart from every other: absent ones from empty ones, and where one ends from the next's begin."""
    return b"".join(
        b"-" if text is None else b"%d:%s" % (len(encoded := text.encode("utf-8")), encoded) for text in texts
    )


def link_digest(link_url: str | None, url_id: str | None) -> bytes:
    """16 bytes for a link of one campaign activity."""
    return blake2b(joined((link_url, url_id)), digest_size=_BYTES, person=_LINKS).digest()


@lru_cache(maxsize=_MOST_REMEMBERED)
def url_id_of(link_url: str | None) -> str:
    """The url_id of a link that its source gave none: the same on every engine, and a positive int64 (contract 3.2)."""
    if link_url is None:
        return NO_LINK
    return str(int.from_bytes(link_digest(link_url, None)[:_OF_THE_ID]) >> 1)


def digests_of(url_id: str) -> tuple[bytes, bytes]:
    """The least and the greatest digest of a link without an id of its own that is called `url_id`.

    For what no link can be called by its digest the least is the greater.
    """
    number = int(url_id)
    if number < 0:
        return b"\xff", b""
    least, greatest = (number << 1).to_bytes(_OF_THE_ID), (number << 1 | 1).to_bytes(_OF_THE_ID)
    rest = _BYTES - _OF_THE_ID
    return least + bytes(rest), greatest + b"\xff" * rest
