"""What erasing a contact leaves behind, and what it keeps from coming back. Pure; the same for every engine.

The rule: nothing of the person stays, and the numbers of a campaign do. What was counted of the contact is added to the
erased counts, which a recount starts from. What comes in later about the time before is refused, or the next replay of
an old file would bring the person back.
"""

from collections.abc import Iterable, Mapping
from typing import Final, Generic, NamedTuple

from rapport.instant import Instant
from rapport.store.batch import Batch, NamedCampaignActivity, NamedLink, Row
from rapport.store.links import MergedLink
from rapport.store.rollups import Contact, HourRow, RollUps, StatsRow

_NEVER: Final = Instant(-1)


class Erasing(Generic[Contact]):
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

    def erased_from(self, now: Instant) -> Instant:
        """Until when activities of the contact are refused: what lies a little ahead of us is among them."""
        return Instant(max([now, *(last_time for *_, last_time in self.stats)]))

    def clicks_of(self, campaign_activity: int, links: Iterable[MergedLink]) -> list[tuple[int, int, int]]:
        """campaign_activity, link and 1 for each of its links that was clicked; of links that are one, the first."""
        clicked = {link for of, link, _ in self.clicked if of == campaign_activity}
        return [(campaign_activity, link.key, 1) for link in links if not clicked.isdisjoint(link.keys)]


class ErasedLink(NamedTuple):
    """How many erased contacts clicked a link."""

    campaign_activity_id: str
    link_url: str | None
    url_id: str | None
    contacts: int


class ErasedCount(NamedTuple):
    """What erased contacts are counted with in the stats of a campaign activity; see `StatsRow`."""

    campaign_activity_id: str
    type: int
    detail: int
    total: int
    contacts: int | None
    last_time: int


class ErasedHour(NamedTuple):
    """With how many activities erased contacts are counted in an hour of a campaign activity; see `HourRow`."""

    campaign_activity_id: str
    hour: int
    type: int
    total: int


class Erased(NamedTuple):
    """What is left of the erased contacts of an account: digests and times that refuse them, and their counts."""

    contacts: list[tuple[bytes, Instant]]
    counts: list[ErasedCount]
    hours: list[ErasedHour]
    links: list[ErasedLink]

    @property
    def campaign_activity_ids(self) -> list[str]:
        """The campaign activities that any of it is about, each once."""
        about: tuple[ErasedCount | ErasedHour | ErasedLink, ...] = (*self.counts, *self.hours, *self.links)
        return sorted({each.campaign_activity_id for each in about})


def named_in_erased(account_id: str, erased: Erased) -> Batch:
    """The campaign activities and links of erased contacts, in their order, as a batch that has them come to be."""
    named = erased.campaign_activity_ids
    places = {campaign_activity_id: place for place, campaign_activity_id in enumerate(named)}
    links = [NamedLink(places[each.campaign_activity_id], each.link_url, each.url_id) for each in erased.links]
    return Batch(
        account_id=account_id,
        size=0,
        contacts=[],
        said=[],
        campaign_activities=[NamedCampaignActivity(each, None, None) for each in named],
        links=links,
        rows={},
    )


def without_erased(batch: Batch, erased: Mapping[int, Instant]) -> Batch:
    """The batch without what contacts, given by their places, did until they were erased.

    Its size stays: what is left out was recorded once, and counts as a duplicate.
    """
    if not erased:
        return batch
    rows = {
        kind: [row for row in of_kind if row[1] > erased.get(row[0], _NEVER)] for kind, of_kind in batch.rows.items()
    }
    kept = [row for of_kind in rows.values() for row in of_kind]
    did, said = {row[0] for row in kept}, {row[4] for row in kept}
    contacts = [place for place in range(len(batch.contacts)) if place in did or place not in erased]
    sayings = [place for place, row in enumerate(batch.said) if place in said or row[0] not in erased]
    contact_at = {place: number for number, place in enumerate(contacts)}
    said_at: dict[int | None, int | None] = {None: None, **{place: number for number, place in enumerate(sayings)}}

    def moved(row: Row) -> Row:
        return (contact_at[row[0]], *row[1:4], said_at[row[4]], *row[5:])

    return Batch(
        account_id=batch.account_id,
        size=batch.size,
        contacts=[batch.contacts[place] for place in contacts],
        said=[(contact_at[row[0]], *row[1:]) for row in (batch.said[place] for place in sayings)],
        campaign_activities=batch.campaign_activities,
        links=batch.links,
        rows={kind: [moved(row) for row in of_kind] for kind, of_kind in rows.items() if of_kind},
    )
