"""Compare counters and permissions with the activities from which they are derived."""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

import msgspec

from rapport.activity import ActivityType
from rapport.instant import Instant
from rapport.store.permission import PermissionColumns
from rapport.store.rollups import ALL, type_of_code
from rapport.store.subresources import DerivedContact

Counts: TypeAlias = tuple[int | None, ...]
"""The values of a roll-up's row: the number of activities; for stats, of contacts; for all but hours, the last time."""


class CounterMismatch(msgspec.Struct, frozen=True, kw_only=True):
    """A row of a roll-up that differs from a recount of the activities. None means that there is no row.

    The row counts activities of one type: all, or those of a contact, of a device, bounce code or complaint, of both,
    or of an hour. A row for a contact and a link has no counts.
    """

    account_id: str
    campaign_activity_id: str
    type: ActivityType
    contact_id: str | None = None
    detail: int | None = None
    url_id: str | None = None
    hour: Instant | None = None
    stored: Counts | None
    expected: Counts | None


class PermissionMismatch(msgspec.Struct, frozen=True, kw_only=True):
    """A contact whose stored permission differs from the one derived from its updates, opt-outs and sign-ups."""

    account_id: str
    contact_id: str
    stored: PermissionColumns
    expected: PermissionColumns


class DerivedMismatch(msgspec.Struct, frozen=True, kw_only=True):
    """A contact whose stored creation, lists or tags differ from those derived from its updates and activities."""

    account_id: str
    contact_id: str
    stored: DerivedContact
    expected: DerivedContact


Mismatch: TypeAlias = CounterMismatch | PermissionMismatch | DerivedMismatch


class Verification(Protocol):
    """Verifies what the store derives from activities."""

    def verify(self, *, repair: bool) -> AsyncIterator[Mismatch]:
        """Yield every mismatch: counters of campaign activities, then permissions and lists of contacts.

        Other clients may write meanwhile. With `repair`, mismatches are corrected without losing concurrent writes.
        Raises StoreUnavailable.
        """
        ...


Stats: TypeAlias = Mapping[tuple[int, int], tuple[int, int | None, int]]
"""total, contacts and last_time by type and detail."""

Hours: TypeAlias = Mapping[tuple[int, int], int]
"""The total by the hour's beginning and type."""


class CounterComparer(NamedTuple):
    """Compares the stored counters of a campaign activity with expected ones."""

    key: int
    account_id: str
    campaign_activity_id: str

    def compare_engagement(self, contact_id: str, row: Sequence[Any]) -> CounterMismatch:
        """Return the mismatch in a row of `differing_engagement`."""
        return self._mismatch(ActivityType(row[0]), _counts(row[2:4]), _counts(row[4:6]), contact_id=contact_id)

    def compare_bounced_contact(self, contact_id: str, row: Sequence[Any]) -> CounterMismatch:
        """Return the mismatch in a row of `differing_bounced_contact`."""
        stored, expected = _counts(row[2:3]), _counts(row[3:4])
        return self._mismatch(type_of_code(row[0]), stored, expected, contact_id=contact_id, detail=row[0])

    def compare_clicked_link(self, contact_id: str, url_id: str, row: Sequence[Any]) -> CounterMismatch:
        """Return the mismatch in a row of `differing_clicked_link`."""
        stored, expected = _counts(row[2:3]), _counts(row[3:4])
        return self._mismatch(ActivityType.EM_CLICKS, stored, expected, contact_id=contact_id, url_id=url_id)

    def compare_stats(self, stored: Stats, expected: Stats) -> Iterator[CounterMismatch]:
        """Yield the mismatches of the totals."""
        for activity_type, detail in sorted({*stored, *expected}):
            key = activity_type, detail
            if stored.get(key) != expected.get(key):
                yield self._mismatch(
                    ActivityType(activity_type),
                    stored.get(key),
                    expected.get(key),
                    detail=None if detail == ALL else detail,
                )

    def compare_hours(self, stored: Hours, expected: Hours) -> Iterator[CounterMismatch]:
        """Yield the mismatches of the hours."""
        for hour, activity_type in sorted({*stored, *expected}):
            totals = stored.get((hour, activity_type)), expected.get((hour, activity_type))
            if totals[0] != totals[1]:
                counts = [None if total is None else (total,) for total in totals]
                yield self._mismatch(ActivityType(activity_type), *counts, hour=Instant(hour))

    def _mismatch(
        self,
        activity_type: ActivityType,
        stored: Counts | None,
        expected: Counts | None,
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
            stored=stored,
            expected=expected,
        )


def sum_stats(rows: Iterable[Sequence[Any]]) -> Stats:
    """Sum rows of type, detail, total, contacts and last_time that have the same type and detail."""
    stats: dict[tuple[int, int], tuple[int, int | None, int]] = {}
    for activity_type, detail, total, contacts, last_time in rows:
        sums = stats.get((activity_type, detail), (0, None if contacts is None else 0, 0))
        sum_of_contacts = None if contacts is None else contacts + (sums[1] or 0)
        stats[activity_type, detail] = sums[0] + total, sum_of_contacts, max(sums[2], last_time)
    return stats


def sum_hours(rows: Iterable[Sequence[Any]]) -> Hours:
    """Sum rows of hour, type and total that have the same hour and type."""
    hours: dict[tuple[int, int], int] = {}
    for hour, activity_type, total in rows:
        hours[hour, activity_type] = hours.get((hour, activity_type), 0) + total
    return hours


def _counts(values: Sequence[Any]) -> Counts | None:
    return None if values[0] is None else tuple(values)
