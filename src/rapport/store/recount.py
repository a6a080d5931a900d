"""Roll-ups beside a recount of the activities. Pure; every engine brings the rows."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from rapport.activity import ActivityType
from rapport.instant import Instant
from rapport.store.protocol import CounterMismatch, Counts
from rapport.store.rollups import ALL

Stats: TypeAlias = Mapping[tuple[int, int], tuple[int, int | None, int]]
"""By type and detail: total, contacts, last_time."""

Hours: TypeAlias = Mapping[tuple[int, int], int]
"""By the hour's beginning and the type: total."""


class Recounted(NamedTuple):
    """A campaign activity that is recounted."""

    key: int
    account_id: str
    campaign_activity_id: str

    def engagement(self, contact_id: str, row: Sequence[Any]) -> CounterMismatch:
        """The difference that a row of `differing_engagement` tells."""
        return self._difference(ActivityType(row[0]), _row(row[2:4]), _row(row[4:6]), contact_id=contact_id)

    def bounced_contact(self, contact_id: str, row: Sequence[Any]) -> CounterMismatch:
        """The difference that a row of `differing_bounced_contact` tells."""
        stands, should = _row(row[2:3]), _row(row[3:4])
        return self._difference(ActivityType.EM_BOUNCES, stands, should, contact_id=contact_id, detail=row[0])

    def clicked_link(self, contact_id: str, url_id: str, row: Sequence[Any]) -> CounterMismatch:
        """The difference that a row of `differing_clicked_link` tells."""
        stands, should = _row(row[2:3]), _row(row[3:4])
        return self._difference(ActivityType.EM_CLICKS, stands, should, contact_id=contact_id, url_id=url_id)

    def stats(self, stands: Stats, should: Stats) -> Iterator[CounterMismatch]:
        """The differences of the totals."""
        for activity_type, detail in sorted({*stands, *should}):
            key = activity_type, detail
            if stands.get(key) != should.get(key):
                named = None if detail == ALL else detail
                yield self._difference(ActivityType(activity_type), stands.get(key), should.get(key), detail=named)

    def hours(self, stands: Hours, should: Hours) -> Iterator[CounterMismatch]:
        """The differences of the hours."""
        for hour, activity_type in sorted({*stands, *should}):
            there, wanted = stands.get((hour, activity_type)), should.get((hour, activity_type))
            if there != wanted:
                one, other = None if there is None else (there,), None if wanted is None else (wanted,)
                yield self._difference(ActivityType(activity_type), one, other, hour=Instant(hour))

    def _difference(
        self,
        activity_type: ActivityType,
        stands: Counts | None,
        should: Counts | None,
        *,
        contact_id: str | None = None,
        detail: int | None = None,
        url_id: str | None = None,
        hour: Instant | None = None,
    ) -> CounterMismatch:
        return CounterMismatch(
            account_id=self.account_id,
            campaign_activity_id=self.campaign_activity_id,
            type=activity_type,
            contact_id=contact_id,
            detail=detail,
            url_id=url_id,
            hour=hour,
            stands=stands,
            should=should,
        )


def stats_of(rows: Iterable[Sequence[Any]]) -> Stats:
    """The stats that rows of type, detail, total, contacts and last_time tell; those with the same key together."""
    stats: dict[tuple[int, int], tuple[int, int | None, int]] = {}
    for activity_type, detail, *more in rows:
        known = stats.get((activity_type, detail), (0, None if more[1] is None else 0, 0))
        contacts = None if more[1] is None else more[1] + (known[1] or 0)
        stats[activity_type, detail] = known[0] + more[0], contacts, max(known[2], more[2])
    return stats


def hours_of(rows: Iterable[Sequence[Any]]) -> Hours:
    """The hours that rows of hour, type and total tell; those with the same key together."""
    hours: dict[tuple[int, int], int] = {}
    for hour, activity_type, total in rows:
        hours[hour, activity_type] = hours.get((hour, activity_type), 0) + total
    return hours


def _row(values: Sequence[Any]) -> Counts | None:
    return None if values[0] is None else tuple(values)
