"""Erases a contact, and keeps what it did from being recorded again."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import apsw

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
from rapport.store.erasure_keys import digest_contact, digest_contacts, missing_keys
from rapport.store.links import MergedLink, merged_links
from rapport.store.sqlite.connection import Values, every, one
from rapport.store.sqlite.feed import forget
from rapport.store.sqlite.keys import account_key, campaign_activity_keys, link_keys
from rapport.store.sqlite.secrets import ensure_erasure_keys, read_erasure_keys
from rapport.store.statements import read_statements

SQL: Final = read_statements(Path(__file__).parent / "sql" / "erase.sql")


def erase(
    connection: apsw.Connection, account_id: str, contact_id: str, now: Instant, known: ErasedContact | None
) -> bool:
    """Erase the contact, within a transaction. Return True if it existed.

    `known` is what another store that erased it keeps of it.
    """
    named: Values = {"account_id": account_id, "contact_id": contact_id}
    found = one(connection, SQL["contact"], named)
    if found is None:
        return False
    contact, account, updated_at = found
    of_contact: Values = {"contact": contact}
    erasing = ErasureSnapshot[int](connection.execute(SQL["activities"], of_contact))
    if known is None:
        digest = digest_contact(ensure_erasure_keys(_folder(connection))[0], contact_key(account_id, contact_id))
        known = erased_contact(digest, now, Instant(max(erasing.last_time, updated_at)))
    connection.executemany(SQL["keep_stats"], erasing.stats)
    connection.executemany(SQL["keep_hours"], erasing.hours)
    for campaign_activity in erasing.campaign_activities:
        _erase_links(connection, campaign_activity, contact, erasing.clicked_in(campaign_activity))
    connection.executemany(SQL["erase_engagement"], erasing.engagement)
    connection.executemany(SQL["erase_bounced_contact"], erasing.bounced)
    connection.executemany(SQL["erase_clicked_link"], erasing.clicked)
    for statement in ("erase_activities", "erase_persons", "erase_contact"):
        connection.execute(SQL[statement], of_contact)
    forget(connection, contact)
    _refuse(connection, account, known)
    return True


def _erase_links(connection: apsw.Connection, campaign_activity: int, contact: int, clicked: set[int]) -> None:
    """Keep the counts of the links that the contact clicked, and forget those that nobody else did."""
    links = [link for link in _links(connection, campaign_activity) if not clicked.isdisjoint(link.keys)]
    others = {
        key
        for link in links
        for key in link.keys
        if one(connection, SQL["clicked_by_another"], (campaign_activity, key, contact)) is not None
    }
    erasure = LinkErasure(links, clicked, others)
    connection.executemany(SQL["keep_link"], [(campaign_activity, link, 1) for link in erasure.counted])
    _apply_link_erasure(connection, campaign_activity, erasure)


def _links(connection: apsw.Connection, campaign_activity: int) -> list[MergedLink]:
    return merged_links(every(connection, SQL["links"], {"campaign_activity": campaign_activity}))


def _apply_link_erasure(connection: apsw.Connection, campaign_activity: int, erasure: LinkErasure) -> None:
    connection.executemany(SQL["move_link"], [(campaign_activity, *move) for move in erasure.moved])
    connection.executemany(SQL["uncount_link"], [(campaign_activity, link) for link, _ in erasure.moved])
    connection.executemany(SQL["empty_link"], [(link,) for link in erasure.emptied])
    connection.executemany(SQL["remove_link"], [(link,) for link in erasure.removed])


def _refuse(connection: apsw.Connection, account: int, erased: ErasedContact) -> None:
    refused: Values = {
        "digest": erased.digest,
        "account": account,
        "erased_time": erased.erased_time,
        "last_time": erased.last_time,
    }
    connection.execute(SQL["refuse"], refused)


def filter_erased(connection: apsw.Connection, batches: Sequence[Batch], now: Instant) -> Sequence[Batch]:
    """The batches without what erased contacts did before, as this transaction knows them."""
    return [_without_the_erased(connection, batch, now) for batch in batches] if _are_any(connection) else batches


def _without_the_erased(connection: apsw.Connection, batch: Batch, now: Instant) -> Batch:
    places = {contact_key(batch.account_id, contact_id): place for place, contact_id in enumerate(batch.contacts)}
    erased = erased_times(connection, tuple(places), now)
    return drop_erased(batch, {places[contact]: erased_time for contact, erased_time in erased.items()})


def _are_any(connection: apsw.Connection) -> bool:
    ((are_any,),) = every(connection, SQL["are_any"])
    return bool(are_any)


def check_erasure_keys(connection: apsw.Connection) -> None:
    """Return if erased contacts can be recognised. Raises StoreUnavailable."""
    if _are_any(connection) and not read_erasure_keys(_folder(connection)):
        raise missing_keys()


def erased_times(connection: apsw.Connection, contacts: Iterable[bytes], now: Instant) -> dict[bytes, Instant]:
    """Return which of these contacts were erased, by their `contact_key`, and until when what they did is refused."""
    if not _are_any(connection):
        return {}
    keys = read_erasure_keys(_folder(connection))
    if not keys:
        raise missing_keys()
    by_digest = digest_contacts(keys, contacts)
    found = every(connection, SQL["erased"], {"digests": apsw.carray(tuple(by_digest))}) if by_digest else ()
    erased: defaultdict[bytes, Instant] = defaultdict(lambda: Instant(-1))
    for digest, erased_time, last_time in found:
        contact = by_digest[digest]
        erased[contact] = max(erased[contact], refused_until(erased_time, last_time, now))
    return dict(erased)


def read_tombstones(connection: apsw.Connection, account_id: str) -> Tombstones:
    """What is left of the erased contacts of the account."""
    params: Values = {"account_id": account_id}
    return Tombstones(
        contacts=[ErasedContact(*row) for row in every(connection, SQL["erased_contacts"], params)],
        counts=[TombstoneCount(*row) for row in every(connection, SQL["erased_counts"], params)],
        hours=[TombstoneHour(*row) for row in every(connection, SQL["erased_hours"], params)],
        links=[TombstoneLink(*row) for row in every(connection, SQL["erased_links"], params)],
    )


def import_tombstones(connection: apsw.Connection, account_id: str, erased: Tombstones, now: Instant) -> None:
    """Take over what is left of erased contacts, within a transaction; a recount makes the stats whole."""
    account = account_key(connection, account_id, now)
    for contact in erased.contacts:
        _refuse(connection, account, contact)
    named = named_in_erased(account_id, erased)
    keys = campaign_activity_keys(connection, account, named.campaign_activities)
    for statement in ("forget_stats", "forget_hours", "forget_links", "remove_emptied_links"):
        connection.executemany(SQL[statement], [(key,) for key in keys])
    links = link_keys(connection, keys, named.links)
    key_of = dict(zip(erased.campaign_activity_ids, keys, strict=True))
    for statement, counted in (("keep_stats", erased.counts), ("keep_hours", erased.hours)):
        connection.executemany(SQL[statement], [(key_of[each[0]], *each[1:]) for each in counted])
    clicked = zip(links, erased.links, strict=True)
    connection.executemany(
        SQL["keep_link"], [(key_of[each.campaign_activity_id], link, each.contacts) for link, each in clicked]
    )


def key_digests(connection: apsw.Connection, now: Instant) -> None:
    """Give the digests of erased contacts a key: part of a migration."""
    rows = every(connection, SQL["every_erased"])
    if not rows:
        return
    key = ensure_erasure_keys(_folder(connection))[0]
    connection.executemany(
        SQL["key_digest"],
        [(digest_contact(key, digest), min(erased_time, now), digest) for digest, erased_time in rows],
    )


def forget_links_of_erased(connection: apsw.Connection, _now: Instant) -> None:
    """Forget the addresses of links that only erased contacts clicked: part of a migration."""
    counted: defaultdict[int, set[int]] = defaultdict(set)
    for campaign_activity, link in every(connection, SQL["counted_links"]):
        counted[campaign_activity].add(link)
    for campaign_activity, erased in counted.items():
        others = {link for (link,) in every(connection, SQL["clicked_links"], (campaign_activity,))}
        links = [link for link in _links(connection, campaign_activity) if not erased.isdisjoint(link.keys)]
        clicked = {key for link in links for key in link.keys} - others
        _apply_link_erasure(connection, campaign_activity, LinkErasure(links, clicked, others))


def _folder(connection: apsw.Connection) -> Path:
    return Path(connection.filename).parent
