"""Compares the roll-ups with a recount, on a connection of its own."""

from array import array
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Final

import apsw

from rapport.store.links import url_id_of
from rapport.store.protocol import CounterMismatch, PermissionDifference
from rapport.store.recount import Hours, Recounted, Stats, hours_of, stats_of
from rapport.store.sqlite.connection import every, transaction, translate_errors
from rapport.store.sqlite.permission import SQL as PERMISSION
from rapport.store.sqlite.permission import compare, update_permissions
from rapport.store.sqlite.write import SQL as WRITE
from rapport.store.statements import read_statements

SQL: Final = read_statements(Path(__file__).parent / "sql" / "recount.sql")

_STEP: Final = 500


class Recount:
    """A walk through all campaign activities. Raises StoreUnavailable."""

    def __init__(self, connection: apsw.Connection) -> None:
        # What is sorted for a large campaign activity has its place on the disk.
        connection.pragma("temp_store", "file")
        self._connection = connection

    def differences(self, *, repair: bool) -> Iterator[CounterMismatch | PermissionDifference]:
        """Every difference; mended, if so wished, when those of its campaign activity have been told."""
        with translate_errors():
            for each in self._campaign_activities():
                # Writers go on while this looks. What seems to differ may have changed between two looks.
                if next(self._look(each), None) is not None:
                    with transaction(self._connection):
                        yield from self._look(each)
                        if repair:
                            self._mend(each)
            yield from self._permissions(repair=repair)

    def _permissions(self, *, repair: bool) -> Iterator[PermissionDifference]:
        after = 0
        while rows := every(self._connection, PERMISSION["next_permissions"], {"after": after, "limit": _STEP}):
            keys = [row[0] for row in rows if _differs(row)]
            if keys:
                # Writers go on while this looks, as above.
                with transaction(self._connection):
                    contacts = {"contacts": apsw.carray(array("q", keys))}
                    for row in every(self._connection, PERMISSION["permissions"], contacts):
                        if _differs(row):
                            yield self._permission_difference(row)
                    if repair:
                        update_permissions(self._connection, keys)
            after = rows[-1][0]

    def _permission_difference(self, row: Sequence[Any]) -> PermissionDifference:
        stored, derived = compare(row[1:])
        ((account_id, contact_id),) = every(self._connection, SQL["contact_names"], {"contact": row[0]})
        return PermissionDifference(account_id=account_id, contact_id=contact_id, stands=stored, should=derived)

    def _campaign_activities(self) -> Iterator[Recounted]:
        after = 0
        while rows := every(self._connection, SQL["next_campaign_activities"], {"after": after, "limit": _STEP}):
            yield from map(Recounted._make, rows)
            after = rows[-1][0]

    def _look(self, each: Recounted) -> Iterator[CounterMismatch]:
        of_it = {"campaign_activity": each.key}
        yield from each.stats(stats_of(every(self._connection, SQL["standing_stats"], of_it)), self._recounted(each))
        yield from each.hours(hours_of(every(self._connection, SQL["standing_hours"], of_it)), self._hours(each))
        for row in self._connection.execute(SQL["differing_engagement"], of_it):
            yield each.engagement(self._contact_id(row[1]), row)
        for row in self._connection.execute(SQL["differing_bounced_contact"], of_it):
            yield each.bounced_contact(self._contact_id(row[1]), row)
        for row in self._connection.execute(SQL["differing_clicked_link"], of_it):
            yield each.clicked_link(self._contact_id(row[1]), self._url_id(row[0]), row)

    def _recounted(self, each: Recounted) -> Stats:
        of_it = {"campaign_activity": each.key}
        parts = (
            every(self._connection, SQL[name], of_it) for name in ("recounted_totals", "recounted_details", "erased")
        )
        return stats_of(chain.from_iterable(parts))

    def _hours(self, each: Recounted) -> Hours:
        of_it = {"campaign_activity": each.key}
        parts = (every(self._connection, SQL[name], of_it) for name in ("recounted_hours", "erased_hours"))
        return hours_of(chain.from_iterable(parts))

    def _contact_id(self, contact: int) -> str:
        ((contact_id,),) = every(self._connection, SQL["contact_id"], {"contact": contact})
        return str(contact_id)

    def _url_id(self, link: int) -> str:
        ((link_url, url_id),) = every(self._connection, SQL["link"], {"link": link})
        return str(url_id_of(link_url) if url_id is None else url_id)

    def _mend(self, each: Recounted) -> None:
        of_it = {"campaign_activity": each.key}
        for table in ("engagement", "bounced_contact", "clicked_link"):
            self._connection.execute(SQL[f"clear_{table}"], of_it)
            self._connection.execute(SQL[f"recount_{table}"], of_it)
        self._connection.execute(SQL["clear_stats"], of_it)
        rows = [(each.key, *key, *counts) for key, counts in self._recounted(each).items()]
        self._connection.executemany(WRITE["grow_stats"], rows)
        self._connection.execute(SQL["clear_hours"], of_it)
        hours = [(each.key, *key, total) for key, total in self._hours(each).items()]
        self._connection.executemany(WRITE["grow_hours"], hours)


def _differs(row: Sequence[Any]) -> bool:
    stored, derived = compare(row[1:])
    return stored != derived
