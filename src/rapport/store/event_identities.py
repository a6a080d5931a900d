"""Part of a migration: the keys in the feed of activities with an event id, whose identity was another before.

Pure; the same for every engine.
"""

from collections.abc import Mapping
from hashlib import blake2b
from struct import Struct

from rapport.store.feed import FeedKey


def earlier_event_identity(event_id: str) -> int:
    """Return the identity that an activity with this event id had before schema step 22."""
    return int.from_bytes(blake2b(f"event\x1f{event_id}".encode(), digest_size=8).digest(), signed=True)


def replace_keys(form: Struct, stored: bytes, changes: Mapping[FeedKey, FeedKey]) -> bytes:
    """Return the stored keys with those in `changes` replaced; all keep their positions."""
    return b"".join(form.pack(*changes.get(key, key)) for key in form.iter_unpack(stored))
