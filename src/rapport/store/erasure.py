"""Erasure of contacts, and the tombstones that remain.

Nothing personal remains, and the numbers of a campaign stay the same. The contact's counts are added to the erased
counts, from which a recount starts. Activities that arrive later but happened before the erasure are refused; otherwise
importing an old file again would bring the contact back. Links that nobody else clicked may be personal, so they
lose their addresses.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Generic, NamedTuple

from rapport.instant import HOUR, Instant
from rapport.store.batch import (
    ROW_CONTACT,
    ROW_LINK,
    ROW_PROFILE,
    ROW_TIME,
    Batch,
    CampaignActivityRef,
    LinkRef,
    Row,
)
from rapport.store.contacts import ContactRepository
from rapport.store.hooks import HookRepository
from rapport.store.links import MergedLink
from rapport.store.merges import MergeRepository
from rapport.store.rollups import Contact, CountedRow, HourRow, RollUps, StatsRow
from rapport.store.sql_engine import Row as SqlRow
from rapport.store.sql_engine import SqlEngine

_NEVER: Final = Instant(-1)


class ErasureSnapshot(Generic[Contact]):
    """The counts of one contact."""

    engagement: list[tuple[int, int, Contact]]
    bounced: list[tuple[int, int, Contact]]
    clicked: list[tuple[int, int, Contact]]

    def __init__(self, activities: Iterable[CountedRow[Contact]]) -> None:
        counted = RollUps[Contact]()
        counted.count(activities)
        self.engagement = [row[:3] for row in counted.engagement()]
        self.bounced = [row[:3] for row in counted.bounced_contacts()]
        self.clicked = counted.clicked_links()
        self.stats: list[StatsRow] = counted.stats()
        self.hours: list[HourRow] = counted.hours()

    @property
    def campaign_activities(self) -> list[int]:
        """Return the campaign activities with clicked links."""
        return sorted({campaign_activity for campaign_activity, _, _ in self.clicked})

    @property
    def last_time(self) -> Instant:
        """Return the time of the contact's last activity, or 0."""
        return Instant(max((last_time for *_, last_time in self.stats), default=0))

    def clicked_in(self, campaign_activity: int) -> set[int]:
        """Return the links of a campaign activity that the contact clicked."""
        return {link for key, link, _ in self.clicked if key == campaign_activity}


class LinkErasure:
    """The changes to the links of a campaign activity when contacts that clicked some of them are erased.

    `clicked` are the links that erased contacts clicked, `others` those that other contacts clicked as well. A link
    that is only in `clicked` is forgotten. Of the links that share an address, one keeps the count: one that other
    contacts clicked, or else a forgotten one.
    """

    def __init__(self, links: Iterable[MergedLink], clicked: set[int], others: set[int]) -> None:
        self.counted: list[int] = []
        """Links that keep a count, one for each clicked address."""
        self.moved: list[tuple[int, int]] = []
        """Links whose earlier counts move to another one, and that link."""
        self.emptied: list[int] = []
        """Links that remain because of their count, without address and id."""
        self.removed: list[int] = []
        """Links that are deleted."""
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
    """The digest that identifies an erased contact, when it was erased, and the time of its last activity or update."""

    digest: bytes
    erased_time: Instant
    last_time: Instant


def new_tombstone(digest: bytes, now: Instant, last_time: Instant) -> ErasedContact:
    """Return the tombstone of a contact that is erased now.

    It also covers activities whose time is slightly ahead of our clock.
    """
    return ErasedContact(digest, max(now, last_time), last_time)


def erased_until(erased_time: Instant, last_time: Instant, now: Instant) -> Instant:
    """Return the time until which activities of an erased contact are refused.

    An erasure in the future was made while the clock was wrong. Its real time is unknown, but it was after the
    contact's last activity.
    """
    return last_time if erased_time > now + HOUR else erased_time


class TombstoneLink(NamedTuple):
    """The number of erased contacts that clicked a link."""

    campaign_activity_id: str
    link_url: str | None
    url_id: str | None
    contacts: int


class TombstoneCount(NamedTuple):
    """The share of erased contacts in the stats of a campaign activity; see `StatsRow`."""

    campaign_activity_id: str
    type: int
    detail: int
    total: int
    contacts: int | None
    last_time: int


class TombstoneHour(NamedTuple):
    """The number of activities of erased contacts in an hour of a campaign activity; see `HourRow`."""

    campaign_activity_id: str
    hour: int
    type: int
    total: int


class Tombstones(NamedTuple):
    """The remains of an account's erased contacts: counts, and digests and times that keep old activities out."""

    contacts: list[ErasedContact]
    counts: list[TombstoneCount]
    hours: list[TombstoneHour]
    links: list[TombstoneLink]

    @property
    def campaign_activity_ids(self) -> list[str]:
        """Return the ids of all campaign activities in the tombstones, without duplicates."""
        entries: tuple[TombstoneCount | TombstoneHour | TombstoneLink, ...] = (*self.counts, *self.hours, *self.links)
        return sorted({entry.campaign_activity_id for entry in entries})


class Erasure(ABC):
    """Erases contacts. Every method raises StoreUnavailable."""

    def __init__(
        self, engine: SqlEngine, contacts: ContactRepository, hooks: HookRepository, merges: MergeRepository
    ) -> None:
        self._engine = engine
        self._merges = merges
        self._contacts = contacts
        self._hooks = hooks
        self._sql = engine.sql["erasure"]

    async def erase(self, account_id: str, contact_id: str, tombstone: ErasedContact | None = None) -> bool:
        """Erase a contact and all its activities for good; the counts of its campaigns stay the same.

        All ids that were merged with it are erased together. Return True if the contact existed. Activities that
        happened until now are refused from now on, and count as duplicates. With `tombstone`, the contact's tombstone
        in another store, those are refused that happened until the erasure there.
        """
        contact_id = await self._merges.resolve(account_id, contact_id)
        contact = await self._contacts.get(account_id, contact_id)
        for old_id in await self._merges.list_old_ids(account_id, contact_id):
            await self._hooks.forget_contact(account_id, old_id, None)
        await self._hooks.forget_contact(account_id, contact_id, None if contact is None else contact.email_address)
        return await self._erase(account_id, contact_id, tombstone)

    @abstractmethod
    async def _erase(self, account_id: str, contact_id: str, tombstone: ErasedContact | None) -> bool:
        """Erase a contact whose messages and unmatched items were deleted."""

    async def export_tombstones(self, account_id: str) -> Tombstones:
        """Return the tombstones of the account's erased contacts."""
        params = {"account_id": account_id}

        async def fetch(name: str) -> Sequence[SqlRow]:
            return await self._engine.fetch_all(self._sql[name], params, account_id=account_id)

        return Tombstones(
            contacts=[ErasedContact(*row) for row in await fetch("export_contacts")],
            counts=[TombstoneCount(*row) for row in await fetch("export_stats")],
            hours=[TombstoneHour(*row) for row in await fetch("export_hours")],
            links=[TombstoneLink(*row) for row in await fetch("export_links")],
        )

    @abstractmethod
    async def import_tombstones(self, account_id: str, tombstones: Tombstones) -> None:
        """Replace the account's tombstones with those of another store.

        Run `verify(repair=True)` afterwards, which includes them in the stats.
        """


def tombstones_batch(account_id: str, tombstones: Tombstones) -> Batch:
    """Return a batch without activities that creates the campaign activities and links of tombstones, in order."""
    ids = tombstones.campaign_activity_ids
    indexes = {campaign_activity_id: index for index, campaign_activity_id in enumerate(ids)}
    return Batch(
        account_id=account_id,
        size=0,
        contacts=[],
        profiles=[],
        campaign_activities=[CampaignActivityRef(campaign_activity_id, None, None) for campaign_activity_id in ids],
        links=[LinkRef(indexes[link.campaign_activity_id], link.link_url, link.url_id) for link in tombstones.links],
        rows={},
    )


def filter_erased(batch: Batch, erased: Mapping[int, Instant]) -> Batch:
    """Return the batch without the activities of erased contacts, given by index, until they were erased.

    The size stays the same, as the removed activities count as duplicates.
    """
    if not erased:
        return batch
    rows = {
        activity_type: [row for row in group if row[ROW_TIME] > erased.get(row[ROW_CONTACT], _NEVER)]
        for activity_type, group in batch.rows.items()
    }
    kept = [row for group in rows.values() for row in group]
    used_contacts, used_profiles = {row[ROW_CONTACT] for row in kept}, {row[ROW_PROFILE] for row in kept}
    used_links = {row[ROW_LINK] for row in kept}
    # A link that only an erased contact clicked would come back with its address.
    links = [index for index in range(len(batch.links)) if index in used_links]
    contacts = [index for index in range(len(batch.contacts)) if index in used_contacts or index not in erased]
    profiles = [
        index for index, row in enumerate(batch.profiles) if index in used_profiles or row[ROW_CONTACT] not in erased
    ]
    new_contact = {old: new for new, old in enumerate(contacts)}
    new_profile: dict[int | None, int | None] = {None: None, **{old: new for new, old in enumerate(profiles)}}
    new_link: dict[int | None, int | None] = {None: None, **{old: new for new, old in enumerate(links)}}

    def renumber(row: Row) -> Row:
        return (new_contact[row[0]], *row[1:4], new_profile[row[4]], new_link[row[5]], *row[6:])

    return Batch(
        account_id=batch.account_id,
        size=batch.size,
        contacts=[batch.contacts[index] for index in contacts],
        profiles=[(new_contact[row[0]], *row[1:]) for row in (batch.profiles[index] for index in profiles)],
        campaign_activities=batch.campaign_activities,
        links=[batch.links[index] for index in links],
        rows={activity_type: list(map(renumber, group)) for activity_type, group in rows.items() if group},
    )
