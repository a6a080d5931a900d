"""The activities' contribution to the roll-ups, computed before the database is involved.

At every commit, a roll-up equals a recount of the activities. So only activities that were actually inserted are
counted, and a contact is counted where its engagement is new.
"""

from collections import Counter
from collections.abc import Iterable
from operator import itemgetter
from typing import Final, Generic, TypeAlias, TypeVar

from rapport.activity import ActivityType
from rapport.instant import HOUR

Contact = TypeVar("Contact", int, bytes)
"""A contact's key: an integer or a digest, depending on the engine."""

ALL: Final = -1
"""The detail of all activities of a type."""

StatsRow: TypeAlias = tuple[int, int, int, int, int | None, int]
"""campaign_activity, type, detail, total, contacts, last_time."""

HourRow: TypeAlias = tuple[int, int, int, int]
"""campaign_activity, hour (the instant at which it begins), type, total."""

EngagementRow: TypeAlias = tuple[int, int, Contact, int, int]
"""campaign_activity, type, contact, activities, last_time."""

COMPLAINT: Final = 100
"""The detail of opt-outs whose reason is a complaint. It is counted like a bounce code, and differs from each."""

COMPLAINT_REASONS: Final = frozenset({"complaint", "spam complaint", "spam report"})
"""The reasons of opt-outs that are complaints. The SQL of verification has the same."""

_KEY: Final = itemgetter(0)
_STATS_KEY: Final = itemgetter(0, 1, 2)

_BOUNCES: Final = int(ActivityType.EM_BOUNCES)

CountedRow: TypeAlias = tuple[int, int, Contact, int, int | None, int | None, int | None, str | None]
"""campaign_activity, type, contact, created_time, device_type, bounce_code, link and opt_out_reason."""


class _Group(Generic[Contact]):
    """The activities of one type with one campaign activity."""

    __slots__ = ("contacts", "details", "hours")

    def __init__(self) -> None:
        self.contacts: dict[Contact, tuple[int, int]] = {}
        """The number of activities and the last time, by contact."""
        self.details: dict[int, tuple[int, int]] = {}
        """The number of activities and the last time, by device type, bounce code or COMPLAINT."""
        self.hours: dict[int, int] = {}


def _increment(existing: tuple[int, int] | None, time: int) -> tuple[int, int]:
    return (1, time) if existing is None else (existing[0] + 1, max(existing[1], time))


class RollUps(Generic[Contact]):
    """The counts of activities that were inserted in one transaction."""

    def __init__(self) -> None:
        self.groups: dict[tuple[int, int], _Group[Contact]] = {}
        self._bounced: dict[tuple[int, int, Contact], int] = {}
        self._clicked: set[tuple[int, int, Contact]] = set()

    def count(self, added: Iterable[CountedRow[Contact]]) -> None:
        """Count activities."""
        groups = self.groups
        for campaign_activity, activity_type, contact, time, device_type, bounce_code, link, reason in added:
            group = groups.get((campaign_activity, activity_type))
            if group is None:
                group = groups[campaign_activity, activity_type] = _Group()
            contacts, hours = group.contacts, group.hours
            existing = contacts.get(contact)
            contacts[contact] = (1, time) if existing is None else _increment(existing, time)
            hour = time // HOUR
            hours[hour] = hours.get(hour, 0) + 1
            if link is not None:
                self._clicked.add((campaign_activity, link, contact))
            if device_type is not None:
                group.details[device_type] = _increment(group.details.get(device_type), time)
            if bounce_code is not None:
                self._count_code(group, (campaign_activity, bounce_code, contact), time)
            if reason is not None and reason in COMPLAINT_REASONS:
                self._count_code(group, (campaign_activity, COMPLAINT, contact), time)

    def _count_code(self, group: _Group[Contact], key: tuple[int, int, Contact], time: int) -> None:
        group.details[key[1]] = _increment(group.details.get(key[1]), time)
        self._bounced[key] = self._bounced.get(key, 0) + 1

    def engagement(self) -> list[EngagementRow[Contact]]:
        """Return the increments of engagement, in the order of the key."""
        return [
            (campaign_activity, activity_type, contact, activities, last_time)
            for (campaign_activity, activity_type), group in sorted(self.groups.items(), key=_KEY)
            for contact, (activities, last_time) in sorted(group.contacts.items())
        ]

    def find_common(self, other: "RollUps[Contact]") -> list[tuple[int, int, Contact]]:
        """Return the keys of engagement that both increment: campaign_activity, type, contact."""
        return [
            (campaign_activity, activity_type, contact)
            for (campaign_activity, activity_type), group in self.groups.items()
            if (campaign_activity, activity_type) in other.groups
            for contact in group.contacts.keys() & other.groups[campaign_activity, activity_type].contacts.keys()
        ]

    def bounced_contacts(self) -> list[tuple[int, int, Contact, int]]:
        """Return campaign_activity, bounce code or COMPLAINT, contact and activities, in the order of the key."""
        return [
            (campaign_activity, bounce_code, contact, activities)
            for (campaign_activity, bounce_code, contact), activities in sorted(self._bounced.items())
        ]

    def clicked_links(self) -> list[tuple[int, int, Contact]]:
        """Return campaign_activity, link and contact, in the order of the key."""
        return sorted(self._clicked)

    def hours(self) -> list[HourRow]:
        """Return the increments of the hours, in the order of the key."""
        rows = [
            (campaign_activity, hour * HOUR, activity_type, total)
            for (campaign_activity, activity_type), group in self.groups.items()
            for hour, total in group.hours.items()
        ]
        return sorted(rows)

    def stats(self) -> list[StatsRow]:
        """Return the increments of the stats, in the order of the key, as if all contacts were new.

        See `exclude_existing_contacts`.
        """
        bounced = Counter((campaign_activity, bounce_code) for campaign_activity, bounce_code, _ in self._bounced)
        rows: list[StatsRow] = []
        for (campaign_activity, activity_type), group in self.groups.items():
            last_time = max(time for _, time in group.contacts.values())
            rows.append(
                (campaign_activity, activity_type, ALL, sum(group.hours.values()), len(group.contacts), last_time)
            )
            for detail, (total, last_of_detail) in group.details.items():
                contacts = bounced[campaign_activity, detail] if counts_unique_contacts(activity_type, detail) else None
                rows.append((campaign_activity, activity_type, detail, total, contacts, last_of_detail))
        return sorted(rows, key=_STATS_KEY)


def exclude_existing_contacts(
    stats: Iterable[StatsRow],
    existing: Iterable[tuple[int, int, Contact]],
    existing_bounced: Iterable[tuple[int, int, Contact]],
) -> list[StatsRow]:
    """Subtract the contacts whose engagement, bounces with a code or complaints existed already from the stats."""
    counts = Counter((campaign_activity, activity_type, ALL) for campaign_activity, activity_type, _ in existing)
    counts.update((campaign_activity, type_of_code(code), code) for campaign_activity, code, _ in existing_bounced)
    return [
        (
            campaign_activity,
            activity_type,
            detail,
            total,
            None if contacts is None else contacts - counts[campaign_activity, activity_type, detail],
            last_time,
        )
        for campaign_activity, activity_type, detail, total, contacts, last_time in stats
    ]


def counts_unique_contacts(activity_type: int, detail: int) -> bool:
    """Return True if the stats of a detail count contacts: for all of a type, for bounce codes and for complaints."""
    return detail in (ALL, COMPLAINT) or activity_type == _BOUNCES


def type_of_code(code: int) -> ActivityType:
    """Return the type of the activities that are counted with a bounce code, or with COMPLAINT."""
    return ActivityType.EM_OPTOUTS if code == COMPLAINT else ActivityType.EM_BOUNCES
