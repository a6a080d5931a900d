"""The feed: which activities each transaction has recorded, for those who listen. Pure; the same for every engine.

It holds keys only, and of the newest only: whoever reads it looks the activities up, and whoever was erased meanwhile
isn't there. A position in it is a text that its engine understands.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import starmap
from operator import itemgetter
from struct import Struct
from typing import Final, Generic, NamedTuple, TypeAlias, TypeVar

import msgspec

from rapport.activity import ActivityType

MAX_KEYS_PER_BATCH: Final = 1_000
"""Keys of one batch; of the rest it is told how many there are. An import costs next to nothing by that."""
MOST_HELD: Final = 100_000
"""Keys that the feed keeps at least; some megabytes."""
ROWS_AT_ONCE: Final = 20
"""Rows that are read together."""

FeedKey: TypeAlias = tuple[int | bytes, int, int, int]
"""What an activity is found by: key of the contact, number of the type, created_time, identity."""

Contact = TypeVar("Contact", int, bytes)

Key: TypeAlias = tuple[Contact, int, int, int]
"""The same, by an engine's own keys of contacts."""


class FeedRow(NamedTuple):
    """What a transaction recorded for an account: keys, the position behind each of them, and what was left out.

    `left_out`: of each type how many. `is_fresh`: some of the activities may not be readable yet.
    """

    account_id: str
    keys: Sequence[FeedKey]
    positions: Sequence[str]
    left_out: Mapping[int, int]
    is_fresh: bool


class FeedEntryBuilder(Generic[Contact]):
    """What a transaction has to tell, account by account."""

    def __init__(self) -> None:
        self._accounts: dict[str, tuple[list[Key[Contact]], Counter[int]]] = {}

    def add(self, account_id: str, keys: Sequence[Key[Contact]], new: Mapping[ActivityType, int]) -> None:
        """The first keys of a batch, and how many of each type are new in it."""
        if not keys:
            return
        account = self._accounts.get(account_id)
        if account is None:
            account = self._accounts[account_id] = [], Counter()
        told, left_out = account
        told += keys
        if len(keys) >= MAX_KEYS_PER_BATCH:
            left_out.update({int(activity_type): count for activity_type, count in new.items()})
            left_out.subtract(map(itemgetter(1), keys))

    def rows(self) -> Iterator[tuple[str, list[Key[Contact]], str | None]]:
        """Of each account its keys by time, and what is left out as it is stored."""
        for account_id, (keys, left_out) in self._accounts.items():
            keys.sort(key=itemgetter(2, 1))
            yield account_id, keys, _stored(+left_out) if left_out else None


def _stored(left_out: Mapping[int, int]) -> str | None:
    return msgspec.json.encode(dict(left_out)).decode() if left_out else None


def read_left_out(stored: str | None) -> dict[int, int]:
    """What was left out, as it is stored."""
    return {} if stored is None else msgspec.json.decode(stored, type=dict[int, int])


def packed(form: Struct, keys: Sequence[Key[Contact]]) -> bytes:
    """Keys as they are stored."""
    return b"".join(starmap(form.pack, keys))


def unpacked(form: Struct, stored: bytes) -> list[FeedKey]:
    """Keys from how they are stored."""
    return list(form.iter_unpack(stored))


def without_contact(form: Struct, stored: bytes, contact: int | bytes) -> bytes:
    """Keys as they are stored, with nothing in the place of a contact's: all others keep their positions."""
    nothing = bytes(form.size)
    return b"".join(nothing if key[0] == contact else form.pack(*key) for key in form.iter_unpack(stored))
