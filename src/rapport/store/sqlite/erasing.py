"""Erases a contact, and keeps what it did from being recorded again."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import apsw

from rapport.instant import Instant
from rapport.store.batch import Batch
from rapport.store.digests import contact_key
from rapport.store.erasure import (
    Erased,
    ErasedCount,
    ErasedHour,
    ErasedLink,
    Erasing,
    named_in_erased,
    without_erased,
)
from rapport.store.links import merged_links
from rapport.store.sqlite.connection import Values, every, one
from rapport.store.sqlite.feed import forget
from rapport.store.sqlite.keys import account_key, campaign_activity_keys, link_keys
from rapport.store.statements import read_statements

SQL: Final = read_statements(Path(__file__).parent / "sql" / "erase.sql")


def erase(connection: apsw.Connection, account_id: str, contact_id: str, now: Instant) -> bool:
    """Erase the contact, within a transaction. Whether there was one."""
    named: Values = {"account_id": account_id, "contact_id": contact_id}
    found = one(connection, SQL["contact"], named)
    if found is None:
        return False
    contact, account = found
    of_contact: Values = {"contact": contact}
    erasing = Erasing[int](connection.execute(SQL["activities"], of_contact))
    connection.executemany(SQL["keep_stats"], erasing.stats)
    connection.executemany(SQL["keep_hours"], erasing.hours)
    for campaign_activity in erasing.campaign_activities:
        links = merged_links(every(connection, SQL["links"], {"campaign_activity": campaign_activity}))
        connection.executemany(SQL["keep_link"], erasing.clicks_of(campaign_activity, links))
    connection.executemany(SQL["erase_engagement"], erasing.engagement)
    connection.executemany(SQL["erase_bounced_contact"], erasing.bounced)
    connection.executemany(SQL["erase_clicked_link"], erasing.clicked)
    for statement in ("erase_activities", "erase_persons", "erase_contact"):
        connection.execute(SQL[statement], of_contact)
    forget(connection, contact)
    refused: Values = {
        "digest": contact_key(account_id, contact_id),
        "account": account,
        "erased_time": erasing.erased_from(now),
    }
    connection.execute(SQL["refuse"], refused)
    return True


def without_the_erased(connection: apsw.Connection, batches: Sequence[Batch]) -> Sequence[Batch]:
    """The batches without what erased contacts did before, as this transaction knows them."""
    ((are_any,),) = every(connection, SQL["are_any"])
    return [_without_the_erased(connection, batch) for batch in batches] if are_any else batches


def _without_the_erased(connection: apsw.Connection, batch: Batch) -> Batch:
    places = {contact_key(batch.account_id, contact_id): place for place, contact_id in enumerate(batch.contacts)}
    erased = erased_times(connection, tuple(places))
    return without_erased(batch, {places[digest]: erased_time for digest, erased_time in erased.items()})


def erased_times(connection: apsw.Connection, digests: Sequence[bytes]) -> dict[bytes, Instant]:
    """Who of these was erased, and until when what they did is refused."""
    found = every(connection, SQL["erased"], {"digests": apsw.carray(tuple(digests))}) if digests else ()
    return {digest: Instant(erased_time) for digest, erased_time in found}


def read_erased(connection: apsw.Connection, account_id: str) -> Erased:
    """What is left of the erased contacts of the account."""
    asked: Values = {"account_id": account_id}
    return Erased(
        contacts=[(digest, Instant(time)) for digest, time in every(connection, SQL["erased_contacts"], asked)],
        counts=[ErasedCount(*row) for row in every(connection, SQL["erased_counts"], asked)],
        hours=[ErasedHour(*row) for row in every(connection, SQL["erased_hours"], asked)],
        links=[ErasedLink(*row) for row in every(connection, SQL["erased_links"], asked)],
    )


def put_erased(connection: apsw.Connection, account_id: str, erased: Erased, now: Instant) -> None:
    """Take over what is left of erased contacts, within a transaction; a recount makes the stats whole."""
    account = account_key(connection, account_id, now)
    for digest, erased_time in erased.contacts:
        refused: Values = {"digest": digest, "account": account, "erased_time": erased_time}
        connection.execute(SQL["refuse"], refused)
    named = named_in_erased(account_id, erased)
    keys = campaign_activity_keys(connection, account, named.campaign_activities)
    links = link_keys(connection, keys, named.links)
    key_of = dict(zip(erased.campaign_activity_ids, keys, strict=True))
    for statement, counted in (("put_stats", erased.counts), ("put_hours", erased.hours)):
        connection.executemany(SQL[statement], [(key_of[each[0]], *each[1:]) for each in counted])
    clicked = zip(links, erased.links, strict=True)
    connection.executemany(
        SQL["put_link"], [(key_of[each.campaign_activity_id], link, each.contacts) for link, each in clicked]
    )
