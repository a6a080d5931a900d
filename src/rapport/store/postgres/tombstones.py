"""Tombstones of erased contacts, by which their activities are refused, and links that only they clicked."""

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from rapport.instant import Instant
from rapport.store.batch import Batch
from rapport.store.erasure import LinkErasure, erased_until, filter_erased
from rapport.store.erasure_keys import (
    ERASURE_KEYS,
    digest_contact,
    digest_contacts,
    make_keys,
    missing_keys,
    read_keys,
)
from rapport.store.hashing import contact_key
from rapport.store.links import MergedLink, merge_links
from rapport.store.postgres.layout import ONE_DATABASE, Layout
from rapport.store.postgres.pool import Connection
from rapport.store.postgres.queries import SQL

_SQL: Final = SQL["erasure"]
_SECRETS: Final = SQL["secrets"]


class ErasureConflict(Exception):
    """Contacts were erased since the version that the process has seen."""

    def __init__(self, version: int) -> None:
        super().__init__(version)
        self.version = version


async def lock_against_erasure(connection: Connection, version: int, layout: Layout = ONE_DATABASE) -> None:
    """Keep contacts from being erased until the transaction ends. Raises ErasureConflict if some were since."""
    await layout.lock_against_erasure(connection)
    current: int = await connection.fetchval(_SQL["get_version"])
    if current != version:
        raise ErasureConflict(current)


async def read_erasure_keys(connection: Connection) -> list[bytes]:
    """Return the keys of the digests of erased contacts, the store's own first; none before the first erasure."""
    return read_keys(await connection.fetchval(_SECRETS["read"], ERASURE_KEYS))


async def ensure_erasure_keys(connection: Connection) -> list[bytes]:
    """Return the keys like `read_erasure_keys`, after creating the store's own key if there is none."""
    keys = await read_erasure_keys(connection)
    if not keys:
        await connection.execute(_SECRETS["add"], ERASURE_KEYS, make_keys())
        keys = await read_erasure_keys(connection)
    return keys


async def filter_erased_batches(
    connection: Connection, batches: Sequence[Batch], version: int | None = None
) -> Sequence[Batch]:
    """Return the batches without the activities of erased contacts; `version` 0 means that none was ever erased."""
    return batches if version == 0 else [await _filter_batch(connection, batch) for batch in batches]


async def _filter_batch(connection: Connection, batch: Batch) -> Batch:
    indexes = {contact_key(batch.account_id, contact_id): index for index, contact_id in enumerate(batch.contacts)}
    erased = await erased_times(connection, indexes)
    return filter_erased(batch, {indexes[key]: erased_time for key, erased_time in erased.items()})


async def erased_times(connection: Connection, contacts: Iterable[bytes]) -> dict[bytes, Instant]:
    """Return which of these contacts, given by `contact_key`, were erased, and until when activities are refused."""
    keys = await read_erasure_keys(connection)
    if not keys:
        if await connection.fetchval(_SQL["has_tombstones"]):
            raise missing_keys()
        return {}
    now = _now()
    by_digest = digest_contacts(keys, contacts)
    erased: defaultdict[bytes, Instant] = defaultdict(lambda: Instant(-1))
    for digest, erased_time, last_time in await connection.fetch(_SQL["find_tombstones"], list(by_digest)):
        contact = by_digest[digest]
        erased[contact] = max(erased[contact], erased_until(erased_time, last_time, now))
    return dict(erased)


async def read_links(connection: Connection, campaign_activity: int) -> list[MergedLink]:
    """Return the links of a campaign activity, those with the same address merged."""
    return merge_links(tuple(row) for row in await connection.fetch(_SQL["list_links"], campaign_activity))


async def apply_link_erasure(connection: Connection, campaign_activity: int, erasure: LinkErasure) -> None:
    """Forget the links that only erased contacts clicked."""
    for link, counted in erasure.moved:
        await connection.execute(_SQL["move_link"], campaign_activity, link, counted)
    if erasure.moved:
        await connection.execute(_SQL["delete_link_counts"], campaign_activity, [link for link, _ in erasure.moved])
    if erasure.emptied:
        await connection.execute(_SQL["clear_links"], erasure.emptied)
    if erasure.removed:
        await connection.execute(_SQL["delete_links"], erasure.removed)


async def key_digests(connection: Connection) -> None:
    """Replace the digests of erased contacts by keyed ones. Part of a migration."""
    now = _now()
    rows = await connection.fetch(_SQL["list_unkeyed"])
    keys = await ensure_erasure_keys(connection) if rows else []
    for contact, account, erased_time in rows:
        digest, last_time = digest_contact(keys[0], contact), min(erased_time, now)
        await connection.execute(_SQL["insert_tombstone"], digest, account, erased_time, last_time)
    await connection.execute(_SQL["drop_unkeyed"])


async def forget_links_of_erased(connection: Connection) -> None:
    """Forget the addresses of links that only erased contacts clicked. Part of a migration."""
    counted: defaultdict[int, set[int]] = defaultdict(set)
    for campaign_activity, link in await connection.fetch(_SQL["list_counted_links"]):
        counted[campaign_activity].add(link)
    for campaign_activity, erased in sorted(counted.items()):
        rows = await connection.fetch(_SQL["list_clicked_links"], campaign_activity)
        others = {link for (link,) in rows}
        links = [link for link in await read_links(connection, campaign_activity) if not erased.isdisjoint(link.keys)]
        clicked = {key for link in links for key in link.keys} - others
        await apply_link_erasure(connection, campaign_activity, LinkErasure(links, clicked, others))
    if counted:
        # Servers of an earlier version don't notice that links are gone; they are stopped before a schema changes.
        await connection.execute(_SQL["bump_version"], _now())


def _now() -> Instant:
    return Instant(time.time_ns() // 1_000_000)
