"""Part of a migration: earlier identities of activities with an event id."""

from collections.abc import Mapping
from hashlib import blake2b
from struct import Struct

from rapport.store.feed import FeedKey


def earlier_event_identity(event_id: str) -> int:
    """Return the identity that an activity with this event id had before migration 22."""
    return int.from_bytes(blake2b(f"event\x1f{event_id}".encode(), digest_size=8).digest(), signed=True)


def replace_keys(key_format: Struct, stored: bytes, changes: Mapping[FeedKey, FeedKey]) -> bytes:
    """Return the stored keys with those in `changes` replaced; all keep their positions."""
    return b"".join(key_format.pack(*changes.get(key, key)) for key in key_format.iter_unpack(stored))
