"""Erases a contact, and keeps what it did from being recorded again."""

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from rapport.instant import Instant
from rapport.store.batch import Batch
from rapport.store.digests import contact_key
from rapport.store.erasure import (
    ErasedContact,
    ErasureSnapshot,
    LinkErasure,
    TombstoneCount,
    TombstoneHour,
    TombstoneLink,
    Tombstones,
    drop_erased,
    erased_contact,
    named_in_erased,
    refused_until,
)
from rapport.store.erasure_keys import (
    ERASURE_KEYS,
    digest_contact,
    digest_contacts,
    make_keys,
    missing_keys,
    read_keys,
)
from rapport.store.links import MergedLink, merged_links
from rapport.store.postgres.feed import forget
from rapport.store.postgres.layout import FIRST_BUCKET, ONE_DATABASE, Layout
from rapport.store.postgres.names import Names
from rapport.store.postgres.pool import Connection
from rapport.store.postgres.rollups import columns
from rapport.store.postgres.write import SQL as WRITE
from rapport.store.statements import read_statements

SQL: Final = read_statements(Path(__file__).parent / "sql" / "erase.sql")

_NO_LONGER: Final = "SET LOCAL lock_timeout = '3s'"
"""Who records waits behind who wants to erase: not so long that it is told to try again. A hung node of a cluster keeps
the locks of those who record there until it is back."""


class ErasedMeanwhile(Exception):
    """There have been more erasures than the process has heard of."""

    def __init__(self, erasures: int) -> None:
        super().__init__(erasures)
        self.erasures = erasures


async def lock_against_erasure(connection: Connection, erasures: int, layout: Layout = ONE_DATABASE) -> None:
    """Have nobody erased until the transaction ends. Raises ErasedMeanwhile if there have been more than these many."""
    await layout.lock_against_erasure(connection)
    now: int = await connection.fetchval(SQL["erasures"])
    if now != erasures:
        raise ErasedMeanwhile(now)


async def _keep_writers_out(connection: Connection, layout: Layout = ONE_DATABASE) -> None:
    """Have nobody record until the transaction ends. Raises StoreUnavailable if some take long, as all others wait."""
    await connection.execute(_NO_LONGER)
    await layout.lock_against_writes(connection, SQL)


async def read_erasure_keys(connection: Connection) -> list[bytes]:
    """Return the keys of the digests of erased contacts, the store's own first; none before the first erasure."""
    return read_keys(await connection.fetchval(WRITE["secret"], ERASURE_KEYS))


async def _ensure_erasure_keys(connection: Connection) -> list[bytes]:
    """Return the same, and make the store's own key if there is none."""
    keys = await read_erasure_keys(connection)
    if not keys:
        await connection.execute(WRITE["add_secret"], ERASURE_KEYS, make_keys())
        keys = await read_erasure_keys(connection)
    return keys


async def erase(
    connection: Connection,
    account_id: str,
    contact_id: str,
    now: Instant,
    known: ErasedContact | None,
    *,
    layout: Layout,
) -> bool:
    """Erase the contact in a transaction, with nobody recording meanwhile. Return True if it existed.

    `known` is what another store that erased it keeps of it.
    """
    contact = contact_key(account_id, contact_id)
    async with connection.transaction():
        await _keep_writers_out(connection, layout)
        found = await connection.fetchrow(SQL["contact"], contact)
        if found is None:
            return False
        account, updated_at = found
        erasing = ErasureSnapshot[bytes](tuple(row) for row in await connection.fetch(SQL["activities"], contact))
        if erasing.clicked:
            layout.require_all_writers_out()
        if known is None:
            keys = await _ensure_erasure_keys(connection)
            last_time = Instant(max(erasing.last_time, updated_at or 0))
            known = erased_contact(digest_contact(keys[0], contact), now, last_time)
        await _keep_counts(connection, erasing, contact, layout.bucket_of(contact))
        for table, rows in (
            ("engagement", erasing.engagement),
            ("bounced_contact", erasing.bounced),
            ("clicked_link", erasing.clicked),
        ):
            await connection.execute(SQL[f"erase_{table}"], *columns(rows, 2), contact)
        for statement in ("erase_activities", "erase_persons", "erase_contact"):
            await connection.execute(SQL[statement], contact)
        await forget(connection, contact)
        await connection.execute(SQL["refuse"], known.digest, account, known.erased_time, known.last_time)
        await connection.execute(SQL["tell_writers"], now)
    return True


async def _keep_counts(connection: Connection, erasing: ErasureSnapshot[bytes], contact: bytes, bucket: bytes) -> None:
    await connection.execute(SQL["keep_stats"], *columns(erasing.stats, 6), bucket)
    await connection.execute(SQL["keep_hours"], *columns(erasing.hours, 4), bucket)
    for campaign_activity in erasing.campaign_activities:
        clicked = erasing.clicked_in(campaign_activity)
        links = [link for link in await _links(connection, campaign_activity) if not clicked.isdisjoint(link.keys)]
        others = {
            key
            for link in links
            for key in link.keys
            if await connection.fetchval(SQL["clicked_by_another"], campaign_activity, key, contact)
        }
        erasure = LinkErasure(links, clicked, others)
        counts = [(campaign_activity, link, 1) for link in erasure.counted]
        await connection.execute(SQL["keep_links"], *columns(counts, 3), bucket)
        await _apply_link_erasure(connection, campaign_activity, erasure)


async def _links(connection: Connection, campaign_activity: int) -> list[MergedLink]:
    return merged_links(tuple(row) for row in await connection.fetch(SQL["links"], campaign_activity))


async def _apply_link_erasure(connection: Connection, campaign_activity: int, erasure: LinkErasure) -> None:
    for link, counted in erasure.moved:
        await connection.execute(SQL["move_link"], campaign_activity, link, counted)
    if erasure.moved:
        await connection.execute(SQL["uncount_links"], campaign_activity, [link for link, _ in erasure.moved])
    if erasure.emptied:
        await connection.execute(SQL["empty_links"], erasure.emptied)
    if erasure.removed:
        await connection.execute(SQL["remove_links"], erasure.removed)


async def filter_erased(connection: Connection, batch: Batch) -> Batch:
    """The batch without what erased contacts did before."""
    places = {contact_key(batch.account_id, contact_id): place for place, contact_id in enumerate(batch.contacts)}
    erased = await erased_times(connection, places)
    return drop_erased(batch, {places[key]: erased_time for key, erased_time in erased.items()})


async def erased_times(connection: Connection, contacts: Iterable[bytes]) -> dict[bytes, Instant]:
    """Return which of these contacts were erased, by their `contact_key`, and until when what they did is refused."""
    keys = await read_erasure_keys(connection)
    if not keys:
        if await connection.fetchval(SQL["are_any"]):
            raise missing_keys()
        return {}
    now = _now()
    by_digest = digest_contacts(keys, contacts)
    erased: defaultdict[bytes, Instant] = defaultdict(lambda: Instant(-1))
    for digest, erased_time, last_time in await connection.fetch(SQL["erased"], list(by_digest)):
        contact = by_digest[digest]
        erased[contact] = max(erased[contact], refused_until(erased_time, last_time, now))
    return dict(erased)


async def with_erased_left_out(connection: Connection, batches: Sequence[Batch], erasures: int) -> Sequence[Batch]:
    """The batches as they may be recorded, after so many erasures."""
    return [await filter_erased(connection, batch) for batch in batches] if erasures else batches


async def read_tombstones(connection: Connection, account_id: str) -> Tombstones:
    """What is left of the erased contacts of the account."""
    return Tombstones(
        contacts=[ErasedContact(*row) for row in await connection.fetch(SQL["erased_contacts"], account_id)],
        counts=[TombstoneCount(*row) for row in await connection.fetch(SQL["erased_counts"], account_id)],
        hours=[TombstoneHour(*row) for row in await connection.fetch(SQL["erased_hours"], account_id)],
        links=[TombstoneLink(*row) for row in await connection.fetch(SQL["erased_links"], account_id)],
    )


async def import_tombstones(connection: Connection, account_id: str, erased: Tombstones, now: Instant) -> None:
    """Take over what is left of erased contacts; a recount makes the stats whole."""
    async with connection.transaction():
        await _keep_writers_out(connection)
        # Names of its own: what others remember must not come from a transaction that may be rolled back.
        names = Names()
        named = named_in_erased(account_id, erased)
        account, keys, _ = await names.resolve(connection, replace(named, links=[]))
        for statement in ("forget_stats", "forget_hours", "forget_links", "remove_emptied_links"):
            await connection.execute(SQL[statement], keys)
        _, _, links = await names.resolve(connection, named)
        key_of = dict(zip(erased.campaign_activity_ids, keys, strict=True))
        counts = [(key_of[each[0]], *each[1:]) for each in erased.counts]
        hours = [(key_of[each[0]], *each[1:]) for each in erased.hours]
        clicks = [(key_of[each[0]], link, each.contacts) for link, each in zip(links, erased.links, strict=True)]
        for contact in erased.contacts:
            await connection.execute(SQL["refuse"], contact.digest, account, contact.erased_time, contact.last_time)
        await connection.execute(SQL["keep_stats"], *columns(counts, 6), FIRST_BUCKET)
        await connection.execute(SQL["keep_hours"], *columns(hours, 4), FIRST_BUCKET)
        await connection.execute(SQL["keep_links"], *columns(clicks, 3), FIRST_BUCKET)
        await connection.execute(SQL["tell_writers"], now)


async def key_digests(connection: Connection) -> None:
    """Give the digests of erased contacts a key: part of a migration."""
    now = _now()
    rows = await connection.fetch(SQL["unkeyed"])
    keys = await _ensure_erasure_keys(connection) if rows else []
    for contact, account, erased_time in rows:
        last_time = min(erased_time, now)
        await connection.execute(SQL["refuse"], digest_contact(keys[0], contact), account, erased_time, last_time)
    await connection.execute(SQL["drop_unkeyed"])


async def forget_links_of_erased(connection: Connection) -> None:
    """Forget the addresses of links that only erased contacts clicked: part of a migration."""
    counted: defaultdict[int, set[int]] = defaultdict(set)
    for campaign_activity, link in await connection.fetch(SQL["counted_links"]):
        counted[campaign_activity].add(link)
    for campaign_activity, erased in sorted(counted.items()):
        others = {link for (link,) in await connection.fetch(SQL["clicked_links"], campaign_activity)}
        links = [link for link in await _links(connection, campaign_activity) if not erased.isdisjoint(link.keys)]
        clicked = {key for link in links for key in link.keys} - others
        await _apply_link_erasure(connection, campaign_activity, LinkErasure(links, clicked, others))
    if counted:
        # Servers of an earlier version don't notice the removed links; they are stopped before a schema changes.
        await connection.execute(SQL["tell_writers"], _now())


def _now() -> Instant:
    return Instant(time.time_ns() // 1_000_000)
