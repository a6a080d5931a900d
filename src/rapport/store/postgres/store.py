"""The store for several machines: PostgreSQL, or Citus."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from rapport.activity import Activity, ActivityType, CampaignActivity
from rapport.catalogue import CampaignUpdate, ContactUpdate
from rapport.errors import DataNotFound, StoreUnavailable
from rapport.instant import Instant
from rapport.store.applications import ApplicationRepository
from rapport.store.batch import Batch, CampaignActivityRef, Part
from rapport.store.catalogue import CampaignAttributes, ContactAttributes
from rapport.store.copying import copy
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
from rapport.store.pieces import contact_pieces, state_in_pieces
from rapport.store.postgres.applications import PostgresApplications
from rapport.store.postgres.campaign_reader import CampaignReader
from rapport.store.postgres.catalogue_reader import CatalogueReader
from rapport.store.postgres.citus.cluster import Cluster
from rapport.store.postgres.citus.tables import distribute, distributed, is_cluster
from rapport.store.postgres.contact_reader import ContactReader
from rapport.store.postgres.contact_reports import ContactReports
from rapport.store.postgres.counter_reader import CounterReader
from rapport.store.postgres.feed import FeedReader
from rapport.store.postgres.finder import Finder
from rapport.store.postgres.hooks import PostgresHooks
from rapport.store.postgres.layout import ONE_DATABASE
from rapport.store.postgres.migrations import is_current, is_there, migrate
from rapport.store.postgres.pool import Pool
from rapport.store.postgres.reader import Reader
from rapport.store.postgres.recount import differences
from rapport.store.postgres.setup import explain_absence
from rapport.store.postgres.writer import Writer
from rapport.store.protocol import (
    ActivityQuery,
    ActivityRows,
    ActivityWithDetails,
    CounterMismatch,
    EngagementTotals,
    PermissionDifference,
    QuarterHourCount,
    Recorded,
    SentCampaignActivity,
    SentQuery,
)
from rapport.store.request_count import RequestCount
from rapport.store.sql_hooks import SqlHooks
from rapport.store.sqlite.store import SQLiteStore
from rapport.store.tracking import TrackingQuery, TrackingRow

_OPEN_WITHIN: Final = 60.0
_MIGRATE_WITHIN: Final = 24 * 3600.0


class PostgresStore:
    """A store in a PostgreSQL database. See `rapport.store.protocol.Store` for what each call promises."""

    def __init__(self, url: str, connections: int, *, by_pgbouncer: bool) -> None:
        # Apart, so that writes that wait keep no page from being read.
        self._pool = Pool(url, connections // 2, by_pgbouncer=by_pgbouncer)
        self._writing_pool = Pool(url, connections // 2, by_pgbouncer=by_pgbouncer)
        self._url = url
        self._by_pgbouncer = by_pgbouncer
        self._reader = Reader(self._pool)
        self._campaign_reader = CampaignReader(self._pool)
        self._reports = ContactReports(self._pool)
        self.applications: ApplicationRepository = PostgresApplications(self._pool, self._writing_pool)
        self._contacts = ContactReader(self._pool)
        self._counters = CounterReader(self._pool)
        self._catalogue = CatalogueReader(self._pool)
        self._finder = Finder(self._pool)
        self._feed = FeedReader(self._pool)
        self._writer = Writer(self._writing_pool)
        self._cluster: Cluster | None = None
        self.hooks: HookRepository = SqlHooks(PostgresHooks(self._writing_pool))

    async def open(self, *, create: bool = True) -> None:
        """Connect, and bring the schema up to date."""
        try:
            await self._pool.open()
            await self._writing_pool.open()
            async with self._pool.acquire(_OPEN_WITHIN) as connection:
                if not create and not await is_there(connection):
                    unseen = await explain_absence(connection)
                    if unseen is not None:
                        raise StoreUnavailable(unseen)
                    raise DataNotFound("there is no data in this database: name another one with --data")
                is_behind = not await is_current(connection)
            if is_behind:
                # Of a large store a step may take hours.
                async with self._pool.acquire(_MIGRATE_WITHIN) as connection:
                    await migrate(connection)
            async with self._pool.acquire(_OPEN_WITHIN) as connection:
                is_spread = await is_cluster(connection) and bool(await distributed(connection))
            if is_spread:
                self._cluster = Cluster(self._url, by_pgbouncer=self._by_pgbouncer)
                await self._cluster.open(self._pool, self._writing_pool)
                self._feed, self._writer = self._cluster.feed_reader, self._cluster.writer
        except BaseException:
            await self.close()
            raise

    async def migrate(self) -> list[str]:
        """Spread the tables, if the database is a cluster."""
        async with self._pool.acquire(_MIGRATE_WITHIN) as connection:
            if not await is_cluster(connection):
                return []
            return await distribute(connection)

    def stop_reports(self) -> None:
        """Refuse reports that wait, and cut the connections of those that are being made."""
        self._pool.stop()

    async def close(self) -> None:
        """Let go of the connections."""
        cluster, self._cluster = self._cluster, None
        if cluster is not None:
            await cluster.close()
        await self._writing_pool.close()
        await self._pool.close()

    async def check(self) -> None:
        """Return if the database answers, isn't a standby, and takes a write."""
        if not await self._reader.can_write():
            raise StoreUnavailable("the database is a standby, and takes no writes")
        await self._writer.check(Instant(time.time_ns() // 1_000_000))

    async def partition(self, batch: Batch) -> Sequence[Part]:
        """Divide a batch by what can be committed independently."""
        return await self._writer.partition(batch)

    async def prepare(self, batch: Batch) -> Batch:
        """Do ahead what needs no transaction."""
        return await self._writer.prepare(batch)

    async def record(self, batches: Sequence[Batch]) -> list[Recorded]:
        """Record the batches in one transaction."""
        return await self._writer.record(batches)

    async def feed_head(self) -> str:
        """Where the feed ends."""
        return await self._feed.end()

    async def feed(self, account_ids: Sequence[str], after: str, until: str) -> list[FeedRow] | None:
        """Read the feed."""
        return await self._feed.rows(account_ids, after, until)

    async def feed_activities(self, account_id: str, keys: Sequence[FeedKey]) -> list[Activity | None]:
        """Read activities that the feed told of."""
        return await self._feed.activities(account_id, keys)

    async def erase(self, account_id: str, contact_id: str, known: ErasedContact | None = None) -> bool:
        """Erase a contact, while nobody records."""
        await self.hooks.forget_contact(account_id, contact_id)
        return await self._writer.erase(account_id, contact_id, Instant(time.time_ns() // 1_000_000), known)

    async def upsert_contacts(self, account_id: str, statements: Sequence[ContactUpdate]) -> int:
        """Take in what is stated of contacts, piece by piece."""
        return sum([await self._writer.upsert_contacts(account_id, piece) for piece in contact_pieces(statements)])

    async def upsert_campaigns(self, account_id: str, statements: Sequence[CampaignUpdate]) -> int:
        """Take in what is stated of campaigns, piece by piece."""
        return await state_in_pieces(
            statements,
            partial(self._writer.add_links, account_id),
            partial(self._writer.upsert_campaigns, account_id),
        )

    async def erased(self, account_id: str) -> Tombstones:
        """What is left of erased contacts."""
        return await self._writer.erased(account_id)

    async def import_tombstones(self, account_id: str, erased: Tombstones) -> None:
        """Take over what is left of erased contacts."""
        await self._writer.import_tombstones(account_id, erased, Instant(time.time_ns() // 1_000_000))

    async def activities(self, account_id: str, contact_id: str, query: ActivityQuery) -> ActivityRows | None:
        """Read a page's rows."""
        return await self._reader.activities(account_id, contact_id, query)

    async def activities_with_details(
        self, account_id: str, contact_id: str, query: ActivityQuery
    ) -> list[ActivityWithDetails] | None:
        """Read a page's rows with all that was recorded of them."""
        return await self._reader.activities_with_details(account_id, contact_id, query)

    async def activity_counts(
        self, account_id: str, contact_id: str, start: Instant, end: Instant
    ) -> dict[ActivityType, int] | None:
        """Count a contact's activities by their types."""
        return await self._reports.activity_counts(account_id, contact_id, start, end)

    async def count_by_quarter_hour(
        self, account_id: str, contact_id: str, start: Instant, end: Instant
    ) -> list[QuarterHourCount] | None:
        """Count a contact's activities by quarters of an hour."""
        return await self._reports.count_by_quarter_hour(account_id, contact_id, start, end)

    async def sent_campaign_activities(
        self, account_id: str, contact_id: str, query: SentQuery
    ) -> list[SentCampaignActivity] | None:
        """Read a page of a summary."""
        return await self._reports.sent_campaign_activities(account_id, contact_id, query)

    async def reached(self, account_id: str, contact_id: str, start: Instant, end: Instant) -> EngagementTotals | None:
        """Count what was opened and clicked."""
        return await self._reports.reached(account_id, contact_id, start, end)

    async def contact(self, account_id: str, contact_id: str) -> ContactRecord | None:
        """Read what is known of a contact."""
        return await self._contacts.contact(account_id, contact_id)

    async def contacts(self, account_id: str, query: ContactQuery) -> list[ContactRecord]:
        """Read a page of contacts."""
        return await self._contacts.contacts(account_id, query)

    async def contact_count(self, account_id: str, query: ContactQuery) -> int:
        """Count contacts."""
        return await self._contacts.count(account_id, query)

    async def contacts_by_status(self, account_id: str) -> dict[ContactStatus, int]:
        """Count contacts."""
        return await self._contacts.count_by_status(account_id)

    async def campaigns(self, account_id: str, query: CampaignQuery) -> list[CampaignRecord]:
        """Read a page of campaigns."""
        return await self._catalogue.campaigns(account_id, query)

    async def campaign(self, account_id: str, campaign_id: str) -> CampaignRecord | None:
        """Read what is known of a campaign."""
        return await self._catalogue.campaign(account_id, campaign_id)

    async def campaign_activity(self, account_id: str, campaign_activity_id: str) -> CampaignActivityRecord | None:
        """Read what is known of a campaign activity."""
        return await self._catalogue.campaign_activity(account_id, campaign_activity_id)

    async def list_contact_attributes(self, account_id: str, after: str, limit: int) -> list[ContactAttributes]:
        """What is stated of contacts, by their ids."""
        return await self._catalogue.list_contact_attributes(account_id, after, limit)

    async def get_contact_attributes(self, account_id: str, contact_id: str) -> ContactAttributes | None:
        """What is stated of a contact."""
        return await self._contacts.stated(account_id, contact_id)

    async def list_campaign_attributes(self, account_id: str) -> list[CampaignAttributes]:
        """What is stated of all campaigns."""
        return await self._catalogue.list_campaign_attributes(account_id)

    async def contacts_by_prefix(self, account_id: str, prefix: ContactPrefix) -> list[ContactRecord]:
        """Read contacts."""
        return await self._finder.contacts(account_id, prefix)

    async def campaign_activities_by_text(self, account_id: str, text: str, limit: int) -> list[CampaignActivity]:
        """Look through the account's campaign activities."""
        return await self._finder.campaign_activities(account_id, text, limit)

    async def tracking(
        self, account_id: str, campaign_activity_id: str, query: TrackingQuery
    ) -> list[TrackingRow] | None:
        """Read a page's rows."""
        return await self._campaign_reader.tracking(account_id, campaign_activity_id, query)

    async def links(self, account_id: str, campaign_activity_id: str, query: LinksQuery) -> list[LinkClicks] | None:
        """Read the links."""
        return await self._campaign_reader.links(account_id, campaign_activity_id, query)

    async def campaign_activity_counters(self, account_id: str, campaign_activity_ids: Sequence[str]) -> list[Counter]:
        """Read counters."""
        return await self._counters.counters("of_campaign_activities", account_id, campaign_activity_ids)

    async def campaign_counters(self, account_id: str, campaign_ids: Sequence[str]) -> list[Counter]:
        """Read counters."""
        return await self._counters.counters("of_campaigns", account_id, campaign_ids)

    async def sent_campaigns(self, account_id: str, query: SentCampaignQuery) -> list[SentCampaign]:
        """Read a page of campaigns."""
        return await self._counters.sent_campaigns(account_id, query)

    async def recent_sends(self, account_id: str, limit: int) -> list[RecentSend]:
        """Read what was sent last."""
        return await self._counters.recent_sends(account_id, limit)

    async def campaign_activity_hourly_counts(self, account_id: str, campaign_activity_id: str) -> list[HourlyCount]:
        """Read the hours of a campaign activity."""
        return await self._counters.campaign_activity_hourly_counts(account_id, campaign_activity_id)

    async def account_hourly_counts(self, account_id: str, start: Instant, end: Instant) -> list[HourlyCount]:
        """Read the hours of an account."""
        return await self._counters.account_hourly_counts(account_id, start, end)

    def history(self, account_id: str, contact_id: str) -> AsyncIterator[Activity]:
        """Read a contact's whole history, step by step."""
        return self._reader.history(account_id, contact_id)

    async def ensure_account(self, account_id: str) -> bool:
        """Have the account exist."""
        return await self._writer.ensure_account(account_id, Instant(time.time_ns() // 1_000_000))

    async def has_contacts(self, account_id: str) -> bool:
        """Whether the account knows any contact."""
        return await self._reader.has_contacts(account_id)

    async def read_secret(self, name: str) -> bytes | None:
        """Read a secret from its table."""
        return await self._reader.secret(name)

    async def secret_names(self) -> list[str]:
        """The names of all secrets."""
        return await self._reader.secret_names()

    async def replace_secret(self, name: str, old: bytes | None, new: bytes) -> bool:
        """Write a secret to its table."""
        return await self._writer.replace_secret(name, old, new)

    async def count_request(self, client_id: str, now: Instant, a_second: int) -> RequestCount:
        """Count a request in the database, so that all servers count together."""
        return await self._writer.count_request(client_id, now, a_second)

    async def accounts(self) -> list[str]:
        """The ids of all accounts."""
        return await self._reader.accounts()

    async def contact_ids(self, account_id: str, after: str, limit: int) -> list[str]:
        """The ids of an account's contacts, in order."""
        return await self._reader.contact_ids(account_id, after, limit)

    async def campaign_activities(self, account_id: str) -> list[CampaignActivityRef]:
        """What is stated of an account's campaign activities."""
        return await self._reader.campaign_activities(account_id)

    def recount(self, *, repair: bool) -> AsyncIterator[CounterMismatch | PermissionDifference]:
        """Compare the roll-ups with a recount."""
        return differences(
            self._pool, repair=repair, layout=ONE_DATABASE if self._cluster is None else self._cluster.layout
        )

    async def backup(self, folder: Path) -> None:
        """Copy everything to a data directory."""
        if await asyncio.to_thread(folder.exists):
            raise StoreUnavailable(f"{folder} exists already; name a folder that doesn't")
        target = SQLiteStore(folder)
        await target.open()
        try:
            await copy(self, target, lambda _: None)
        finally:
            await target.close()
