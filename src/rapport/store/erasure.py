"""What erasing a contact leaves behind, and what it keeps from coming back. Pure; the same for every engine.

The rule: nothing of the person stays, and the numbers of a campaign do. What was counted of the contact is added to the
erased counts, which a recount starts from. What comes in later about the time before is refused, or the next replay of
an old file would bring the person back. Links that nobody else clicked may be personal: they lose their addresses.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Generic, NamedTuple

from rapport.instant import HOUR, Instant
from rapport.store.batch import Batch, CampaignActivityRef, LinkRef, Row
from rapport.store.links import MergedLink
from rapport.store.rollups import Contact, HourRow, RollUps, StatsRow

_NEVER: Final = Instant(-1)


class ErasureSnapshot(Generic[Contact]):
    """What one contact was counted with.

    Of each of its activities campaign_activity, type, contact, created_time, device_type, bounce_code and link.
    """

    engagement: list[tuple[int, int, Contact]]
    bounced: list[tuple[int, int, Contact]]
    clicked: list[tuple[int, int, Contact]]

    def __init__(self, activities: Iterable[tuple[int, int, Contact, int, int | None, int | None, int | None]]) -> None:
        counted = RollUps[Contact]()
        counted.count(activities)
        self.engagement = [row[:3] for row in counted.engagement()]
        self.bounced = [row[:3] for row in counted.bounced_contacts()]
        self.clicked = counted.clicked_links()
        self.stats: list[StatsRow] = counted.stats()
        self.hours: list[HourRow] = counted.hours()

    @property
    def campaign_activities(self) -> list[int]:
        """Those of which links were clicked."""
        return sorted({campaign_activity for campaign_activity, _, _ in self.clicked})

    @property
    def last_time(self) -> Instant:
        """The time of the contact's last activity; 0 if it has none."""
        return Instant(max((last_time for *_, last_time in self.stats), default=0))

    def clicked_in(self, campaign_activity: int) -> set[int]:
        """Return the links of a campaign activity that the contact clicked."""
        return {link for of, link, _ in self.clicked if of == campaign_activity}


class LinkErasure:
    """What becomes of the links of a campaign activity when those who clicked some of them are erased.

    `clicked` are the links that the erased clicked, `others` those that somebody else clicked as well. A link that is
    in `clicked` alone is forgotten. Of the links that share an address, one keeps the count: one that somebody else
    clicked, or else one that is forgotten.
    """

    def __init__(self, links: Iterable[MergedLink], clicked: set[int], others: set[int]) -> None:
        self.counted: list[int] = []
        """The links that keep a count, one for each address that was clicked."""
        self.moved: list[tuple[int, int]] = []
        """Links whose earlier counts move to another one, and that one."""
        self.emptied: list[int] = []
        """Links that stay for the sake of their count, without their address and id."""
        self.removed: list[int] = []
        """Links that go."""
        for link in links:
            forgotten = [key for key in link.keys if key in clicked and key not in others]
            kept = [key for key in link.keys if key in others]
            if not clicked.isdisjoint(link.keys):
                self._erase(forgotten, kept)

    def _erase(self, forgotten: Sequence[int], kept: Sequence[int]) -> None:
        counted = kept[0] if kept else forgotten[0]
        self.counted.append(counted)
        self.moved += [(key, counted) for key in forgotten if key != counted]
        self.removed += [key for key in forgotten if key != counted]
        if not kept:
            self.emptied.append(counted)


class ErasedContact(NamedTuple):
    """By what an erased contact is recognised, when it was erased, and the time of what was known of it last."""

    digest: bytes
    erased_time: Instant
    last_time: Instant


def erased_contact(digest: bytes, now: Instant, last_time: Instant) -> ErasedContact:
    """Return what refuses a contact that is erased now: all until now, and what it did a little ahead of our clock."""
    return ErasedContact(digest, max(now, last_time), last_time)


def refused_until(erased_time: Instant, last_time: Instant, now: Instant) -> Instant:
    """Return the time until which activities of an erased contact are refused.

    An erasure that lies in the future was made while the clock was wrong. Nobody knows when it really was; after what
    the contact was known to have done.
    """
    return last_time if erased_time > now + HOUR else erased_time


class TombstoneLink(NamedTuple):
    """How many erased contacts clicked a link."""

    campaign_activity_id: str
    link_url: str | None
    url_id: str | None
    contacts: int


class TombstoneCount(NamedTuple):
    """What erased contacts are counted with in the stats of a campaign activity; see `StatsRow`."""

    campaign_activity_id: str
    type: int
    detail: int
    total: int
    contacts: int | None
    last_time: int


class TombstoneHour(NamedTuple):
    """With how many activities erased contacts are counted in an hour of a campaign activity; see `HourRow`."""

    campaign_activity_id: str
    hour: int
    type: int
    total: int


class Tombstones(NamedTuple):
    """What is left of the erased contacts of an account: digests and times that refuse them, and their counts."""

    contacts: list[ErasedContact]
    counts: list[TombstoneCount]
    hours: list[TombstoneHour]
    links: list[TombstoneLink]

    @property
    def campaign_activity_ids(self) -> list[str]:
        """The campaign activities that any of it is about, each once."""
        about: tuple[TombstoneCount | TombstoneHour | TombstoneLink, ...] = (*self.counts, *self.hours, *self.links)
        return sorted({each.campaign_activity_id for each in about})


def named_in_erased(account_id: str, erased: Tombstones) -> Batch:
    """The campaign activities and links of erased contacts, in their order, as a batch that has them come to be."""
    named = erased.campaign_activity_ids
    places = {campaign_activity_id: place for place, campaign_activity_id in enumerate(named)}
    links = [LinkRef(places[each.campaign_activity_id], each.link_url, each.url_id) for each in erased.links]
    return Batch(
        account_id=account_id,
        size=0,
        contacts=[],
        said=[],
        campaign_activities=[CampaignActivityRef(each, None, None) for each in named],
        links=links,
        rows={},
    )


def drop_erased(batch: Batch, erased: Mapping[int, Instant]) -> Batch:
    """The batch without what contacts, given by their places, did until they were erased.

    Its size stays: what is left out was recorded once, and counts as a duplicate.
    """
    if not erased:
        return batch
    rows = {
        activity_type: [row for row in of_kind if row[1] > erased.get(row[0], _NEVER)]
        for activity_type, of_kind in batch.rows.items()
    }
    kept = [row for of_kind in rows.values() for row in of_kind]
    did, said = {row[0] for row in kept}, {row[4] for row in kept}
    clicked = {row[5] for row in kept}
    # A link that only an erased contact clicked would come back with its address.
    links = [place for place in range(len(batch.links)) if place in clicked]
    contacts = [place for place in range(len(batch.contacts)) if place in did or place not in erased]
    sayings = [place for place, row in enumerate(batch.said) if place in said or row[0] not in erased]
    contact_at = {place: number for number, place in enumerate(contacts)}
    said_at: dict[int | None, int | None] = {None: None, **{place: number for number, place in enumerate(sayings)}}
    link_at: dict[int | None, int | None] = {None: None, **{place: number for number, place in enumerate(links)}}

    def moved(row: Row) -> Row:
        return (contact_at[row[0]], *row[1:4], said_at[row[4]], link_at[row[5]], *row[6:])

    return Batch(
        account_id=batch.account_id,
        size=batch.size,
        contacts=[batch.contacts[place] for place in contacts],
        said=[(contact_at[row[0]], *row[1:]) for row in (batch.said[place] for place in sayings)],
        campaign_activities=batch.campaign_activities,
        links=[batch.links[place] for place in links],
        rows={activity_type: [moved(row) for row in of_kind] for activity_type, of_kind in rows.items() if of_kind},
    )
