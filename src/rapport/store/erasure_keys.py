"""The keys of the digests by which a store recognizes erased contacts.

A store makes one key before it erases its first contact. A copy of another store has that store's keys as well, since a
digest can't be made again with another key: the id is gone.
"""

import secrets
from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

import msgspec

from rapport.errors import StoreUnavailable

ERASURE_KEYS: Final = "erasure-keys"
"""The name of the secret that contains them."""

_BYTES: Final = 32


def make_keys() -> bytes:
    """Return the secret of a store that has none yet: one key."""
    return _encode([secrets.token_bytes(_BYTES)])


def read_keys(secret: bytes | None) -> list[bytes]:
    """Return the keys in a secret, the store's own first. Raises StoreUnavailable if it is damaged."""
    if secret is None:
        return []
    try:
        keys = [bytes.fromhex(key) for key in msgspec.json.decode(secret, type=list[str])]
    except (msgspec.MsgspecError, ValueError):
        keys = []
    if not keys or any(len(key) != _BYTES for key in keys):
        raise StoreUnavailable(f"the secret {ERASURE_KEYS} is damaged: restore it from a backup")
    return keys


def merge_keys(own: bytes | None, other: bytes) -> bytes:
    """Return a secret with the keys of both, the own ones first."""
    return _encode(dict.fromkeys([*read_keys(own), *read_keys(other)]))


def digest_contact(key: bytes, contact: bytes) -> bytes:
    """Return the 16 bytes by which an erased contact is recognized; `contact` is its `contact_key`.

    Stored: never change it.
    """
    return blake2b(contact, key=key, digest_size=16, person=b"rapport/erased").digest()


def digest_contacts(keys: Iterable[bytes], contacts: Iterable[bytes]) -> dict[bytes, bytes]:
    """Return the contacts by every digest that any of the keys makes of them."""
    contacts = list(contacts)
    return {digest_contact(key, contact): contact for key in keys for contact in contacts}


def missing_keys() -> StoreUnavailable:
    """Return the error for a store that has erased contacts, but no key to recognize them by."""
    return StoreUnavailable(
        f"the secret {ERASURE_KEYS} is missing, without which contacts that were erased would be recorded again: "
        "restore it from a backup"
    )


def _encode(keys: Iterable[bytes]) -> bytes:
    return msgspec.json.encode([key.hex() for key in keys])
