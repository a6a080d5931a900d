"""What activities add to the roll-ups, worked out before the database is asked. Pure; the same for every engine.

The rule: a roll-up is at every commit what a recount of the activities gives. So only activities that were really
added are counted, and a contact is counted where its engagement is new.
"""

from collections import Counter
from collections.abc import Iterable
from operator import itemgetter
from typing import Final, Generic, TypeAlias, TypeVar

from rapport.activity import ActivityType
from rapport.instant import HOUR

Contact = TypeVar("Contact", int, bytes)
"""A contact's key, as the engine has it."""

ALL: Final = -1
"""In the place of a detail: all activities of the type."""

StatsRow: TypeAlias = tuple[int, int, int, int, int | None, int]
"""campaign_activity, type, detail, total, contacts, last_time."""

HourRow: TypeAlias = tuple[int, int, int, int]
"""campaign_activity, hour, type, total; the hour is given by the instant at which it begins."""

EngagementRow: TypeAlias = tuple[int, int, Contact, int, int]
"""campaign_activity, type, contact, activities, last_time."""

_BOUNCES: Final = int(ActivityType.EM_BOUNCES)


class _Counts:
    """Activities that share a key of a roll-up."""

    __slots__ = ("contacts", "last_time", "total")

    def __init__(self) -> None:
        self.total = 0
        self.contacts = 0
        self.last_time = 0

    def add(self, total: int, last_time: int) -> None:
        self.total += total
        self.last_time = max(self.last_time, last_time)


class RollUps(Generic[Contact]):
    """The counts of activities that were added in one transaction."""

    def __init__(self) -> None:
        self._engagement: dict[tuple[int, int, Contact], tuple[int, int]] = {}
        self._bounced: dict[tuple[int, int, Contact], int] = {}
        self._clicked: set[tuple[int, int, Contact]] = set()
        self._details: dict[tuple[int, int, int], _Counts] = {}
        self._hours: dict[tuple[int, int, int], int] = {}

    def count(self, added: Iterable[tuple[int, int, Contact, int, int | None, int | None, int | None]]) -> None:
        """Count them: campaign_activity, type, contact, created_time, device_type, bounce_code and link of each."""
        engagement, hours = self._engagement, self._hours
        for campaign_activity, kind, contact, time, device_type, bounce_code, link in added:
            key = campaign_activity, kind, contact
            known = engagement.get(key)
            if known is None:
                engagement[key] = 1, time
            else:
                activities, last_time = known
                engagement[key] = activities + 1, max(last_time, time)
            in_hour = campaign_activity, time - time % HOUR, kind
            hours[in_hour] = hours.get(in_hour, 0) + 1
            if link is not None:
                self._clicked.add((campaign_activity, link, contact))
            if device_type is not None:
                self._detail(campaign_activity, kind, device_type).add(1, time)
            elif bounce_code is not None:
                self._detail(campaign_activity, kind, bounce_code).add(1, time)
                bounced = campaign_activity, bounce_code, contact
                self._bounced[bounced] = self._bounced.get(bounced, 0) + 1

    def _detail(self, campaign_activity: int, kind: int, detail: int) -> _Counts:
        return self._details.setdefault((campaign_activity, kind, detail), _Counts())

    def engagement(self) -> list[EngagementRow[Contact]]:
        """What engagement grows by, in the order of the key."""
        rows = [
            (campaign_activity, kind, contact, activities, last_time)
            for (campaign_activity, kind, contact), (activities, last_time) in self._engagement.items()
        ]
        # Afterwards: flat rows sort twice as fast as their keys beside their counts.
        rows.sort()
        return rows

    def bounced_contacts(self) -> list[tuple[int, int, Contact, int]]:
        """campaign_activity, bounce_code, contact, activities: in the order of the key."""
        return [
            (campaign_activity, bounce_code, contact, activities)
            for (campaign_activity, bounce_code, contact), activities in sorted(self._bounced.items())
        ]

    def clicked_links(self) -> list[tuple[int, int, Contact]]:
        """campaign_activity, link, contact: in the order of the key."""
        return sorted(self._clicked)

    def hours(self) -> list[HourRow]:
        """What the hours grow by, in the order of the key."""
        return [
            (campaign_activity, hour, kind, total)
            for (campaign_activity, hour, kind), total in sorted(self._hours.items())
        ]

    def stats(self) -> list[StatsRow]:
        """What the stats grow by, in the order of their key, if none of these contacts was known: see `less_known`."""
        stats = dict(self._details)
        for (campaign_activity, kind, _), (activities, last_time) in self._engagement.items():
            key = campaign_activity, kind, ALL
            counts = stats.get(key)
            if counts is None:
                counts = stats[key] = _Counts()
            counts.add(activities, last_time)
            counts.contacts += 1
        bounced = Counter((campaign_activity, bounce_code) for campaign_activity, bounce_code, _ in self._bounced)
        for (campaign_activity, bounce_code), contacts in bounced.items():
            stats[campaign_activity, _BOUNCES, bounce_code].contacts = contacts
        return [
            (
                campaign_activity,
                kind,
                detail,
                each.total,
                each.contacts if has_contacts(kind, detail) else None,
                each.last_time,
            )
            for (campaign_activity, kind, detail), each in sorted(stats.items(), key=itemgetter(0))
        ]


def less_known(
    stats: Iterable[StatsRow],
    known: Iterable[tuple[int, int, Contact]],
    known_bounced: Iterable[tuple[int, int, Contact]],
) -> list[StatsRow]:
    """The stats without the contacts whose engagement was there already, and those whom these bounces were known of."""
    there = Counter((campaign_activity, kind, ALL) for campaign_activity, kind, _ in known)
    there.update((campaign_activity, _BOUNCES, bounce_code) for campaign_activity, bounce_code, _ in known_bounced)
    return [
        (
            campaign_activity,
            kind,
            detail,
            total,
            None if contacts is None else contacts - there[campaign_activity, kind, detail],
            last_time,
        )
        for campaign_activity, kind, detail, total, contacts, last_time in stats
    ]


def has_contacts(kind: int, detail: int) -> bool:
    """Whether the stats of a detail count contacts: all of a type, and the bounce codes."""
    return detail == ALL or kind == _BOUNCES
