"""Changes the roll-ups by what a transaction has added."""

from collections.abc import Collection, Iterator
from operator import itemgetter
from typing import Final, TypeAlias, TypeVar

import apsw

from rapport.store.rollups import RollUps, less_known
from rapport.store.sqlite.write import SQL

ActivityValues: TypeAlias = tuple[
    int, int, int, int, int, int | None, int | None, int | None, int | None, str | None, str | None, int
]
"""An activity as `add_activity` takes it."""

Values = TypeVar("Values", bound=tuple[int | str | None, ...])

COUNTED: Final = itemgetter(4, 1, 0, 2, 7, 8, 6)
"""Of such a row: campaign_activity, type, contact, created_time, device_type, bounce_code, link."""

_KEY: Final = itemgetter(0, 1, 2)


def apply(connection: apsw.Connection, rollups: RollUps[int]) -> None:
    """Change the roll-ups, within the transaction that added what is counted."""
    known = _grow(connection, "engagement", rollups.engagement())
    known_bounced = _grow(connection, "bounced_contact", rollups.bounced_contacts())
    connection.executemany(SQL["add_clicked_link"], rollups.clicked_links())
    connection.executemany(SQL["grow_hours"], rollups.hours())
    connection.executemany(SQL["grow_stats"], less_known(rollups.stats(), known, known_bounced))


def _grow(connection: apsw.Connection, table: str, rows: list[Values]) -> Collection[tuple[int, int, int]]:
    """Add the rows to those of the table; the keys that were there already."""
    known: list[Values] = []
    connection.executemany(SQL[f"add_{table}"], watched(connection, rows, [], known))
    connection.executemany(SQL[f"grow_{table}"], known)
    return set(map(_KEY, known))


def watched(
    connection: apsw.Connection, rows: list[Values], added: list[Values], known: list[Values]
) -> Iterator[Values]:
    """The rows one by one, for a statement that leaves out those that are there, told apart by what it did.

    The next row is asked for when the one before is through, and RETURNING would cost as much as the insert.
    """
    changes = connection.total_changes()
    for row in rows:
        yield row
        now = connection.total_changes()
        (known if now == changes else added).append(row)
        changes = now
