"""Increment the roll-ups by the activities that a transaction has inserted."""

from collections.abc import Collection, Iterator
from operator import itemgetter
from typing import Final, TypeAlias, TypeVar

import apsw

from rapport.store.rollups import RollUps, exclude_existing_contacts
from rapport.store.sqlite.queries import SQL

_SQL: Final = SQL["ingest"]

ActivityValues: TypeAlias = tuple[
    int, int, int, int, int, int | None, int | None, int | None, int | None, str | None, str | None, int
]
"""The values of `add_activity`."""

Values = TypeVar("Values", bound=tuple[int | str | None, ...])

COUNTED_COLUMNS: Final = itemgetter(4, 1, 0, 2, 7, 8, 6, 9)
"""The columns of such a row that are counted: see `CountedRow`."""

_KEY: Final = itemgetter(0, 1, 2)


def increment_rollups(connection: apsw.Connection, rollups: RollUps[int]) -> None:
    """Increment the roll-ups, within the transaction that inserted the activities."""
    existing = _increment(connection, "engagement", rollups.engagement())
    existing_bounced = _increment(connection, "bounced_contact", rollups.bounced_contacts())
    connection.executemany(_SQL["add_clicked_link"], rollups.clicked_links())
    connection.executemany(_SQL["increment_hours"], rollups.hours())
    stats = exclude_existing_contacts(rollups.stats(), existing, existing_bounced)
    connection.executemany(_SQL["increment_stats"], stats)


def _increment(connection: apsw.Connection, table: str, rows: list[Values]) -> Collection[tuple[int, int, int]]:
    """Add the rows to those of the table. Return the keys that existed already."""
    existing: list[Values] = []
    connection.executemany(_SQL[f"add_{table}"], watch_inserts(connection, rows, [], existing))
    connection.executemany(_SQL[f"increment_{table}"], existing)
    return set(map(_KEY, existing))


def watch_inserts(
    connection: apsw.Connection, rows: list[Values], added: list[Values], existing: list[Values]
) -> Iterator[Values]:
    """Yield the rows for an INSERT that skips existing ones; append each to `added` or `existing` afterwards.

    SQLite takes the next row after it has processed the previous one. RETURNING would cost as much as the insert.
    """
    changes = connection.total_changes()
    for row in rows:
        yield row
        now = connection.total_changes()
        (existing if now == changes else added).append(row)
        changes = now
