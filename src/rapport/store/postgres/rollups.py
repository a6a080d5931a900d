"""Changes the roll-ups by what a transaction has added."""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, TypeAlias

from rapport.activity import ActivityType
from rapport.store.postgres.binary import ENGAGEMENT, ActivityValues, engagement, without
from rapport.store.postgres.layout import ONE_DATABASE, Layout
from rapport.store.postgres.pool import Connection, copy
from rapport.store.postgres.write import SQL
from rapport.store.rollups import HourRow, RollUps, StatsRow, less_known

_COUNTED: Final = itemgetter(2, 5, 8, 0, 6, 7, 4)
"""Of such a row: campaign_activity, type, contact, created_time, device_type, bounce_code, link."""

_GROUP: Final = itemgetter(0, 1)
"""Of a row of engagement: campaign_activity, type."""

_FEW: Final = 500
"""Engagement that goes as arrays in one statement; more of it is copied to the database first."""


_Key: TypeAlias = tuple[int, int, bytes]


class Counts:
    """What activities add to the roll-ups, in the buckets that the layout says."""

    def __init__(self, added: Sequence[ActivityValues], layout: Layout) -> None:
        self._layout = layout
        counted = [(bucket, _counted(rows)) for bucket, rows in layout.divide_by_bucket(added)]
        self.counted = dict(counted)
        self.engagement = [row for _, rollups in counted for row in rollups.engagement()]
        self.bounced_contacts = [row for _, rollups in counted for row in rollups.bounced_contacts()]
        self.clicked_links = [row for _, rollups in counted for row in rollups.clicked_links()]
        self.hours = [(*row, layout.hour_bucket_of(bucket)) for bucket, rollups in counted for row in rollups.hours()]
        self._stats = {bucket: rollups.stats() for bucket, rollups in counted}

    @cached_property
    def copied_engagement(self) -> bytes:
        """The engagement, as it is copied to the database."""
        return engagement(self.engagement)

    @cached_property
    def engagement_keys(self) -> tuple[list[int], list[int], list[int], list[int], bytes]:
        """The keys of the engagement: campaign activities and types, from which place to which, and all contacts."""
        ranges = []
        first = 0
        for key, rows in groupby(self.engagement, _GROUP):
            after = first + sum(1 for _ in rows)
            ranges.append((*key, first, after - 1))
            first = after
        campaign_activities, types, firsts, lasts = columns(ranges, 4)
        return campaign_activities, types, firsts, lasts, b"".join(map(itemgetter(2), self.engagement))

    @cached_property
    def by_type(self) -> dict[ActivityType, int]:
        """How many activities there are of each type."""
        counted: dict[ActivityType, int] = {}
        for rollups in self.counted.values():
            for (_, activity_type), group in rollups.groups.items():
                counted[ActivityType(activity_type)] = counted.get(ActivityType(activity_type), 0) + sum(
                    group.hours.values()
                )
        return counted

    def find_common(self, other: "Counts") -> list[int]:
        """Return the places of the engagement that grows by `other` as well; all must be in one bucket."""
        return [
            bisect_left(self.engagement, key)
            for counted in self.counted.values()
            for others in other.counted.values()
            for key in counted.find_common(others)
        ]

    def stats(self, known: Iterable[_Key], known_bounced: Iterable[_Key]) -> list[tuple[*StatsRow, bytes]]:
        """What the stats grow by, each row with its bucket, when these keys of the others were there already."""
        known_in = self._layout.divide_keys(known, self._stats)
        bounced_in = self._layout.divide_keys(known_bounced, self._stats)
        return [
            (*row, bucket)
            for bucket, stats in self._stats.items()
            for row in less_known(stats, known_in[bucket], bounced_in[bucket])
        ]


async def find_known_engagement(connection: Connection, counts: Counts) -> list[int]:
    """Return the places of the engagement that is there already."""
    return [place for (place,) in await connection.fetch(SQL["known_engagement"], *counts.engagement_keys)]


async def roll_up(
    connection: Connection, counts: Counts, layout: Layout, *, known_places: Collection[int] | None = None
) -> None:
    """Take in what was counted, within the transaction that added it.

    `known_places` are those of the engagement that may be there already, and most probably no other is: then much of it
    is copied right into its table. Raises UniqueViolationError if some other is there.
    """
    if len(counts.engagement) <= _FEW or not layout.has_staging:
        known = await _grow(connection, layout, "engagement", counts.engagement)
    elif known_places is not None:
        known = await _copy_engagement(connection, counts, sorted(known_places))
    else:
        known = await _grow_engagement(connection, counts.copied_engagement)
    known_bounced = await _grow(connection, layout, "bounced_contact", counts.bounced_contacts)
    clicked = columns(counts.clicked_links, 3)
    await layout.insert(connection, SQL, "add_clicked_links", clicked, by=2)
    await grow_hours(connection, counts.hours, layout)
    await grow_stats(connection, counts.stats(known, known_bounced), layout)


def _counted(rows: Sequence[ActivityValues]) -> RollUps[bytes]:
    rollups = RollUps[bytes]()
    rollups.count(map(_COUNTED, rows))
    return rollups


async def grow_stats(
    connection: Connection, stats: Sequence[tuple[*StatsRow, bytes]], layout: Layout = ONE_DATABASE
) -> None:
    """Add to the stats, each row to its bucket."""
    await layout.insert(connection, SQL, "grow_stats", columns(stats, 7), by=6)


async def grow_hours(
    connection: Connection, hours: Sequence[tuple[*HourRow, bytes]], layout: Layout = ONE_DATABASE
) -> None:
    """Add to the hours, each row to its bucket."""
    await layout.insert(connection, SQL, "grow_hours", columns(hours, 5), by=4)


async def _grow(connection: Connection, layout: Layout, table: str, rows: Sequence[tuple[Any, ...]]) -> set[_Key]:
    """Add the rows to those of the table, in the order of the key; the keys that were there already."""
    if not rows:
        return set()
    values = columns(rows, len(rows[0]))
    grown = await layout.insert(connection, SQL, f"grow_{table}", values, by=2)
    # One that is new holds what was added to it, and no other does.
    new = {(key[0], key[1], key[2], key[3]) for key in grown}
    return {row[:3] for row in rows if row[:4] not in new}


async def _copy_engagement(connection: Connection, counts: Counts, places: Sequence[int]) -> set[_Key]:
    """Grow the engagement at these places and copy the rest: a third of what a conflict check for every row costs."""
    known = await _grow(connection, ONE_DATABASE, "engagement", [counts.engagement[place] for place in places])
    await copy(connection, "engagement", ENGAGEMENT, without(counts.copied_engagement, places))
    return known


async def _grow_engagement(connection: Connection, copied: bytes) -> set[_Key]:
    """The same for much engagement on one machine."""
    await connection.execute(SQL["stage_engagement"])
    await copy(connection, "staged_engagement", ENGAGEMENT, copied)
    return {(key[0], key[1], key[2]) for key in await connection.fetch(SQL["grow_staged_engagement"])}


def columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    """The values of each of the first columns, as arrays are sent."""
    return [[row[place] for row in rows] for place in range(width)]
