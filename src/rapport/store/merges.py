"""Merges of contacts: two ids of one person become one contact.

Everything is as if the old contact's history and attributes had been recorded again under the new id, after the new
contact's own: activities that both have count once, and of two values set at the same time the old contact's wins. What
arrives under the old id later belongs to the new contact, and both are erased together.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from struct import Struct
from typing import NamedTuple, TypeAlias, TypeVar

from msgspec.structs import replace

from rapport.catalog import ContactMerge
from rapport.errors import ErasedContactMerged
from rapport.store.batch import ROW_CONTACT, ROW_EVENT_ID, ROW_IDENTITY, Batch, Row
from rapport.store.sql_engine import SqlEngine

Contact = TypeVar("Contact", int, bytes)

ActivityKey: TypeAlias = tuple[int, int, int, bool]
"""The key of an activity of one contact: type, created_time, identity, and whether it has an event id."""


class MergeResult(NamedTuple):
    """The outcome of a merge: the id of the resulting contact, and how many of the old contact's activities were moved.

    `is_changed` is False if both ids were one contact already.
    """

    contact_id: str
    is_changed: bool
    moved: int = 0
    duplicate: int = 0


class MergeRepository(ABC):
    """Merges contacts. Every method raises StoreUnavailable."""

    def __init__(self, engine: SqlEngine) -> None:
        self._engine = engine
        self._sql = engine.sql["merges"]

    @abstractmethod
    async def merge(self, account_id: str, old_id: str, new_id: str) -> MergeResult:
        """Merge the contact `old_id` into `new_id`, in one transaction. Neither has to exist yet.

        Ids that were merged before stand for their contacts. Raises ErasedContactMerged if the new contact was erased
        and the old one exists.
        """

    async def merge_all(self, account_id: str, merges: Sequence[ContactMerge]) -> int:
        """Merge contacts one after another. Return how many merges changed something. Raises ErasedContactMerged."""
        changes = 0
        for merge in merges:
            changes += (await self.merge(account_id, merge.contact_id, merge.merged_into)).is_changed
        return changes

    async def resolve(self, account_id: str, contact_id: str) -> str:
        """Return the id of the contact that an id was merged into, or the id itself."""
        params = {"account_id": account_id, "contact_id": contact_id}
        row = await self._engine.fetch_one(self._sql["get_target"], params, account_id=account_id, bounded=True)
        return contact_id if row is None else str(row[0])

    async def list_old_ids(self, account_id: str, contact_id: str) -> list[str]:
        """Return the ids that were merged into a contact, ordered by their bytes."""
        params = {"account_id": account_id, "merged_into": contact_id}
        rows = await self._engine.fetch_all(self._sql["list_old_ids"], params, account_id=account_id)
        return [old_id for (old_id,) in rows]

    async def list(self, account_id: str, after: str, limit: int) -> Sequence[ContactMerge]:
        """Return up to `limit` merges of the account after an old id, ordered by the old ids' bytes."""
        params = {"account_id": account_id, "after": after, "limit": limit}
        rows = await self._engine.fetch_all(self._sql["list"], params, account_id=account_id)
        return [ContactMerge(*row) for row in rows]


def redirect_contacts(batch: Batch, targets: Mapping[str, str]) -> Batch:
    """Return the batch with the ids of merged contacts replaced by those of their targets.

    The size stays the same, as events that both contacts have count as duplicates.
    """
    if not targets:
        return batch
    indexes: dict[str, int] = {}
    new_index = [indexes.setdefault(targets.get(contact_id, contact_id), len(indexes)) for contact_id in batch.contacts]
    return replace(
        batch,
        contacts=list(indexes),
        profiles=[(new_index[row[0]], *row[1:]) for row in batch.profiles],
        rows={
            activity_type: _drop_repeated_events((new_index[row[ROW_CONTACT]], *row[1:]) for row in rows)
            for activity_type, rows in batch.rows.items()
        },
    )


def _drop_repeated_events(rows: Iterable[Row]) -> list[Row]:
    known: set[tuple[int, int]] = set()
    kept = []
    for row in rows:
        if row[ROW_EVENT_ID] is not None:
            event = row[ROW_CONTACT], row[ROW_IDENTITY]
            if event in known:
                continue
            known.add(event)
        kept.append(row)
    return kept


def find_duplicates(old: Iterable[ActivityKey], new: Iterable[ActivityKey]) -> set[tuple[int, int, int]]:
    """Return the type, time and identity of the old contact's activities that the new contact has as well."""
    keys, events = set(), set()
    for *key, has_event_id in new:
        keys.add(tuple(key))
        if has_event_id:
            events.add(key[2])
    return {
        (activity_type, created_time, identity)
        for activity_type, created_time, identity, has_event_id in old
        if (activity_type, created_time, identity) in keys or (has_event_id and identity in events)
    }


def check_not_erased(new_id: str, *, is_erased: bool) -> None:
    """Raise ErasedContactMerged if the new contact was erased."""
    if is_erased:
        raise ErasedContactMerged(new_id)


def move_keys(
    key_format: Struct, stored: bytes, old: Contact, new: Contact, duplicates: Collection[tuple[int, int, int]]
) -> bytes:
    """Return the feed's keys with those of the old contact moved to the new one; all keep their positions.

    Keys of duplicates are replaced with zeros, as for erased contacts.
    """
    zeros = bytes(key_format.size)
    moved = []
    for contact, *key in key_format.iter_unpack(stored):
        if contact != old:
            moved.append(key_format.pack(contact, *key))
        else:
            moved.append(zeros if tuple(key) in duplicates else key_format.pack(new, *key))
    return b"".join(moved)
