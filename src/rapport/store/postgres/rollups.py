"""Changes the roll-ups by what a transaction has added."""

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any, Final, TypeAlias

from rapport.store.postgres.buckets import bucket_of, one_of_few
from rapport.store.postgres.many import write_many
from rapport.store.postgres.pool import Lent
from rapport.store.postgres.write import SQL
from rapport.store.rollups import HourRow, RollUps, StatsRow

ActivityValues: TypeAlias = tuple[
    int, int, int, int | None, int | None, int, int | None, int | None, bytes, str | None, str | None
]
"""An activity as it is written: the values of the columns."""

_COUNTED: Final = itemgetter(2, 5, 8, 0, 6, 7, 4)
"""Of such a row: campaign_activity, type, contact, created_time, device_type, bounce_code, link."""

_CONTACT: Final = itemgetter(8)


async def roll_up(connection: Lent, added: Sequence[ActivityValues], *, in_parts: bool) -> None:
    """Count what was added, within the transaction that added it.

    On a cluster each contact's activities go to the bucket beside the contact. On one machine all go to one bucket:
    whichever is the first contact's, so that two who write at once seldom have the same.
    """
    counts = [(bucket, _counted(rows)) for bucket, rows in _by_bucket(added, in_parts=in_parts)]
    every = [rollups for _, rollups in counts]
    engagement = [row for each in every for row in each.engagement()]
    known = await _grow(connection, "engagement", engagement, in_parts=in_parts)
    bounced = [row for each in every for row in each.bounced_contacts()]
    known_bounced = await _grow(connection, "bounced_contact", bounced, in_parts=in_parts)
    clicked = columns([row for each in every for row in each.clicked_links()], 3)
    await write_many(connection, SQL["add_clicked_links"], clicked, by=2, in_parts=in_parts)
    hours = [
        (*row, bucket if in_parts else one_of_few(bucket)) for bucket, rollups in counts for row in rollups.hours()
    ]
    await grow_hours(connection, hours, in_parts=in_parts)
    stats = [(*row, bucket) for bucket, rollups in counts for row in rollups.stats(known, known_bounced)]
    await grow_stats(connection, stats, in_parts=in_parts)


def _counted(rows: Sequence[ActivityValues]) -> RollUps[bytes]:
    rollups = RollUps[bytes]()
    rollups.count(map(_COUNTED, rows))
    return rollups


def _by_bucket(added: Sequence[ActivityValues], *, in_parts: bool) -> Iterable[tuple[bytes, Sequence[ActivityValues]]]:
    if not added:
        return ()
    if not in_parts:
        return [(bucket_of(_CONTACT(added[0])), added)]
    divided: dict[bytes, list[ActivityValues]] = {}
    for row in added:
        divided.setdefault(bucket_of(_CONTACT(row)), []).append(row)
    return sorted(divided.items())


async def grow_stats(connection: Lent, stats: Sequence[tuple[*StatsRow, bytes]], *, in_parts: bool) -> None:
    """Add to the stats, each row to its bucket."""
    await write_many(connection, SQL["grow_stats"], columns(stats, 7), by=6, in_parts=in_parts)


async def grow_hours(connection: Lent, hours: Sequence[tuple[*HourRow, bytes]], *, in_parts: bool) -> None:
    """Add to the hours, each row to its bucket."""
    await write_many(connection, SQL["grow_hours"], columns(hours, 5), by=4, in_parts=in_parts)


async def _grow(
    connection: Lent, table: str, rows: Sequence[tuple[Any, ...]], *, in_parts: bool
) -> set[tuple[int, int, bytes]]:
    """Add the rows to those of the table, in the order of the key; the keys that were there already."""
    if not rows:
        return set()
    values = columns(rows, len(rows[0]))
    grown = await write_many(connection, SQL[f"grow_{table}"], values, by=2, in_parts=in_parts)
    # One that is new holds what was added to it, and no other does.
    new = {(key[0], key[1], key[2], key[3]) for key in grown}
    return {row[:3] for row in rows if row[:4] not in new}


def columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    """The values of each of the first columns, as arrays are sent."""
    return [[row[place] for row in rows] for place in range(width)]
