"""Ids of links, and links with the same address as one.

Digests are stored and part of the API: never change them.
"""

import heapq
import math
import re
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Final, NamedTuple

import msgspec

from rapport.caching import cache_short

_LINKS: Final = b"rapport/link"
_BYTES: Final = 16
_ID_BYTES: Final = 8
_MAX_CACHED: Final = 50_000
_NUMBER: Final = re.compile("0|[1-9][0-9]{0,18}", re.ASCII)

NO_LINK: Final = "0"
"""The url_id of clicks without a link."""


def encode_unambiguously(texts: tuple[str | None, ...]) -> bytes:
    """Encode texts, so that different tuples have different encodings; None differs from an empty text."""
    return b"".join(
        b"-" if text is None else b"%d:%s" % (len(encoded := text.encode("utf-8")), encoded) for text in texts
    )


def link_digest(link_url: str | None, url_id: str | None) -> bytes:
    """Return a digest of 16 bytes for a link of one campaign activity."""
    return blake2b(encode_unambiguously((link_url, url_id)), digest_size=_BYTES, person=_LINKS).digest()


@cache_short(maxsize=_MAX_CACHED)
def make_url_id(link_url: str | None) -> str:
    """Return the url_id of a link without one from its source: the same on every engine, and a positive int64."""
    if link_url is None:
        return NO_LINK
    return str(int.from_bytes(link_digest(link_url, None)[:_ID_BYTES]) >> 1)


def digest_range(url_id: str) -> tuple[bytes, bytes]:
    """Return the lowest and highest digest of links without an id of their own whose url_id is `url_id`.

    The range is empty (low > high) if no digest can have that url_id.
    """
    if _NUMBER.fullmatch(url_id) is None or int(url_id) >= 1 << 63:
        return b"\xff", b""
    number = int(url_id)
    low, high = (number << 1).to_bytes(_ID_BYTES), (number << 1 | 1).to_bytes(_ID_BYTES)
    rest = _BYTES - _ID_BYTES
    return low + bytes(rest), high + b"\xff" * rest


class LinkCursor(NamedTuple):
    """A position among links, most clicked first: that of the link with this key."""

    unique_clicks: int
    key: int


class LinksQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Up to `limit` links after a position, most clicked first; links without clicks only if `with_unclicked`."""

    limit: int
    with_unclicked: bool
    after: LinkCursor | None = None


class LinkClicks(NamedTuple):
    """A link of a campaign activity, its unique clicks, and the key of the first link with its address."""

    link_url: str | None
    url_id: str
    unique_clicks: int
    key: int


def select_links(clicks: Iterable[LinkCursor], query: LinksQuery) -> list[LinkCursor]:
    """Select from all links of a campaign activity those that match the query, in order."""
    after = (math.inf, 0) if query.after is None else (query.after.unique_clicks, -query.after.key)
    matching = (
        position
        for position in clicks
        if (position.unique_clicks or query.with_unclicked) and (position.unique_clicks, -position.key) < after
    )
    return heapq.nlargest(query.limit, matching, key=lambda position: (position.unique_clicks, -position.key))


def name_links(positions: Iterable[LinkCursor], names: Mapping[int, tuple[str | None, str | None]]) -> list[LinkClicks]:
    """Return the links at these positions; `names` are link_url and own url_id by key."""
    links = []
    for position in positions:
        link_url, own = names[position.key]
        url_id = make_url_id(link_url) if own is None else own
        links.append(LinkClicks(link_url, url_id, position.unique_clicks, position.key))
    return links


class MergedLink(NamedTuple):
    """The links of a campaign activity that have the same address; the first gives the url_id."""

    keys: list[int]
    link_url: str | None
    url_id: str

    @property
    def key(self) -> int:
        """Return the key of the first link."""
        return self.keys[0]


def merge_links(links: Iterable[tuple[int, str | None, str | None]]) -> list[MergedLink]:
    """Merge links with the same address, or without one and with the same id. Takes key, link_url and own url_id."""
    merged: dict[tuple[str | None, str | None], MergedLink] = {}
    for key, link_url, own in sorted(links):
        address = (link_url, None) if link_url is not None else (None, own)
        if address in merged:
            merged[address].keys.append(key)
        else:
            merged[address] = MergedLink([key], link_url, make_url_id(link_url) if own is None else own)
    return list(merged.values())
