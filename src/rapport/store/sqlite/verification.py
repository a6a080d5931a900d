"""Verification in SQLite, on a connection of its own."""

from array import array
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import chain
from typing import Any, Final

import apsw

from rapport.store.links import make_url_id
from rapport.store.sqlite.connection import fetch_all, transaction, translate_errors
from rapport.store.sqlite.engine import Engine
from rapport.store.sqlite.memberships import read_contacts, write_contacts
from rapport.store.sqlite.permission import compare, update_permissions
from rapport.store.sqlite.queries import SQL
from rapport.store.verification import (
    CounterComparer,
    CounterMismatch,
    DerivedMismatch,
    Hours,
    Mismatch,
    PermissionMismatch,
    Stats,
    sum_hours,
    sum_stats,
)

_SQL: Final = SQL["verification"]
_PERMISSION: Final = SQL["permission"]
_INGEST: Final = SQL["ingest"]
_MEMBERSHIPS: Final = SQL["memberships"]

_BATCH_SIZE: Final = 500


class SQLiteVerification:
    """Verifies counters and permissions while other connections write."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def verify(self, *, repair: bool) -> AsyncIterator[Mismatch]:
        """Yield every mismatch, and correct them with `repair`."""
        with self._engine.connect() as connection:
            # Sorting a large campaign activity takes space on the disk.
            connection.pragma("temp_store", "file")
            with translate_errors():
                for comparer in _list_comparers(connection):
                    # A difference may come from a write between two reads, so compare again in a transaction.
                    if next(_compare(connection, comparer), None) is not None:
                        with transaction(connection):
                            for mismatch in _compare(connection, comparer):
                                yield mismatch
                            if repair:
                                _repair(connection, comparer)
                for permission in _verify_permissions(connection, repair=repair):
                    yield permission
                for derived in _verify_derived(connection, repair=repair):
                    yield derived


def _verify_permissions(connection: apsw.Connection, *, repair: bool) -> Iterator[PermissionMismatch]:
    after = 0
    while rows := fetch_all(connection, _PERMISSION["list_permissions"], {"after": after, "limit": _BATCH_SIZE}):
        keys = [row[0] for row in rows if _differs(row)]
        if keys:
            # A difference may come from a write between two reads, so compare again in a transaction.
            with transaction(connection):
                params = {"contacts": apsw.carray(array("q", keys))}
                for row in fetch_all(connection, _PERMISSION["get_permissions"], params):
                    if _differs(row):
                        yield _permission_mismatch(connection, row)
                if repair:
                    update_permissions(connection, keys)
        after = rows[-1][0]


def _verify_derived(connection: apsw.Connection, *, repair: bool) -> Iterator[DerivedMismatch]:
    after = 0
    while rows := fetch_all(connection, _MEMBERSHIPS["list_contacts"], {"after": after, "limit": _BATCH_SIZE}):
        keys = [key for (key,) in rows]
        differing = [contact.key for contact in read_contacts(connection, keys) if contact.differs]
        if differing:
            # A difference may come from a write between two reads, so compare again in a transaction.
            with transaction(connection):
                contacts = [contact for contact in read_contacts(connection, differing) if contact.differs]
                for contact in contacts:
                    ((account_id, contact_id),) = fetch_all(
                        connection, _SQL["get_contact_ids"], {"contact": contact.key}
                    )
                    yield DerivedMismatch(
                        account_id=account_id,
                        contact_id=contact_id,
                        stored=contact.stored,
                        expected=contact.derived,
                    )
                if repair:
                    write_contacts(connection, contacts)
        after = keys[-1]


def _permission_mismatch(connection: apsw.Connection, row: Sequence[Any]) -> PermissionMismatch:
    stored, derived = compare(row[1:])
    ((account_id, contact_id),) = fetch_all(connection, _SQL["get_contact_ids"], {"contact": row[0]})
    return PermissionMismatch(account_id=account_id, contact_id=contact_id, stored=stored, expected=derived)


def _differs(row: Sequence[Any]) -> bool:
    stored, derived = compare(row[1:])
    return stored != derived


def _list_comparers(connection: apsw.Connection) -> Iterator[CounterComparer]:
    after = 0
    while rows := fetch_all(connection, _SQL["next_campaign_activities"], {"after": after, "limit": _BATCH_SIZE}):
        yield from map(CounterComparer._make, rows)
        after = rows[-1][0]


def _compare(connection: apsw.Connection, comparer: CounterComparer) -> Iterator[CounterMismatch]:
    params = {"campaign_activity": comparer.key}
    stored_stats = sum_stats(fetch_all(connection, _SQL["stored_stats"], params))
    yield from comparer.compare_stats(stored_stats, _recount_stats(connection, comparer))
    stored_hours = sum_hours(fetch_all(connection, _SQL["stored_hours"], params))
    yield from comparer.compare_hours(stored_hours, _recount_hours(connection, comparer))
    for row in connection.execute(_SQL["differing_engagement"], params):
        yield comparer.compare_engagement(_contact_id(connection, row[1]), row)
    for row in connection.execute(_SQL["differing_bounced_contact"], params):
        yield comparer.compare_bounced_contact(_contact_id(connection, row[1]), row)
    for row in connection.execute(_SQL["differing_clicked_link"], params):
        yield comparer.compare_clicked_link(_contact_id(connection, row[1]), _url_id(connection, row[0]), row)


def _recount_stats(connection: apsw.Connection, comparer: CounterComparer) -> Stats:
    params = {"campaign_activity": comparer.key}
    names = ("recounted_totals", "recounted_details", "erased_stats")
    return sum_stats(chain.from_iterable(fetch_all(connection, _SQL[name], params) for name in names))


def _recount_hours(connection: apsw.Connection, comparer: CounterComparer) -> Hours:
    params = {"campaign_activity": comparer.key}
    names = ("recounted_hours", "erased_hours")
    return sum_hours(chain.from_iterable(fetch_all(connection, _SQL[name], params) for name in names))


def _contact_id(connection: apsw.Connection, contact: int) -> str:
    ((contact_id,),) = fetch_all(connection, _SQL["get_contact_id"], {"contact": contact})
    return str(contact_id)


def _url_id(connection: apsw.Connection, link: int) -> str:
    ((link_url, url_id),) = fetch_all(connection, _SQL["get_link"], {"link": link})
    return str(make_url_id(link_url) if url_id is None else url_id)


def _repair(connection: apsw.Connection, comparer: CounterComparer) -> None:
    params = {"campaign_activity": comparer.key}
    for table in ("engagement", "bounced_contact", "clicked_link"):
        connection.execute(_SQL[f"clear_{table}"], params)
        connection.execute(_SQL[f"recount_{table}"], params)
    connection.execute(_SQL["clear_stats"], params)
    stats = [(comparer.key, *key, *counts) for key, counts in _recount_stats(connection, comparer).items()]
    connection.executemany(_INGEST["increment_stats"], stats)
    connection.execute(_SQL["clear_hours"], params)
    hours = [(comparer.key, *key, total) for key, total in _recount_hours(connection, comparer).items()]
    connection.executemany(_INGEST["increment_hours"], hours)
