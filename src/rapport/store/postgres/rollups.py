"""Changes the roll-ups by what a transaction has added."""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, TypeAlias

from rapport.activity import ActivityType
from rapport.store.postgres.binary import ENGAGEMENT, ActivityValues, engagement, without
from rapport.store.postgres.buckets import bucket_of, one_of_few
from rapport.store.postgres.many import write_many
from rapport.store.postgres.pool import Lent, copy
from rapport.store.postgres.write import SQL
from rapport.store.rollups import HourRow, RollUps, StatsRow, less_known

_COUNTED: Final = itemgetter(2, 5, 8, 0, 6, 7, 4)
"""Of such a row: campaign_activity, type, contact, created_time, device_type, bounce_code, link."""

_CONTACT: Final = itemgetter(8)

_GROUP: Final = itemgetter(0, 1)
"""Of a row of engagement: campaign_activity, type."""

_FEW: Final = 500
"""Engagement that goes as arrays in one statement; more of it is copied to the database first."""


_Key: TypeAlias = tuple[int, int, bytes]


class Counts:
    """What activities add to the roll-ups.

    On a cluster each contact's activities go to the bucket beside the contact. On one machine all go to one bucket:
    whichever is the first contact's, so that two who write at once seldom have the same.
    """

    def __init__(self, added: Sequence[ActivityValues], *, in_parts: bool) -> None:
        self._in_parts = in_parts
        counted = [(bucket, _counted(rows)) for bucket, rows in _by_bucket(added, in_parts=in_parts)]
        self.counted = dict(counted)
        self.engagement = [row for _, rollups in counted for row in rollups.engagement()]
        self.bounced_contacts = [row for _, rollups in counted for row in rollups.bounced_contacts()]
        self.clicked_links = [row for _, rollups in counted for row in rollups.clicked_links()]
        self.hours = [
            (*row, bucket if in_parts else one_of_few(bucket)) for bucket, rollups in counted for row in rollups.hours()
        ]
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
            behind = first + sum(1 for _ in rows)
            ranges.append((*key, first, behind - 1))
            first = behind
        campaign_activities, types, firsts, lasts = columns(ranges, 4)
        return campaign_activities, types, firsts, lasts, b"".join(map(itemgetter(2), self.engagement))

    @cached_property
    def by_type(self) -> dict[ActivityType, int]:
        """How many activities there are of each type."""
        counted: dict[ActivityType, int] = {}
        for rollups in self.counted.values():
            for (_, kind), group in rollups.groups.items():
                counted[ActivityType(kind)] = counted.get(ActivityType(kind), 0) + sum(group.hours.values())
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
        known_in, bounced_in = self._divided(known), self._divided(known_bounced)
        return [
            (*row, bucket)
            for bucket, stats in self._stats.items()
            for row in less_known(stats, known_in[bucket], bounced_in[bucket])
        ]

    def _divided(self, keys: Iterable[_Key]) -> dict[bytes, list[_Key]]:
        if not self._in_parts:
            every = list(keys)
            return {bucket: every for bucket in self._stats}  # noqa: C420 - of one bucket
        divided: dict[bytes, list[_Key]] = {bucket: [] for bucket in self._stats}
        for key in keys:
            divided[bucket_of(key[2])].append(key)
        return divided


async def find_known_engagement(connection: Lent, counts: Counts) -> list[int]:
    """Return the places of the engagement that is there already."""
    return [place for (place,) in await connection.fetch(SQL["known_engagement"], *counts.engagement_keys)]


async def roll_up(
    connection: Lent, counts: Counts, *, in_parts: bool, known_places: Collection[int] | None = None
) -> None:
    """Take in what was counted, within the transaction that added it.

    `known_places` are those of the engagement that may be there already, and most probably no other is: then much of it
    is copied right into its table. Raises UniqueViolationError if some other is there.
    """
    if in_parts or len(counts.engagement) <= _FEW:
        known = await _grow(connection, "engagement", counts.engagement, in_parts=in_parts)
    elif known_places is not None:
        known = await _copy_engagement(connection, counts, sorted(known_places))
    else:
        known = await _grow_engagement(connection, counts.copied_engagement)
    known_bounced = await _grow(connection, "bounced_contact", counts.bounced_contacts, in_parts=in_parts)
    clicked = columns(counts.clicked_links, 3)
    await write_many(connection, SQL["add_clicked_links"], clicked, by=2, in_parts=in_parts)
    await grow_hours(connection, counts.hours, in_parts=in_parts)
    await grow_stats(connection, counts.stats(known, known_bounced), in_parts=in_parts)


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


async def _grow(connection: Lent, table: str, rows: Sequence[tuple[Any, ...]], *, in_parts: bool) -> set[_Key]:
    """Add the rows to those of the table, in the order of the key; the keys that were there already."""
    if not rows:
        return set()
    values = columns(rows, len(rows[0]))
    grown = await write_many(connection, SQL[f"grow_{table}"], values, by=2, in_parts=in_parts)
    # One that is new holds what was added to it, and no other does.
    new = {(key[0], key[1], key[2], key[3]) for key in grown}
    return {row[:3] for row in rows if row[:4] not in new}


async def _copy_engagement(connection: Lent, counts: Counts, places: Sequence[int]) -> set[_Key]:
    """Grow the engagement at these places and copy the rest: a third of what a conflict check for every row costs."""
    known = await _grow(connection, "engagement", [counts.engagement[place] for place in places], in_parts=False)
    await copy(connection, "engagement", ENGAGEMENT, without(counts.copied_engagement, places))
    return known


async def _grow_engagement(connection: Lent, copied: bytes) -> set[_Key]:
    """The same for much engagement on one machine."""
    await connection.execute(SQL["stage_engagement"])
    await copy(connection, "staged_engagement", ENGAGEMENT, copied)
    return {(key[0], key[1], key[2]) for key in await connection.fetch(SQL["grow_staged_engagement"])}


def columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    """The values of each of the first columns, as arrays are sent."""
    return [[row[place] for row in rows] for place in range(width)]
