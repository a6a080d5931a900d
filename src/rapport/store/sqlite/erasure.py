"""Erasure of contacts in SQLite."""

import time
from functools import partial
from typing import Final

import apsw

from rapport.instant import Instant
from rapport.store.contacts import ContactRepository
from rapport.store.erasure import (
    ErasedContact,
    Erasure,
    ErasureSnapshot,
    LinkErasure,
    Tombstones,
    new_tombstone,
    tombstones_batch,
)
from rapport.store.erasure_keys import digest_contact
from rapport.store.hashing import contact_key
from rapport.store.hooks import HookRepository
from rapport.store.merges import MergeRepository
from rapport.store.sqlite.connection import Values, fetch_all, fetch_one
from rapport.store.sqlite.engine import Engine
from rapport.store.sqlite.feed_writer import remove_contact
from rapport.store.sqlite.identifiers import account_key, campaign_activity_keys, link_keys
from rapport.store.sqlite.profiles import ContactCache
from rapport.store.sqlite.queries import SQL
from rapport.store.sqlite.redirects import find_targets
from rapport.store.sqlite.secrets import ensure_erasure_keys
from rapport.store.sqlite.tombstones import apply_link_erasure, data_folder, read_links

_SQL: Final = SQL["erasure"]
_MERGES: Final = SQL["merges"]

_EMPTY_LOG_TIMEOUT: Final = 0.5
"""Seconds that an erasure waits until the write-ahead log is empty."""


class SQLiteErasure(Erasure):
    """Erases contacts in the writer's thread."""

    def __init__(
        self,
        engine: Engine,
        cache: ContactCache,
        contacts: ContactRepository,
        hooks: HookRepository,
        merges: MergeRepository,
    ) -> None:
        super().__init__(engine, contacts, hooks, merges)
        self._sqlite = engine
        self._cache = cache

    async def _erase(self, account_id: str, contact_id: str, tombstone: ErasedContact | None) -> bool:
        """Erase a contact, then empty the write-ahead log, which contains it as well."""
        erase = partial(self._erase_in_thread, account_id, contact_id, tombstone)
        is_erased = await self._sqlite.run(account_id, erase)
        if is_erased:
            # Usually the log is empty before the response. While others read, it is emptied later.
            await self._sqlite.empty_log(_EMPTY_LOG_TIMEOUT)
        return is_erased

    def _erase_in_thread(
        self, account_id: str, contact_id: str, tombstone: ErasedContact | None, connection: apsw.Connection
    ) -> bool:
        # Overwrites deleted data. Older copies, left in unused space when pages were split, disappear with VACUUM.
        connection.pragma("secure_delete", True)
        try:
            return self._sqlite.commit(
                connection, lambda connection: _erase(connection, account_id, contact_id, tombstone)
            )
        finally:
            self._cache.clear()
            connection.pragma("secure_delete", False)

    async def import_tombstones(self, account_id: str, tombstones: Tombstones) -> None:
        """Replace the account's tombstones."""
        await self._sqlite.write(account_id, partial(_import, account_id, tombstones))


def _erase(connection: apsw.Connection, account_id: str, contact_id: str, tombstone: ErasedContact | None) -> bool:
    row = fetch_one(connection, SQL["accounts"]["get_key"], {"account_id": account_id})
    if row is None:
        return False
    account = int(row[0])
    contact_id = find_targets(connection, account, {contact_id}).get(contact_id, contact_id)
    values: Values = {"account": account, "merged_into": contact_id}
    old_ids = [old_id for (old_id,) in fetch_all(connection, _MERGES["delete"], values)]
    row = fetch_one(connection, _SQL["get_contact"], {"account_id": account_id, "contact_id": contact_id})
    if row is not None:
        tombstone = _erase_contact(connection, account_id, contact_id, row, tombstone)
    elif old_ids:
        # Merged before anything was recorded.
        tombstone = _new_tombstone(connection, account_id, contact_id, Instant(0))
    if tombstone is None or not (row or old_ids):
        return False
    _insert_tombstone(connection, account, tombstone)
    for old_id in old_ids:
        digest = digest_contact(ensure_erasure_keys(data_folder(connection))[0], contact_key(account_id, old_id))
        _insert_tombstone(connection, account, tombstone._replace(digest=digest))
    return True


def _new_tombstone(connection: apsw.Connection, account_id: str, contact_id: str, last_time: Instant) -> ErasedContact:
    digest = digest_contact(ensure_erasure_keys(data_folder(connection))[0], contact_key(account_id, contact_id))
    return new_tombstone(digest, _now(), last_time)


def _erase_contact(
    connection: apsw.Connection,
    account_id: str,
    contact_id: str,
    row: tuple[int, int, int],
    tombstone: ErasedContact | None,
) -> ErasedContact:
    """Erase a contact, given by a row of `get_contact`. Return its tombstone, which is a new one if there is none."""
    contact, _, updated_at = row
    params: Values = {"contact": contact}
    snapshot = ErasureSnapshot[int](connection.execute(_SQL["list_activities"], params))
    if tombstone is None:
        last_time = Instant(max(snapshot.last_time, updated_at))
        tombstone = _new_tombstone(connection, account_id, contact_id, last_time)
    connection.executemany(_SQL["add_stats"], snapshot.stats)
    connection.executemany(_SQL["add_hours"], snapshot.hours)
    for campaign_activity in snapshot.campaign_activities:
        _erase_links(connection, campaign_activity, contact, snapshot.clicked_in(campaign_activity))
    connection.executemany(_SQL["delete_engagement"], snapshot.engagement)
    connection.executemany(_SQL["delete_bounced_contact"], snapshot.bounced)
    connection.executemany(_SQL["delete_clicked_link"], snapshot.clicked)
    connection.execute(SQL["memberships"]["delete_all"], params)
    for name in ("delete_activities", "delete_profiles", "delete_contact"):
        connection.execute(_SQL[name], params)
    remove_contact(connection, contact)
    return tombstone


def _erase_links(connection: apsw.Connection, campaign_activity: int, contact: int, clicked: set[int]) -> None:
    """Keep the counts of the links that the contact clicked, and forget those that no other contact clicked."""
    links = [link for link in read_links(connection, campaign_activity) if not clicked.isdisjoint(link.keys)]
    others = {
        key
        for link in links
        for key in link.keys
        if fetch_one(connection, _SQL["is_clicked_by_others"], (campaign_activity, key, contact)) is not None
    }
    erasure = LinkErasure(links, clicked, others)
    connection.executemany(_SQL["add_link"], [(campaign_activity, link, 1) for link in erasure.counted])
    apply_link_erasure(connection, campaign_activity, erasure)


def _insert_tombstone(connection: apsw.Connection, account: int, tombstone: ErasedContact) -> None:
    params: Values = {
        "digest": tombstone.digest,
        "account": account,
        "erased_time": tombstone.erased_time,
        "last_time": tombstone.last_time,
    }
    connection.execute(_SQL["insert_tombstone"], params)


def _import(account_id: str, tombstones: Tombstones, connection: apsw.Connection) -> None:
    account = account_key(connection, account_id, _now())
    for contact in tombstones.contacts:
        _insert_tombstone(connection, account, contact)
    batch = tombstones_batch(account_id, tombstones)
    keys = campaign_activity_keys(connection, account, batch.campaign_activities)
    for name in ("delete_all_stats", "delete_all_hours", "delete_all_link_counts", "delete_cleared_links"):
        connection.executemany(_SQL[name], [(key,) for key in keys])
    links = link_keys(connection, keys, batch.links)
    keys_by_id = dict(zip(tombstones.campaign_activity_ids, keys, strict=True))
    connection.executemany(_SQL["add_stats"], [(keys_by_id[row[0]], *row[1:]) for row in tombstones.counts])
    connection.executemany(_SQL["add_hours"], [(keys_by_id[row[0]], *row[1:]) for row in tombstones.hours])
    link_counts = zip(links, tombstones.links, strict=True)
    connection.executemany(
        _SQL["add_link"],
        [(keys_by_id[entry.campaign_activity_id], link, entry.contacts) for link, entry in link_counts],
    )


def _now() -> Instant:
    return Instant(time.time_ns() // 1_000_000)
