"""Tombstones of erased contacts, by which their activities are refused, and links that only they clicked."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import apsw

from rapport.instant import Instant
from rapport.store.batch import Batch
from rapport.store.erasure import LinkErasure, erased_until, filter_erased
from rapport.store.erasure_keys import digest_contact, digest_contacts, missing_keys
from rapport.store.hashing import contact_key
from rapport.store.links import MergedLink, merge_links
from rapport.store.sqlite.connection import fetch_all
from rapport.store.sqlite.queries import SQL
from rapport.store.sqlite.secrets import ensure_erasure_keys, read_erasure_keys

_SQL: Final = SQL["erasure"]


def filter_erased_batches(connection: apsw.Connection, batches: Sequence[Batch], now: Instant) -> Sequence[Batch]:
    """Return the batches without the activities of erased contacts, as of the running transaction."""
    if not _has_tombstones(connection):
        return batches
    return [_filter_batch(connection, batch, now) for batch in batches]


def _filter_batch(connection: apsw.Connection, batch: Batch, now: Instant) -> Batch:
    indexes = {contact_key(batch.account_id, contact_id): index for index, contact_id in enumerate(batch.contacts)}
    erased = erased_times(connection, tuple(indexes), now)
    return filter_erased(batch, {indexes[contact]: erased_time for contact, erased_time in erased.items()})


def erased_times(connection: apsw.Connection, contacts: Iterable[bytes], now: Instant) -> dict[bytes, Instant]:
    """Return which of these contacts, given by `contact_key`, were erased, and until when activities are refused."""
    if not _has_tombstones(connection):
        return {}
    keys = read_erasure_keys(data_folder(connection))
    if not keys:
        raise missing_keys()
    by_digest = digest_contacts(keys, contacts)
    if not by_digest:
        return {}
    rows = fetch_all(connection, _SQL["find_tombstones"], {"digests": apsw.carray(tuple(by_digest))})
    erased: defaultdict[bytes, Instant] = defaultdict(lambda: Instant(-1))
    for digest, erased_time, last_time in rows:
        contact = by_digest[digest]
        erased[contact] = max(erased[contact], erased_until(erased_time, last_time, now))
    return dict(erased)


def check_erasure_keys(connection: apsw.Connection) -> None:
    """Return if erased contacts can be recognized. Raises StoreUnavailable."""
    if _has_tombstones(connection) and not read_erasure_keys(data_folder(connection)):
        raise missing_keys()


def _has_tombstones(connection: apsw.Connection) -> bool:
    ((has_tombstones,),) = fetch_all(connection, _SQL["has_tombstones"])
    return bool(has_tombstones)


def read_links(connection: apsw.Connection, campaign_activity: int) -> list[MergedLink]:
    """Return the links of a campaign activity, those with the same address merged."""
    return merge_links(fetch_all(connection, _SQL["list_links"], {"campaign_activity": campaign_activity}))


def apply_link_erasure(connection: apsw.Connection, campaign_activity: int, erasure: LinkErasure) -> None:
    """Forget the links that only erased contacts clicked."""
    connection.executemany(_SQL["move_link"], [(campaign_activity, *move) for move in erasure.moved])
    connection.executemany(_SQL["delete_link_count"], [(campaign_activity, link) for link, _ in erasure.moved])
    connection.executemany(_SQL["clear_link"], [(link,) for link in erasure.emptied])
    connection.executemany(_SQL["delete_link"], [(link,) for link in erasure.removed])


def key_digests(connection: apsw.Connection, now: Instant) -> None:
    """Replace the digests of erased contacts by keyed ones. Part of a migration."""
    rows = fetch_all(connection, _SQL["list_unkeyed"])
    if not rows:
        return
    key = ensure_erasure_keys(data_folder(connection))[0]
    connection.executemany(
        _SQL["update_digest"],
        [(digest_contact(key, digest), min(erased_time, now), digest) for digest, erased_time in rows],
    )


def forget_links_of_erased(connection: apsw.Connection, _now: Instant) -> None:
    """Forget the addresses of links that only erased contacts clicked. Part of a migration."""
    counted: defaultdict[int, set[int]] = defaultdict(set)
    for campaign_activity, link in fetch_all(connection, _SQL["list_counted_links"]):
        counted[campaign_activity].add(link)
    for campaign_activity, erased in counted.items():
        others = {link for (link,) in fetch_all(connection, _SQL["list_clicked_links"], (campaign_activity,))}
        links = [link for link in read_links(connection, campaign_activity) if not erased.isdisjoint(link.keys)]
        clicked = {key for link in links for key in link.keys} - others
        apply_link_erasure(connection, campaign_activity, LinkErasure(links, clicked, others))


def data_folder(connection: apsw.Connection) -> Path:
    """Return the data directory of a connection."""
    return Path(connection.filename).parent
