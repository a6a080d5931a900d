"""What links are called, and which of them are one for a report.

A digest is stored, and told to clients: never change it.
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
_OF_THE_ID: Final = 8
_MOST_REMEMBERED: Final = 50_000
_NUMBER: Final = re.compile("0|[1-9][0-9]{0,18}", re.ASCII)

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


@cache_short(maxsize=_MOST_REMEMBERED)
def url_id_of(link_url: str | None) -> str:
    """The url_id of a link that its source gave none: the same on every engine, and a positive int64."""
    if link_url is None:
        return NO_LINK
    return str(int.from_bytes(link_digest(link_url, None)[:_OF_THE_ID]) >> 1)


def digests_of(url_id: str) -> tuple[bytes, bytes]:
    """The least and the greatest digest of a link without an id of its own that is called `url_id`.

    For what no link can be called by its digest the least is the greater.
    """
    if _NUMBER.fullmatch(url_id) is None or int(url_id) >= 1 << 63:
        return b"\xff", b""
    number = int(url_id)
    least, greatest = (number << 1).to_bytes(_OF_THE_ID), (number << 1 | 1).to_bytes(_OF_THE_ID)
    rest = _BYTES - _OF_THE_ID
    return least + bytes(rest), greatest + b"\xff" * rest


class LinkPlace(NamedTuple):
    """A place in the list of links, most clicked first: that of the link with this key."""

    unique_clicks: int
    key: int


class LinksQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Up to `limit` links, most clicked first, after a place; those that nobody clicked only if `with_unclicked`."""

    limit: int
    with_unclicked: bool
    after: LinkPlace | None = None


class LinkClicks(NamedTuple):
    """A link of a campaign activity, how many contacts clicked it, and the key of the first with this address."""

    link_url: str | None
    url_id: str
    unique_clicks: int
    key: int


def select_links(clicks: Iterable[LinkPlace], query: LinksQuery) -> list[LinkPlace]:
    """Select from all links of a campaign activity those that match the query, in order."""
    after = (math.inf, 0) if query.after is None else (query.after.unique_clicks, -query.after.key)
    matching = (
        place
        for place in clicks
        if (place.unique_clicks or query.with_unclicked) and (place.unique_clicks, -place.key) < after
    )
    return heapq.nlargest(query.limit, matching, key=lambda place: (place.unique_clicks, -place.key))


def name_links(places: Iterable[LinkPlace], names: Mapping[int, tuple[str | None, str | None]]) -> list[LinkClicks]:
    """Return the links at these places; `names` are link_url and own url_id by key."""
    links = []
    for place in places:
        link_url, own = names[place.key]
        url_id = url_id_of(link_url) if own is None else own
        links.append(LinkClicks(link_url, url_id, place.unique_clicks, place.key))
    return links


class MergedLink(NamedTuple):
    """The links of a campaign activity that have the same address: the first of them names it."""

    keys: list[int]
    link_url: str | None
    url_id: str

    @property
    def key(self) -> int:
        """The first."""
        return self.keys[0]


def merged_links(links: Iterable[tuple[int, str | None, str | None]]) -> list[MergedLink]:
    """The links, given as key, link_url and own url_id, in the order of their coming; what has no address by its id."""
    merged: dict[tuple[str | None, str | None], MergedLink] = {}
    for key, link_url, own in sorted(links):
        address = (link_url, None) if link_url is not None else (None, own)
        if address in merged:
            merged[address].keys.append(key)
        else:
            merged[address] = MergedLink([key], link_url, url_id_of(link_url) if own is None else own)
    return list(merged.values())
