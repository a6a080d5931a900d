"""What any store promises. No SQL and no engine's words here.

A store keeps accounts apart: every call names its account, and nothing of another account is ever in an answer.
Every call may raise StoreUnavailable, and has then acknowledged nothing.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple, Protocol, TypeAlias

import msgspec

from rapport.activity import Activity, ActivityType, CampaignActivity
from rapport.catalogue import CampaignUpdate, ContactUpdate
from rapport.instant import Instant
from rapport.store.applications import ApplicationRepository
from rapport.store.batch import Batch, CampaignActivityRef, Part
from rapport.store.catalogue import CampaignAttributes, ContactAttributes
from rapport.store.counters import Counter, HourlyCount, RecentSend, SentCampaign, SentCampaignQuery
from rapport.store.erasure import ErasedContact, Tombstones
from rapport.store.feed import FeedKey, FeedRow
from rapport.store.hooks import HookRepository
from rapport.store.known import (
    CampaignActivityRecord,
    CampaignQuery,
    CampaignRecord,
    ContactPrefix,
    ContactQuery,
    ContactRecord,
    ContactStatus,
)
from rapport.store.links import LinkClicks, LinksQuery
from rapport.store.permission import PermissionColumns
from rapport.store.request_count import RequestCount
from rapport.store.tracking import TrackingQuery, TrackingRow


class Recorded(msgspec.Struct, frozen=True):
    """What became of a batch: how many of each type are new, and how many were there already."""

    accepted: Mapping[ActivityType, int]
    duplicate: int


class ActivityCursor(NamedTuple):
    """A place in a contact's history, newest first: between two activities, or before the first."""

    created_time: int
    identity: int


START_OF_HISTORY: Final = ActivityCursor(2**63 - 1, 2**63 - 1)
"""Where a history begins."""


class ActivityQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The newest `limit` activities of the given types that lie behind a position."""

    types: Sequence[ActivityType]
    after: ActivityCursor
    not_before: Instant
    limit: int


ActivityRow: TypeAlias = tuple[int, int, int, int]
"""created_time, identity, number of the type, key of the campaign activity: plain, as pages are made of it."""


class ActivityRows(msgspec.Struct, frozen=True):
    """Rows newest first, and what their campaign activities are called now."""

    rows: Sequence[ActivityRow]
    campaign_activities: Mapping[int, CampaignActivity]


class SentQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The campaign activities sent to a contact, by the time of their last send to it and their ids, both descending.

    Up to `limit` of those that lie behind (time, id) and were last sent at `not_before` or later.
    """

    not_before: Instant
    after: tuple[Instant, str]
    limit: int


class SentCampaignActivity(NamedTuple):
    """What came of a campaign activity that was sent to a contact: how many activities there are of each type."""

    campaign_activity_id: str
    start_on: Instant
    em_sends: int
    em_opens: int
    em_clicks: int
    em_bounces: int
    em_optouts: int
    em_forwards: int


class EngagementTotals(NamedTuple):
    """How many campaign activities were sent to a contact, and how many of those it opened and clicked at all."""

    sent: int
    opened: int
    clicked: int


class QuarterHourCount(NamedTuple):
    """How many activities a contact has in a quarter of an hour, which is counted from 1970.

    The days of every zone are made of these.
    """

    quarter: int
    activities: int


class ActivityWithDetails(NamedTuple):
    """An activity with all that was recorded of it, and its place in the history."""

    position: ActivityCursor
    activity: Activity


Counts: TypeAlias = tuple[int | None, ...]
"""A row of a roll-up: how many activities; of the stats, how many contacts; the first time, but for stats; the last."""


class CounterMismatch(msgspec.Struct, frozen=True, kw_only=True):
    """A row of a roll-up that isn't what a recount of the activities gives; None is no row.

    It counts the activities of a type: all, or those of a contact, of a device or bounce code, or of both, or of an
    hour; of a contact and a link it is there or not.
    """

    account_id: str
    campaign_activity_id: str
    type: ActivityType
    contact_id: str | None = None
    detail: int | None = None
    url_id: str | None = None
    hour: Instant | None = None
    stands: Counts | None
    should: Counts | None


class PermissionDifference(msgspec.Struct, frozen=True, kw_only=True):
    """A contact whose permission isn't what its statements, opt-outs and sign-ups come to."""

    account_id: str
    contact_id: str
    stands: PermissionColumns
    should: PermissionColumns


class Store(Protocol):
    """Where activities rest."""

    applications: ApplicationRepository
    hooks: HookRepository

    async def open(self, *, create: bool = True) -> None:
        """Connect, and bring the schema up to date. Raises SchemaTooNew, and NoData if it isn't there to be created."""

    async def migrate(self) -> list[str]:
        """Do what `open` leaves to a person, spread the tables over a cluster; what was done, a sentence each."""
        ...

    def stop_reports(self) -> None:
        """Refuse reports that wait, and stop those that are being made: they raise StoreUnavailable."""

    async def close(self) -> None:
        """Let go of everything. What was acknowledged is safe without it."""

    async def check(self) -> None:
        """Return if the store can read and write now."""

    async def prepare(self, batch: Batch) -> Batch:
        """The same batch, for which `record` will have less to do: for a large one, while another is recorded."""
        ...

    async def partition(self, batch: Batch) -> Sequence[Part]:
        """Divide a batch into parts. What waits with one key is recorded together, and independently of other keys."""
        ...

    async def record(self, batches: Sequence[Batch]) -> list[Recorded]:
        """Make all the batches durable, and say what became of each: in one transaction if they have one key.

        Accounts, contacts, campaign activities and links come into being with the activities that name them.
        """
        ...

    async def feed_head(self) -> str:
        """The position in the feed behind all that is recorded now."""
        ...

    async def feed(self, account_ids: Sequence[str], after: str, until: str) -> list[FeedRow] | None:
        """The next rows that the feed has for these accounts between two positions, the later of which is an end.

        Asked again behind the last of them it goes on, until there is none. Nothing that was committed between the two
        is missing, and nothing comes twice. None when not all of it is held any more, or `after` is no position here.
        """

    async def feed_activities(self, account_id: str, keys: Sequence[FeedKey]) -> list[Activity | None]:
        """The activities of the account with these keys, whole; None for those that aren't there, or no more.

        Where an activity doesn't say who its contact is, what is known now stands in its place.
        """
        ...

    async def erase(self, account_id: str, contact_id: str, known: ErasedContact | None = None) -> bool:
        """Erase a contact and all that it did, for good; the counts of its campaigns keep their numbers.

        Return True if the contact existed. What it did until now is recorded no more, and counts as a duplicate; with
        `known`, which is what another store keeps of the contact, what it did until it was erased there.
        """
        ...

    async def erased(self, account_id: str) -> Tombstones:
        """What is left of the erased contacts of the account: what refuses them, and what they are counted with."""
        ...

    async def import_tombstones(self, account_id: str, erased: Tombstones) -> None:
        """Take that over from another store, in the place of what is here. A `recount` then makes the stats whole."""
        ...

    async def activities(self, account_id: str, contact_id: str, query: ActivityQuery) -> ActivityRows | None:
        """The asked for rows of the contact's history; None when there is no such contact."""

    async def activities_with_details(
        self, account_id: str, contact_id: str, query: ActivityQuery
    ) -> list[ActivityWithDetails] | None:
        """The same rows, each with all that was recorded of it; None when there is no such contact."""

    async def activity_counts(
        self, account_id: str, contact_id: str, start: Instant, end: Instant
    ) -> dict[ActivityType, int] | None:
        """How many activities of each type the contact has between the two; None when there is no such contact."""

    async def count_by_quarter_hour(
        self, account_id: str, contact_id: str, start: Instant, end: Instant
    ) -> list[QuarterHourCount] | None:
        """How many it has in each quarter of an hour, the earliest first; None when there is no such contact."""

    async def sent_campaign_activities(
        self, account_id: str, contact_id: str, query: SentQuery
    ) -> list[SentCampaignActivity] | None:
        """The asked for campaign activities that were sent to the contact; None when there is no such contact."""

    async def reached(self, account_id: str, contact_id: str, start: Instant, end: Instant) -> EngagementTotals | None:
        """What became of what was last sent to the contact between the two; None when there is no such contact."""

    async def contact(self, account_id: str, contact_id: str) -> ContactRecord | None:
        """What is known of a contact now; None when there is no such contact."""

    async def contacts(self, account_id: str, query: ContactQuery) -> list[ContactRecord]:
        """The asked for contacts of the account."""
        ...

    async def contact_count(self, account_id: str, query: ContactQuery) -> int:
        """How many contacts the query is about, on all its pages."""
        ...

    async def contacts_by_status(self, account_id: str) -> dict[ContactStatus, int]:
        """How many contacts the account has in each status."""
        ...

    async def upsert_contacts(self, account_id: str, statements: Sequence[ContactUpdate]) -> int:
        """Make durable, in pieces, what sources state of contacts. How many statements changed something.

        Of two that say different things the later holds, be it a statement or an activity. Somebody who was erased
        comes back only by a statement that is dated later.
        """
        ...

    async def upsert_campaigns(self, account_id: str, statements: Sequence[CampaignUpdate]) -> int:
        """The same for campaigns, each whole or not at all, but that some of its links may be there already."""
        ...

    async def campaigns(self, account_id: str, query: CampaignQuery) -> list[CampaignRecord]:
        """The asked for email campaigns, without their campaign activities."""
        ...

    async def campaign(self, account_id: str, campaign_id: str) -> CampaignRecord | None:
        """What is known of a campaign; None when there is no such campaign."""

    async def campaign_activity(self, account_id: str, campaign_activity_id: str) -> CampaignActivityRecord | None:
        """What is known of a campaign activity; None when there is no such campaign activity."""

    async def list_contact_attributes(self, account_id: str, after: str, limit: int) -> list[ContactAttributes]:
        """What is stated of up to `limit` contacts behind `after`, in the order of the bytes of their ids."""
        ...

    async def get_contact_attributes(self, account_id: str, contact_id: str) -> ContactAttributes | None:
        """What is stated of a contact; None when nothing is."""

    async def list_campaign_attributes(self, account_id: str) -> list[CampaignAttributes]:
        """What is stated of all campaigns of the account."""
        ...

    async def contacts_by_prefix(self, account_id: str, prefix: ContactPrefix) -> list[ContactRecord]:
        """The account's contacts whose address, name or id begins so."""
        ...

    async def campaign_activities_by_text(self, account_id: str, text: str, limit: int) -> list[CampaignActivity]:
        """The account's campaign activities whose name holds the text, or whose id begins with it.

        What was named last comes first. Names are compared without regard to the case of ASCII's letters.
        """
        ...

    async def tracking(
        self, account_id: str, campaign_activity_id: str, query: TrackingQuery
    ) -> list[TrackingRow] | None:
        """The asked for activities of the campaign activity; None when the account has no such campaign activity."""

    async def links(self, account_id: str, campaign_activity_id: str, query: LinksQuery) -> list[LinkClicks] | None:
        """Return links of the campaign activity, one for each address, those that most contacts clicked first.

        None when there is no such campaign activity.
        """

    async def campaign_activity_counters(self, account_id: str, campaign_activity_ids: Sequence[str]) -> list[Counter]:
        """What is counted of those of the campaign activities that the account has."""
        ...

    async def campaign_counters(self, account_id: str, campaign_ids: Sequence[str]) -> list[Counter]:
        """What is counted of the campaign activities of those of the campaigns that the account has."""
        ...

    async def sent_campaigns(self, account_id: str, query: SentCampaignQuery) -> list[SentCampaign]:
        """The asked for campaigns of the account, that which was sent last first."""
        ...

    async def recent_sends(self, account_id: str, limit: int) -> list[RecentSend]:
        """Up to `limit` campaign activities of the account, that which was sent last first."""
        ...

    async def campaign_activity_hourly_counts(self, account_id: str, campaign_activity_id: str) -> list[HourlyCount]:
        """How much was done with the campaign activity in each hour, the earliest first; hours of nothing are left out.

        Nothing of a campaign activity that the account doesn't have.
        """
        ...

    async def account_hourly_counts(self, account_id: str, start: Instant, end: Instant) -> list[HourlyCount]:
        """The same of all campaign activities of the account together, in the hours from `start` on, before `end`."""
        ...

    def history(self, account_id: str, contact_id: str) -> AsyncIterator[Activity]:
        """All that is recorded of the contact, whole, newest first."""
        ...

    async def ensure_account(self, account_id: str) -> bool:
        """Have the account exist. Whether it is new."""
        ...

    async def has_contacts(self, account_id: str) -> bool:
        """Whether the account knows any contact."""
        ...

    async def read_secret(self, name: str) -> bytes | None:
        """The secret of that name, if there is one."""

    async def secret_names(self) -> list[str]:
        """The names of all secrets."""
        ...

    async def replace_secret(self, name: str, old: bytes | None, new: bytes) -> bool:
        """Put `new` in the place of `old`, unless somebody else was faster: then False, and nothing changes."""
        ...

    async def count_request(self, client_id: str, now: Instant, a_second: int) -> RequestCount:
        """Count a request of the client, over all that share this store.

        The day's count leaves out what goes beyond `a_second` in its second.
        """
        ...

    async def accounts(self) -> list[str]:
        """The ids of all accounts."""
        ...

    async def contact_ids(self, account_id: str, after: str, limit: int) -> list[str]:
        """The ids of up to `limit` contacts of the account that come behind `after` in the order of their bytes."""
        ...

    async def campaign_activities(self, account_id: str) -> list[CampaignActivityRef]:
        """What is stated of the account's campaign activities."""
        ...

    def recount(self, *, repair: bool) -> AsyncIterator[CounterMismatch | PermissionDifference]:
        """Compare the roll-ups with a recount, campaign activity by campaign activity, while others go on.

        Then compare the permissions of all contacts with what they derive from.

        With `repair` each campaign activity that differs is put right, and nothing that comes in meanwhile is lost.
        """
        ...

    async def backup(self, folder: Path) -> None:
        """Copy everything, as it is at one moment, into a new data directory, while others go on."""
