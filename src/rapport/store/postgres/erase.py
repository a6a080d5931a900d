"""Erase a contact, or import the tombstones of another store, in a transaction that keeps writers out."""

from typing import Final

from msgspec.structs import replace

from rapport.instant import Instant
from rapport.store.erasure import (
    ErasedContact,
    ErasureSnapshot,
    LinkErasure,
    Tombstones,
    new_tombstone,
    tombstones_batch,
)
from rapport.store.erasure_keys import digest_contact
from rapport.store.hashing import contact_key
from rapport.store.postgres.feed_writer import remove_contact
from rapport.store.postgres.identifiers import IdCache
from rapport.store.postgres.layout import GLOBAL_BUCKET, ONE_DATABASE, Layout
from rapport.store.postgres.pool import Connection
from rapport.store.postgres.queries import SQL
from rapport.store.postgres.redirects import find_targets, require_known_shards
from rapport.store.postgres.rollups import columns
from rapport.store.postgres.tombstones import apply_link_erasure, ensure_erasure_keys, read_links

_SQL: Final = SQL["erasure"]
_ACCOUNTS: Final = SQL["accounts"]
_MERGES: Final = SQL["merges"]

ERASE_TIMEOUT: Final = 60.0
"""Seconds for a contact with very many activities, including the wait for writers."""

_SET_LOCK_TIMEOUT: Final = "SET LOCAL lock_timeout = '3s'"
"""Writers queue after a pending erasure, so its lock timeout is below theirs. A hung node of a cluster holds the locks
of its writers until it is back."""


async def lock_against_writes(connection: Connection, layout: Layout = ONE_DATABASE) -> None:
    """Keep others from recording until the transaction ends. Raises StoreUnavailable if running writes take long."""
    await connection.execute(_SET_LOCK_TIMEOUT)
    await layout.lock_against_writes(connection, _SQL)


async def erase(
    connection: Connection,
    account_id: str,
    contact_id: str,
    now: Instant,
    tombstone: ErasedContact | None,
    *,
    layout: Layout,
) -> bool:
    """Erase the contact in a transaction during which nothing is recorded for it. Return True if it existed.

    `tombstone` is the contact's tombstone in another store that erased it.
    """
    async with connection.transaction():
        await lock_against_writes(connection, layout)
        account = await connection.fetchval(_ACCOUNTS["get_key"], account_id)
        contact_id = (await find_targets(connection, account_id, [contact_id])).get(contact_id, contact_id)
        require_known_shards(layout, account_id, [contact_id])
        contact = contact_key(account_id, contact_id)
        old_ids = [old_id for (old_id,) in await connection.fetch(_MERGES["delete"], account, contact_id)]
        row = await connection.fetchrow(_SQL["get_contact"], contact)
        if row is not None:
            tombstone = await _erase_contact(connection, contact, row[1], now, tombstone, layout=layout)
        elif old_ids:
            # Merged before anything was recorded.
            keys = await ensure_erasure_keys(connection)
            tombstone = new_tombstone(digest_contact(keys[0], contact), now, Instant(0))
        if tombstone is None or (row is None and not old_ids):
            return False
        await _insert_tombstone(connection, account, tombstone)
        if old_ids:
            keys = await ensure_erasure_keys(connection)
            for old_id in old_ids:
                digest = digest_contact(keys[0], contact_key(account_id, old_id))
                await _insert_tombstone(connection, account, tombstone._replace(digest=digest))
        await connection.execute(_SQL["bump_version"], now)
    return True


async def _erase_contact(
    connection: Connection,
    contact: bytes,
    updated_at: int | None,
    now: Instant,
    tombstone: ErasedContact | None,
    *,
    layout: Layout,
) -> ErasedContact:
    """Erase a contact. Return its tombstone, which is a new one if there is none."""
    rows = await connection.fetch(_SQL["list_activities"], contact)
    snapshot = ErasureSnapshot[bytes](tuple(row) for row in rows)
    if snapshot.clicked:
        layout.require_all_writers_blocked()
    if tombstone is None:
        keys = await ensure_erasure_keys(connection)
        last_time = Instant(max(snapshot.last_time, updated_at or 0))
        tombstone = new_tombstone(digest_contact(keys[0], contact), now, last_time)
    await _keep_counts(connection, snapshot, contact, layout.bucket_of(contact))
    await delete_contact(connection, snapshot, contact)
    await remove_contact(connection, contact)
    return tombstone


async def delete_contact(connection: Connection, snapshot: ErasureSnapshot[bytes], contact: bytes) -> None:
    """Delete the rows of a contact, except in the feed."""
    await connection.execute(_SQL["delete_engagement"], *columns(snapshot.engagement, 2), contact)
    await connection.execute(_SQL["delete_bounced_contact"], *columns(snapshot.bounced, 2), contact)
    await connection.execute(_SQL["delete_clicked_link"], *columns(snapshot.clicked, 2), contact)
    await connection.execute(SQL["memberships"]["delete_all"], contact)
    for name in ("delete_activities", "delete_profiles", "delete_contact"):
        await connection.execute(_SQL[name], contact)


async def _insert_tombstone(connection: Connection, account: int, tombstone: ErasedContact) -> None:
    values = tombstone.digest, account, tombstone.erased_time, tombstone.last_time
    await connection.execute(_SQL["insert_tombstone"], *values)


async def _keep_counts(connection: Connection, snapshot: ErasureSnapshot[bytes], contact: bytes, bucket: bytes) -> None:
    await connection.execute(_SQL["add_stats"], *columns(snapshot.stats, 6), bucket)
    await connection.execute(_SQL["add_hours"], *columns(snapshot.hours, 4), bucket)
    for campaign_activity in snapshot.campaign_activities:
        clicked = snapshot.clicked_in(campaign_activity)
        links = [link for link in await read_links(connection, campaign_activity) if not clicked.isdisjoint(link.keys)]
        others = {
            key
            for link in links
            for key in link.keys
            if await connection.fetchval(_SQL["is_clicked_by_others"], campaign_activity, key, contact)
        }
        erasure = LinkErasure(links, clicked, others)
        counts = [(campaign_activity, link, 1) for link in erasure.counted]
        await connection.execute(_SQL["add_links"], *columns(counts, 3), bucket)
        await apply_link_erasure(connection, campaign_activity, erasure)


async def import_tombstones(connection: Connection, account_id: str, tombstones: Tombstones, now: Instant) -> None:
    """Replace the account's tombstones with those of another store."""
    async with connection.transaction():
        await lock_against_writes(connection)
        # A separate cache: that of the writer must not contain ids from a transaction that may be rolled back.
        ids = IdCache()
        batch = tombstones_batch(account_id, tombstones)
        account, keys, _ = await ids.resolve(connection, replace(batch, links=[]))
        for name in ("delete_all_stats", "delete_all_hours", "delete_all_link_counts", "delete_cleared_links"):
            await connection.execute(_SQL[name], keys)
        _, _, links = await ids.resolve(connection, batch)
        keys_by_id = dict(zip(tombstones.campaign_activity_ids, keys, strict=True))
        stats = [(keys_by_id[row[0]], *row[1:]) for row in tombstones.counts]
        hours = [(keys_by_id[row[0]], *row[1:]) for row in tombstones.hours]
        clicks = [
            (keys_by_id[entry.campaign_activity_id], link, entry.contacts)
            for link, entry in zip(links, tombstones.links, strict=True)
        ]
        for contact in tombstones.contacts:
            await _insert_tombstone(connection, account, contact)
        await connection.execute(_SQL["add_stats"], *columns(stats, 6), GLOBAL_BUCKET)
        await connection.execute(_SQL["add_hours"], *columns(hours, 4), GLOBAL_BUCKET)
        await connection.execute(_SQL["add_links"], *columns(clicks, 3), GLOBAL_BUCKET)
        await connection.execute(_SQL["bump_version"], now)
