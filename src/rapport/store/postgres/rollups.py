"""Increment the roll-ups by the activities that a transaction has inserted."""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, TypeAlias

from rapport.activity import ActivityType
from rapport.store.postgres.binary import ENGAGEMENT, ActivityValues, encode_engagement, without_rows
from rapport.store.postgres.layout import ONE_DATABASE, Layout
from rapport.store.postgres.pool import Connection, copy
from rapport.store.postgres.queries import SQL
from rapport.store.rollups import HourRow, RollUps, StatsRow, exclude_existing_contacts

_SQL: Final = SQL["ingest"]

_COUNTED_COLUMNS: Final = itemgetter(2, 5, 8, 0, 6, 7, 4, 9)
"""The columns of `ActivityValues` that are counted: see `CountedRow`."""

_GROUP: Final = itemgetter(0, 1)
"""campaign_activity and type of a row of engagement."""

_STAGING_THRESHOLD: Final = 500
"""Rows up to which arrays in one statement are faster than a copy to a temporary table."""

_Key: TypeAlias = tuple[int, int, bytes]


class Counts:
    """The increments of the roll-ups, in the buckets of the layout."""

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
        """Return the engagement, encoded for COPY."""
        return encode_engagement(self.engagement)

    @cached_property
    def engagement_keys(self) -> tuple[list[int], list[int], list[int], list[int], bytes]:
        """Return the keys of the engagement: campaign activities, types, first and last indexes, and all contacts."""
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
        """Return the number of activities of each type."""
        counted: dict[ActivityType, int] = {}
        for rollups in self.counted.values():
            for (_, activity_type), group in rollups.groups.items():
                counted[ActivityType(activity_type)] = counted.get(ActivityType(activity_type), 0) + sum(
                    group.hours.values()
                )
        return counted

    def find_common(self, other: "Counts") -> list[int]:
        """Return the indexes of the engagement that `other` increments as well; all must be in one bucket."""
        return [
            bisect_left(self.engagement, key)
            for counted in self.counted.values()
            for others in other.counted.values()
            for key in counted.find_common(others)
        ]

    def stats(self, existing: Iterable[_Key], existing_bounced: Iterable[_Key]) -> list[tuple[*StatsRow, bytes]]:
        """Return the increments of the stats with their buckets, without the contacts of existing keys."""
        keys = self._layout.divide_keys(existing, self._stats)
        bounced_keys = self._layout.divide_keys(existing_bounced, self._stats)
        return [
            (*row, bucket)
            for bucket, stats in self._stats.items()
            for row in exclude_existing_contacts(stats, keys[bucket], bounced_keys[bucket])
        ]


async def find_existing_engagement(connection: Connection, counts: Counts) -> list[int]:
    """Return the indexes of the engagement that exists already."""
    return [index for (index,) in await connection.fetch(_SQL["find_engagement"], *counts.engagement_keys)]


async def increment_rollups(
    connection: Connection, counts: Counts, layout: Layout, *, existing_indexes: Collection[int] | None = None
) -> None:
    """Increment the roll-ups, within the transaction that inserted the activities.

    `existing_indexes` are those of the engagement that may exist already. The rest is copied straight into its table,
    and UniqueViolationError is raised if any of it exists.
    """
    if len(counts.engagement) <= _STAGING_THRESHOLD or not layout.has_staging:
        existing = await _increment(connection, layout, "engagement", counts.engagement)
    elif existing_indexes is not None:
        existing = await _copy_engagement(connection, counts, sorted(existing_indexes))
    else:
        existing = await _stage_engagement(connection, counts.copied_engagement)
    existing_bounced = await _increment(connection, layout, "bounced_contact", counts.bounced_contacts)
    clicked = columns(counts.clicked_links, 3)
    await layout.insert(connection, _SQL, "add_clicked_links", clicked, by=2)
    await increment_hours(connection, counts.hours, layout)
    await increment_stats(connection, counts.stats(existing, existing_bounced), layout)


def _counted(rows: Sequence[ActivityValues]) -> RollUps[bytes]:
    rollups = RollUps[bytes]()
    rollups.count(map(_COUNTED_COLUMNS, rows))
    return rollups


async def increment_stats(
    connection: Connection, stats: Sequence[tuple[*StatsRow, bytes]], layout: Layout = ONE_DATABASE
) -> None:
    """Increment the stats, each row in its bucket."""
    await layout.insert(connection, _SQL, "increment_stats", columns(stats, 7), by=6)


async def increment_hours(
    connection: Connection, hours: Sequence[tuple[*HourRow, bytes]], layout: Layout = ONE_DATABASE
) -> None:
    """Increment the hours, each row in its bucket."""
    await layout.insert(connection, _SQL, "increment_hours", columns(hours, 5), by=4)


async def _increment(connection: Connection, layout: Layout, table: str, rows: Sequence[tuple[Any, ...]]) -> set[_Key]:
    """Add the rows to those of the table, in the order of the key. Return the keys that existed already."""
    if not rows:
        return set()
    values = columns(rows, len(rows[0]))
    incremented = await layout.insert(connection, _SQL, f"increment_{table}", values, by=2)
    # Only a new row has the count that was added to it.
    new = {(row[0], row[1], row[2], row[3]) for row in incremented}
    return {row[:3] for row in rows if row[:4] not in new}


async def _copy_engagement(connection: Connection, counts: Counts, indexes: Sequence[int]) -> set[_Key]:
    """Increment the engagement at these indexes and copy the rest, at a third of the cost of a conflict check."""
    rows = [counts.engagement[index] for index in indexes]
    existing = await _increment(connection, ONE_DATABASE, "engagement", rows)
    await copy(connection, "engagement", ENGAGEMENT, without_rows(counts.copied_engagement, indexes))
    return existing


async def _stage_engagement(connection: Connection, copied: bytes) -> set[_Key]:
    """Add many rows by way of a temporary table. Return the keys that existed already."""
    await connection.execute(_SQL["stage_engagement"])
    await copy(connection, "staged_engagement", ENGAGEMENT, copied)
    rows = await connection.fetch(_SQL["increment_staged_engagement"])
    return {(row[0], row[1], row[2]) for row in rows}


def columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    """Return the values of each of the first columns."""
    return [[row[index] for row in rows] for index in range(width)]
