"""Activities that came in together, made ready for a store: each thing they name once, each activity a row of places.

Pure, and done where the activities come in, so that little is left to do within the transaction. The same for every
engine, and of plain values only: it may go from one process to another.
"""

from collections.abc import Hashable, Iterable
from typing import Final, NamedTuple, TypeAlias

import msgspec
from msgspec.structs import astuple

from rapport.activity import Activity, ActivityType, ContactProfile, Link

Row: TypeAlias = tuple[int, int, int, int, int | None, int | None, int | None, int | None, str | None, str | None]
"""An activity without its type: the place of its contact, created_time, identity, the places of its campaign
activity, of what it says of its contact, and of its link, device_type, bounce_code, opt_out_reason, event_id."""

ProfileRow: TypeAlias = tuple[int, str | None, str | None, str | None, int]
"""What is said of a contact: the contact's place, email_address, first_name, last_name, and the latest time of it."""


class TimestampedValue(NamedTuple):
    """A value, and the time of the activity that states it."""

    value: str
    created_time: int


class CampaignActivityRef(NamedTuple):
    """A campaign activity, and the latest that the batch states of its name and its campaign."""

    campaign_activity_id: str
    campaign_activity_name: TimestampedValue | None
    campaign_id: TimestampedValue | None


class LinkRef(NamedTuple):
    """A link, and the place of the campaign activity that it belongs to."""

    campaign_activity: int
    link_url: str | None
    url_id: str | None


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Activities of one account that are recorded, and counted, together. A `BatchBuilder` makes it.

    `size` counts all of them; `rows` leaves out repeated deliveries of an event.
    """

    account_id: str
    size: int
    contacts: list[str]
    said: list[ProfileRow]
    campaign_activities: list[CampaignActivityRef]
    links: list[LinkRef]
    rows: dict[ActivityType, list[Row]]


_TEXT_OF_ONE: Final = 250
"""Characters of long text that weigh as much as an activity."""


Part: TypeAlias = tuple[Hashable, Batch]
"""What a batch has for one part of a store, and the key of that part."""


def weigh(batch: Batch) -> int:
    """Return how much memory a batch takes, counted in usual activities: more if its texts are long."""
    text = sum(len(link.link_url or "") for link in batch.links)
    text += sum(len(value or "") for said in batch.said for value in said[1:4])
    text += sum(len(row[8] or "") for row in batch.rows.get(ActivityType.EM_OPTOUTS, ()))
    return batch.size + text // _TEXT_OF_ONE


def build_batch(account_id: str, activities: Iterable[Activity]) -> Batch:
    """The batch of these activities."""
    gathering = BatchBuilder()
    gathering.extend(activities)
    return gathering.batch(account_id)


class _Facts:
    """The latest that is stated of a campaign activity."""

    __slots__ = ("campaign_id", "name", "place")

    def __init__(self, place: int) -> None:
        self.place = place
        self.name: TimestampedValue | None = None
        self.campaign_id: TimestampedValue | None = None

    def state(self, activity: Activity) -> None:
        """Take over what the activity states. Of two statements the later holds, at the same time what came last."""
        name, campaign_id, time = activity.campaign_activity_name, activity.campaign_id, activity.created_time
        if name is not None and (self.name is None or time >= self.name.created_time):
            self.name = TimestampedValue(name, time)
        if campaign_id is not None and (self.campaign_id is None or time >= self.campaign_id.created_time):
            self.campaign_id = TimestampedValue(campaign_id, time)


class BatchBuilder:
    """A batch in the making. Everything has the place at which it was first named."""

    def __init__(self) -> None:
        self._size = 0
        self._links: dict[tuple[int, Link], int] = {}
        # By the numbers of the types: an enum is slow as the key of a dictionary.
        self._rows: list[list[Row]] = [[] for _ in ActivityType]
        self._contacts: dict[str, int] = {}
        self._said: dict[tuple[int, ContactProfile], int] = {}
        self._said_at: list[int] = []
        self._campaign_activities: dict[str, _Facts] = {}
        self._events: set[tuple[int, int]] = set()

    def extend(self, activities: Iterable[Activity]) -> None:
        """More activities. Of an event that is delivered several times, the first delivery counts."""
        contacts, load_attributes, links, rows = self._contacts, self._campaign_activities, self._links, self._rows
        for activity in activities:
            self._size += 1
            contact = contacts.setdefault(activity.contact_id, len(contacts))
            event_id, identity = activity.event_id, activity.identity
            if event_id is not None and self._is_known_event(contact, identity):
                continue
            facts = load_attributes.get(activity.campaign_activity_id)
            if facts is None:
                facts = load_attributes[activity.campaign_activity_id] = _Facts(len(load_attributes))
            if activity.campaign_activity_name is not None or activity.campaign_id is not None:
                facts.state(activity)
            said = link = None
            if activity.person is not None:
                said = self._say(contact, activity.person, activity.created_time)
            if activity.link is not None:
                link = links.setdefault((facts.place, activity.link), len(links))
            row = (
                contact,
                activity.created_time,
                identity,
                facts.place,
                said,
                link,
                activity.device_type,
                activity.bounce_code,
                activity.opt_out_reason,
                event_id,
            )
            rows[activity.type].append(row)

    def _say(self, contact: int, person: ContactProfile, created_time: int) -> int:
        place = self._said.setdefault((contact, person), len(self._said))
        if place == len(self._said_at):
            self._said_at.append(created_time)
        elif created_time > self._said_at[place]:
            self._said_at[place] = created_time
        return place

    def _is_known_event(self, contact: int, identity: int) -> bool:
        known = (contact, identity) in self._events
        self._events.add((contact, identity))
        return known

    def batch(self, account_id: str) -> Batch:
        """The batch of the activities so far."""
        return Batch(
            account_id=account_id,
            size=self._size,
            contacts=list(self._contacts),
            said=[
                (contact, *astuple(person), time)
                for (contact, person), time in zip(self._said, self._said_at, strict=True)
            ],
            campaign_activities=[
                CampaignActivityRef(campaign_activity_id, facts.name, facts.campaign_id)
                for campaign_activity_id, facts in self._campaign_activities.items()
            ],
            links=[LinkRef(place, *astuple(link)) for place, link in self._links],
            rows={
                activity_type: self._rows[activity_type] for activity_type in ActivityType if self._rows[activity_type]
            },
        )
