"""Batches of activities, prepared for a store: everything they name once, and rows that refer to it by index.

Built where activities arrive, so that little is left to do in the transaction. The same for every engine, and of plain
values only, so that a batch can go from one process to another.
"""

from collections.abc import Hashable, Iterable
from typing import Final, NamedTuple, TypeAlias

import msgspec
from msgspec.structs import astuple

from rapport.activity import Activity, ActivityType, ContactProfile, Link
from rapport.instant import MAX_INSTANT

Row: TypeAlias = tuple[int, int, int, int, int | None, int | None, int | None, int | None, str | None, str | None]
"""An activity without its type: index of the contact, created_time, identity, indexes of the campaign activity, the
profile and the link, device_type, bounce_code, opt_out_reason, event_id."""

ROW_CONTACT: Final = 0
ROW_TIME: Final = 1
ROW_IDENTITY: Final = 2
ROW_PROFILE: Final = 4
ROW_LINK: Final = 5
ROW_OPT_OUT_REASON: Final = 8
ROW_EVENT_ID: Final = 9

ProfileRow: TypeAlias = tuple[int, str | None, str | None, str | None, int]
"""A reported profile: index of the contact, email_address, first_name, last_name, latest time."""


class TimestampedValue(NamedTuple):
    """A value and the time at which it was set."""

    value: str
    created_time: int


class CampaignActivityRef(NamedTuple):
    """A campaign activity, and the latest values of its name and its campaign in the batch."""

    campaign_activity_id: str
    campaign_activity_name: TimestampedValue | None
    campaign_id: TimestampedValue | None


class LinkRef(NamedTuple):
    """A link, and the index of its campaign activity."""

    campaign_activity: int
    link_url: str | None
    url_id: str | None


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Activities of one account that are recorded together. Made by a `BatchBuilder`.

    `size` counts all of them; `rows` leaves out repeated deliveries of an event.
    """

    account_id: str
    size: int
    contacts: list[str]
    profiles: list[ProfileRow]
    campaign_activities: list[CampaignActivityRef]
    links: list[LinkRef]
    rows: dict[ActivityType, list[Row]]


_CHARACTERS_PER_ACTIVITY: Final = 250
"""Characters of long text that take as much memory as an activity."""

Part: TypeAlias = tuple[Hashable, Batch]
"""The key of a part of a store, and the activities that belong to it."""


def weigh(batch: Batch) -> int:
    """Estimate the memory that a batch takes, as a number of typical activities."""
    text = sum(len(link.link_url or "") for link in batch.links)
    text += sum(len(value or "") for profile in batch.profiles for value in profile[1:4])
    text += sum(len(row[ROW_OPT_OUT_REASON] or "") for row in batch.rows.get(ActivityType.EM_OPTOUTS, ()))
    return batch.size + text // _CHARACTERS_PER_ACTIVITY


def build_batch(account_id: str, activities: Iterable[Activity]) -> Batch:
    """Return a batch of these activities."""
    builder = BatchBuilder()
    builder.extend(activities)
    return builder.batch(account_id)


def find_first_times(batch: Batch) -> list[int]:
    """Return the earliest time of each contact's activities, by index; a contact always has one."""
    first_times: list[int] = [MAX_INSTANT] * len(batch.contacts)
    for rows in batch.rows.values():
        for row in rows:
            if row[1] < first_times[row[0]]:  # noqa: PLR1730 - min() takes three times as long
                first_times[row[0]] = row[1]
    return first_times


class _CampaignActivity:
    """The index of a campaign activity, and the latest values of its name and its campaign."""

    __slots__ = ("campaign_id", "index", "name")

    def __init__(self, index: int) -> None:
        self.index = index
        self.name: TimestampedValue | None = None
        self.campaign_id: TimestampedValue | None = None

    def merge(self, activity: Activity) -> None:
        """Merge the name and the campaign of an activity: the later wins, of two with the same time the last one."""
        name, campaign_id, time = activity.campaign_activity_name, activity.campaign_id, activity.created_time
        if name is not None and (self.name is None or time >= self.name.created_time):
            self.name = TimestampedValue(name, time)
        if campaign_id is not None and (self.campaign_id is None or time >= self.campaign_id.created_time):
            self.campaign_id = TimestampedValue(campaign_id, time)


class BatchBuilder:
    """Builds a batch. Contacts, profiles and so on are numbered in the order in which they first occur."""

    def __init__(self) -> None:
        self._size = 0
        self._links: dict[tuple[int, Link], int] = {}
        # By the numbers of the types: an enum is slow as the key of a dictionary.
        self._rows: list[list[Row]] = [[] for _ in ActivityType]
        self._contacts: dict[str, int] = {}
        self._profiles: dict[tuple[int, ContactProfile], int] = {}
        self._profile_times: list[int] = []
        self._campaign_activities: dict[str, _CampaignActivity] = {}
        self._events: set[tuple[int, int]] = set()

    def extend(self, activities: Iterable[Activity]) -> None:
        """Add activities. Only the first delivery of an event counts."""
        contacts, campaign_activities, links, rows = self._contacts, self._campaign_activities, self._links, self._rows
        for activity in activities:
            self._size += 1
            contact = contacts.setdefault(activity.contact_id, len(contacts))
            event_id, identity = activity.event_id, activity.identity
            if event_id is not None and self._is_known_event(contact, identity):
                continue
            campaign_activity = campaign_activities.get(activity.campaign_activity_id)
            if campaign_activity is None:
                campaign_activity = _CampaignActivity(len(campaign_activities))
                campaign_activities[activity.campaign_activity_id] = campaign_activity
            if activity.campaign_activity_name is not None or activity.campaign_id is not None:
                campaign_activity.merge(activity)
            profile = link = None
            if activity.person is not None:
                profile = self._add_profile(contact, activity.person, activity.created_time)
            if activity.link is not None:
                link = links.setdefault((campaign_activity.index, activity.link), len(links))
            row = (
                contact,
                activity.created_time,
                identity,
                campaign_activity.index,
                profile,
                link,
                activity.device_type,
                activity.bounce_code,
                activity.opt_out_reason,
                event_id,
            )
            rows[activity.type].append(row)

    def _add_profile(self, contact: int, profile: ContactProfile, created_time: int) -> int:
        index = self._profiles.setdefault((contact, profile), len(self._profiles))
        if index == len(self._profile_times):
            self._profile_times.append(created_time)
        elif created_time > self._profile_times[index]:
            self._profile_times[index] = created_time
        return index

    def _is_known_event(self, contact: int, identity: int) -> bool:
        is_known = (contact, identity) in self._events
        self._events.add((contact, identity))
        return is_known

    def batch(self, account_id: str) -> Batch:
        """Return a batch of the activities that were added."""
        return Batch(
            account_id=account_id,
            size=self._size,
            contacts=list(self._contacts),
            profiles=[
                (contact, *astuple(profile), time)
                for (contact, profile), time in zip(self._profiles, self._profile_times, strict=True)
            ],
            campaign_activities=[
                CampaignActivityRef(campaign_activity_id, latest.name, latest.campaign_id)
                for campaign_activity_id, latest in self._campaign_activities.items()
            ],
            links=[LinkRef(index, *astuple(link)) for index, link in self._links],
            rows={
                activity_type: self._rows[activity_type] for activity_type in ActivityType if self._rows[activity_type]
            },
        )
