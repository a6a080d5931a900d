"""The change feed: the activities that each transaction has recorded, for live streams.

It stores only the keys of the newest activities. Readers look the activities up, and don't find those of contacts that
were erased meanwhile. A position is a text that only the engine can interpret.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import starmap
from operator import itemgetter
from struct import Struct
from typing import Final, Generic, NamedTuple, Protocol, TypeAlias, TypeVar

import msgspec

from rapport.activity import Activity, ActivityType

MAX_KEYS_PER_BATCH: Final = 1_000
"""The maximum number of keys of one batch; the rest is only counted, so that an import costs next to nothing."""
MIN_KEYS: Final = 100_000
"""The minimum number of keys that the feed keeps: some megabytes."""
MAX_ROWS: Final = 20
"""The maximum number of rows in one result of `read`."""

FeedKey: TypeAlias = tuple[int | bytes, int, int, int]
"""The key of an activity: key of the contact, number of the type, created_time, identity."""

Contact = TypeVar("Contact", int, bytes)

Key: TypeAlias = tuple[Contact, int, int, int]
"""The same with an engine's type of contact keys."""


class FeedRow(NamedTuple):
    """The activities that one transaction recorded for an account: keys, and the position after each of them.

    `omitted` counts, by type, the activities whose keys the feed doesn't store. `may_lag`: some activities may not be
    readable yet.
    """

    account_id: str
    keys: Sequence[FeedKey]
    positions: Sequence[str]
    omitted: Mapping[int, int]
    may_lag: bool


class FeedRepository(Protocol):
    """Reads the feed. Every method raises StoreUnavailable."""

    async def head(self) -> str:
        """Return the position after everything that is recorded now."""
        ...

    async def read(self, account_ids: Sequence[str], after: str, until: str) -> list[FeedRow] | None:
        """Return the next rows for these accounts between two positions; `until` is a result of `head`.

        Call again with the last returned position to get the next rows; an empty list means the end. Nothing that was
        committed between the two is missing, and nothing comes twice. Returns None if `after` is invalid, or so old
        that the feed no longer holds everything since.
        """

    async def get_activities(self, account_id: str, keys: Sequence[FeedKey]) -> list[Activity | None]:
        """Return the account's activities with these keys, with all details; None for those that don't exist.

        Where an activity has no profile of its contact, the contact's current attributes are used.
        """
        ...


class FeedEntryBuilder(Generic[Contact]):
    """Builds the rows of one transaction, one for each account."""

    def __init__(self) -> None:
        self._accounts: dict[str, tuple[list[Key[Contact]], Counter[int]]] = {}

    def add(self, account_id: str, keys: Sequence[Key[Contact]], new: Mapping[ActivityType, int]) -> None:
        """Add the first keys of a batch, and the number of new activities of each type."""
        if not keys:
            return
        account = self._accounts.get(account_id)
        if account is None:
            account = self._accounts[account_id] = [], Counter()
        all_keys, omitted = account
        all_keys += keys
        if len(keys) >= MAX_KEYS_PER_BATCH:
            omitted.update({int(activity_type): count for activity_type, count in new.items()})
            omitted.subtract(map(itemgetter(1), keys))

    def rows(self) -> Iterator[tuple[str, list[Key[Contact]], str | None]]:
        """Yield the id of each account, its keys by time, and the encoded counts of omitted keys."""
        for account_id, (keys, omitted) in self._accounts.items():
            keys.sort(key=itemgetter(2, 1))
            yield account_id, keys, _encode_omitted(+omitted) if omitted else None


def _encode_omitted(omitted: Mapping[int, int]) -> str | None:
    return msgspec.json.encode(dict(omitted)).decode() if omitted else None


def decode_omitted(stored: str | None) -> dict[int, int]:
    """Decode the stored counts of omitted keys."""
    return {} if stored is None else msgspec.json.decode(stored, type=dict[int, int])


def encode_keys(key_format: Struct, keys: Sequence[Key[Contact]]) -> bytes:
    """Encode keys to be stored."""
    return b"".join(starmap(key_format.pack, keys))


def decode_keys(key_format: Struct, stored: bytes) -> list[FeedKey]:
    """Decode stored keys."""
    return list(key_format.iter_unpack(stored))


def clear_contact(key_format: Struct, stored: bytes, contact: int | bytes) -> bytes:
    """Replace the stored keys of a contact with zeros, so that all others keep their positions."""
    zeros = bytes(key_format.size)
    return b"".join(zeros if key[0] == contact else key_format.pack(*key) for key in key_format.iter_unpack(stored))
