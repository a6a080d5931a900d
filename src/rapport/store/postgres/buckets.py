"""Into which bucket of the stats a contact's activities are counted.

On a cluster a bucket lies on the shard of its contacts, so that a recording has to do with one node only. For that
this works out what a cluster would: the hash of a key, which divides the 32 bits into as many equal ranges as there
are shards. Were it wrong, or were shards split otherwise, counts would lie on another node and be as right as before.
"""

from functools import lru_cache
from itertools import count
from typing import Final

BUCKETS: Final = 32
"""As many as Citus makes shards of a table if nobody says otherwise."""

_FEW: Final = 4
_MASK: Final = 0xFFFFFFFF
_RANGE: Final = (_MASK + 1) // BUCKETS
_MIX: Final = ((0, 2, 4, 1), (1, 0, 6, 2), (2, 1, 8, 0), (0, 2, 16, 1), (1, 0, 19, 2), (2, 1, 4, 0))
_FINAL: Final = ((2, 1, 14), (0, 2, 11), (1, 0, 25), (2, 1, 16), (0, 2, 4), (1, 0, 14), (2, 1, 24))


def key_hash(key: bytes) -> int:
    """PostgreSQL's hash of a bytea or a text, without its sign (Bob Jenkins' lookup3, as hash_bytes has it)."""
    state = [0x9E3779B9 + len(key) + 3923095 & _MASK] * 3
    while len(key) >= 12:
        _add(state, key[:12])
        for one, other, turn, third in _MIX:
            state[one] = (state[one] - state[other] & _MASK) ^ _turned(state[other], turn)
            state[other] = state[other] + state[third] & _MASK
        key = key[12:]
    # The lowest byte of the third word is left to the length.
    _add(state, key[:8] + (b"\0" + key[8:] if len(key) > 8 else b""))
    for one, other, turn in _FINAL:
        state[one] = (state[one] ^ state[other]) - _turned(state[other], turn) & _MASK
    return state[2]


def _add(state: list[int], key: bytes) -> None:
    for place in range(3):
        state[place] = state[place] + int.from_bytes(key[4 * place : 4 * place + 4], "little") & _MASK


def _turned(word: int, turn: int) -> int:
    return (word << turn | word >> 32 - turn) & _MASK


def _range_of(key: bytes) -> int:
    """Of the equal ranges of the signed hash, the one that the key falls into."""
    return ((key_hash(key) + (_MASK + 1) // 2) & _MASK) // _RANGE


def _smallest_keys() -> list[bytes]:
    found: dict[int, bytes] = {}
    for number in count():
        key = number.to_bytes(2)
        found.setdefault(_range_of(key), key)
        if len(found) == BUCKETS:
            return [found[place] for place in range(BUCKETS)]
    raise AssertionError("unreachable")


_KEYS: Final = _smallest_keys()

FIRST: Final = _KEYS[0]
"""The bucket of what is counted of all contacts together."""


@lru_cache(100_000)
def bucket_of(contact: bytes) -> bytes:
    """The bucket beside the contact."""
    return _KEYS[_range_of(contact)]


def one_of_few(bucket: bytes) -> bytes:
    """One of four buckets in the place of any: for what has a row for each of them, and many rows."""
    return _KEYS[_range_of(bucket) % _FEW]
