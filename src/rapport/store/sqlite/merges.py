"""Merges of contacts in SQLite."""

import time
from functools import partial
from typing import Any, Final

import apsw

from rapport.instant import Instant
from rapport.store.activity_rows import activity_from_row
from rapport.store.attributes import ContactAttributes, contact_updates, load_attributes
from rapport.store.batch import build_batch
from rapport.store.erasure import ErasureSnapshot
from rapport.store.hashing import contact_key
from rapport.store.merges import MergeRepository, MergeResult, check_not_erased, find_duplicates, move_keys
from rapport.store.sqlite.connection import Values, fetch_all, fetch_one
from rapport.store.sqlite.contacts import upsert_contacts
from rapport.store.sqlite.engine import Engine
from rapport.store.sqlite.feed_writer import FEED_KEY
from rapport.store.sqlite.identifiers import account_key
from rapport.store.sqlite.ingest import SQLiteIngest
from rapport.store.sqlite.memberships import read_contacts, write_contacts
from rapport.store.sqlite.permission import update_permissions
from rapport.store.sqlite.profiles import ContactCache
from rapport.store.sqlite.queries import SQL
from rapport.store.sqlite.redirects import find_targets
from rapport.store.sqlite.tombstones import erased_times

_SQL: Final = SQL["merges"]
_ERASURE: Final = SQL["erasure"]
_FEED: Final = SQL["feed"]
_INGEST: Final = SQL["ingest"]


class SQLiteMerges(MergeRepository):
    """Merges contacts in the writer's thread."""

    def __init__(self, engine: Engine, cache: ContactCache, ingest: SQLiteIngest) -> None:
        super().__init__(engine)
        self._sqlite = engine
        self._cache = cache
        self._ingest = ingest

    async def merge(self, account_id: str, old_id: str, new_id: str) -> MergeResult:
        """Merge a contact into another one in one transaction."""
        return await self._sqlite.run(account_id, partial(self._merge_in_thread, account_id, old_id, new_id))

    def _merge_in_thread(self, account_id: str, old_id: str, new_id: str, connection: apsw.Connection) -> MergeResult:
        self._cache.clear()
        try:
            return self._sqlite.commit(
                connection, lambda connection: self._merge(connection, account_id, old_id, new_id)
            )
        finally:
            self._cache.clear()

    def _merge(self, connection: apsw.Connection, account_id: str, old_id: str, new_id: str) -> MergeResult:
        now = Instant(time.time_ns() // 1_000_000)
        account = account_key(connection, account_id, now)
        targets = find_targets(connection, account, {old_id, new_id})
        old_id, new_id = targets.get(old_id, old_id), targets.get(new_id, new_id)
        if old_id == new_id:
            return MergeResult(new_id, is_changed=False)
        old = fetch_one(connection, _SQL["get_contact"], {"account": account, "contact_id": old_id})
        moved = duplicate = 0
        if old is not None:
            check_not_erased(new_id, is_erased=bool(erased_times(connection, [contact_key(account_id, new_id)], now)))
            moved, duplicate = self._move(connection, account_id, account, old, new_id)
            updates = list(contact_updates(ContactAttributes(new_id, load_attributes(old[1]))))
            upsert_contacts(connection, account_id, updates)
            ((new,),) = _get_keys(connection, account, new_id)
            update_permissions(connection, [new])
            write_contacts(connection, read_contacts(connection, [new]))
        params: Values = {"account": account, "contact_id": old_id, "merged_into": new_id, "now": now}
        for name in ("move", "add", "move_messages"):
            connection.execute(_SQL[name], params)
        return MergeResult(new_id, is_changed=True, moved=moved, duplicate=duplicate)

    def _move(
        self, connection: apsw.Connection, account_id: str, account: int, old: tuple[Any, ...], new_id: str
    ) -> tuple[int, int]:
        """Record the old contact's activities under the new id, and delete the old contact.

        Return how many activities are new to the new contact, and how many it has as well.
        """
        old_key = old[0]
        params: Values = {"contact": old_key}
        rows = fetch_all(connection, _SQL["list_activities"], params)
        batch = build_batch(account_id, (activity_from_row(new_id, row) for row in rows))
        snapshot = ErasureSnapshot[int](connection.execute(_ERASURE["list_activities"], params))
        existing = _get_keys(connection, account, new_id)
        new_keys = fetch_all(connection, _SQL["list_keys"], {"contact": existing[0][0]}) if existing else []
        duplicates = find_duplicates(fetch_all(connection, _SQL["list_keys"], params), new_keys)
        _delete(connection, snapshot, old_key)
        if not existing:
            existing = fetch_all(connection, _INGEST["add_contact"], (account, new_id, None, None, None, *old[2:]))
        recorded = self._ingest.record_moved(connection, batch)
        if duplicates:
            _recount(connection, snapshot)
        _move_feed(connection, old_key, existing[0][0], duplicates)
        return sum(recorded.accepted.values()), recorded.duplicate


def _get_keys(connection: apsw.Connection, account: int, contact_id: str) -> list[tuple[int]]:
    row = fetch_one(connection, _SQL["get_contact"], {"account": account, "contact_id": contact_id})
    return [] if row is None else [(row[0],)]


def _delete(connection: apsw.Connection, snapshot: ErasureSnapshot[int], contact: int) -> None:
    """Delete a contact, and subtract its activities from all counts."""
    connection.executemany(_SQL["decrement_stats"], [row[:5] for row in snapshot.stats])
    connection.executemany(_SQL["decrement_hours"], snapshot.hours)
    connection.executemany(_ERASURE["delete_engagement"], snapshot.engagement)
    connection.executemany(_ERASURE["delete_bounced_contact"], snapshot.bounced)
    connection.executemany(_ERASURE["delete_clicked_link"], snapshot.clicked)
    connection.execute(SQL["memberships"]["delete_all"], {"contact": contact})
    for name in ("delete_activities", "delete_profiles", "delete_contact"):
        connection.execute(_ERASURE[name], {"contact": contact})


def _recount(connection: apsw.Connection, snapshot: ErasureSnapshot[int]) -> None:
    """Correct what the recording of a part of the activities leaves: counts of 0, and times of activities left out."""
    stats = [row[:3] for row in snapshot.stats]
    connection.executemany(_SQL["delete_empty_stats"], stats)
    connection.executemany(_SQL["recount_last_time"], stats)
    connection.executemany(_SQL["delete_empty_hours"], [row[:3] for row in snapshot.hours])


def _move_feed(connection: apsw.Connection, old: int, new: int, duplicates: set[tuple[int, int, int]]) -> None:
    for number, keys in fetch_all(connection, _FEED["find_by_contact"], {"contact": old.to_bytes(8)}):
        connection.execute(_FEED["update_keys"], (move_keys(FEED_KEY, keys, old, new, duplicates), number))
