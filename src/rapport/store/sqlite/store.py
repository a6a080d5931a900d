"""The embedded store: one file, one connection that reads in the event loop, one that writes in a thread."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import apsw

from rapport.activity import Activity, ActivityType, CampaignActivity
from rapport.catalogue import CampaignUpdate, ContactUpdate
from rapport.errors import DataNotFound, StoreUnavailable
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
from rapport.store.pieces import contact_pieces, state_in_pieces
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
from rapport.store.sqlite import secrets
from rapport.store.sqlite.applications import SQLiteApplications
from rapport.store.sqlite.backup import back_up
from rapport.store.sqlite.checkpoint import Checkpointer
from rapport.store.sqlite.connection import DATABASE, OpenFiles, connect, make_folder
from rapport.store.sqlite.contact_reader import ContactReader
from rapport.store.sqlite.counter_reader import CounterReader
from rapport.store.sqlite.erasing import check_erasure_keys
from rapport.store.sqlite.feed import FeedReader
from rapport.store.sqlite.hooks import SQLiteHooks
from rapport.store.sqlite.migrations import migrate
from rapport.store.sqlite.parts import Parts
from rapport.store.sqlite.reader import Reader
from rapport.store.sqlite.recount import Recount
from rapport.store.sqlite.reports import Reports
from rapport.store.sqlite.writer import Writer
from rapport.store.tracking import TrackingQuery, TrackingRow
from rapport.store.turns import Turns

T = TypeVar("T")
_WRITER_PATIENCE: Final = 20.0
"""Seconds that a write waits for the writes of other processes; an import holds the file for less than one."""
_READER_PATIENCE: Final = 1.0
"""Seconds that a read waits, which in WAL mode it does only while a crashed file is put in order."""

_EMPTY_LOG_TIMEOUT: Final = 0.5
"""Seconds that the response to an erasure waits for the log to be emptied."""
_MAX_WRITES_WAITING: Final = 1_000
_SHARED: Final = ""
"""The turn of what accounts do together: no account has this id."""


class SQLiteStore:
    """A store in a directory. See `rapport.store.protocol.Store` for what each call promises."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rapport-writer")
        self._connections: list[apsw.Connection] = []
        self._checkpointer: Checkpointer | None = None
        self._reports = Reports()
        self._turns = Turns(1, _MAX_WRITES_WAITING)
        self._parts: Parts | None = None
        self.applications: ApplicationRepository = SQLiteApplications(lambda: self._open, self._in_thread)
        self._hooks = SQLiteHooks(folder, partial(self._in_thread, _SHARED))
        self.hooks: HookRepository = SqlHooks(self._hooks)

    async def open(self, *, create: bool = True) -> None:
        """Open the file, making it if there is none, and bring its schema up to date."""
        if not create and not await asyncio.to_thread((self._folder / DATABASE).exists):
            raise DataNotFound(f"there is no data in {self._folder}: name its directory with --data")
        await asyncio.to_thread(secrets.check_database, self._folder)
        make_folder(self._folder)
        self._connections.append(writing := connect(self._folder, patience=_WRITER_PATIENCE))
        migrate(writing)
        check_erasure_keys(writing)
        self._connections.append(reading := connect(self._folder, patience=_READER_PATIENCE))
        self._reports.open(self._folder)
        checkpointer = self._checkpointer = Checkpointer(self._folder)
        self._parts = Parts(
            Writer(writing, OpenFiles(self._folder), checkpointer.request),
            checkpointer,
            Reader(reading),
            ContactReader(reading),
            CounterReader(reading),
            FeedReader(reading),
            reading,
        )

    async def migrate(self) -> list[str]:
        """Nothing is left to a person."""
        return []

    def stop_reports(self) -> None:
        """Refuse reports that wait, and stop those that are being made."""
        self._reports.stop()

    async def close(self) -> None:
        """Finish what is being written, and close the file."""
        await asyncio.to_thread(self._thread.shutdown)
        await self._reports.close()
        if self._checkpointer is not None:
            await asyncio.to_thread(self._checkpointer.close)
            self._checkpointer = None
        self._hooks.close()
        while self._connections:
            self._connections.pop().close()
        self._parts = None

    async def check(self) -> None:
        """Return if the file can be read and written, and is where it was opened."""
        self._open.reader.check()
        await self._in_thread(_SHARED, self._open.writer.check)

    async def partition(self, batch: Batch) -> Sequence[Part]:
        """The batch, whole: one file commits all that waits together."""
        return [(None, batch)]

    async def prepare(self, batch: Batch) -> Batch:
        """Nothing takes long but the transaction itself."""
        return batch

    async def record(self, batches: Sequence[Batch]) -> list[Recorded]:
        """Record in the writer's thread."""
        return await self._in_thread(_SHARED, lambda: self._open.writer.record(batches))

    async def feed_head(self) -> str:
        """Where the feed ends."""
        return self._open.feed.end()

    async def feed(self, account_ids: Sequence[str], after: str, until: str) -> list[FeedRow] | None:
        """Read the feed."""
        return self._open.feed.rows(account_ids, after, until)

    async def feed_activities(self, account_id: str, keys: Sequence[FeedKey]) -> list[Activity | None]:
        """Read activities that the feed told of."""
        return self._open.feed.activities(account_id, keys)

    async def erase(self, account_id: str, contact_id: str, known: ErasedContact | None = None) -> bool:
        """Erase a contact in the writer's thread; then have the log emptied, which holds the contact as well."""
        await self.hooks.forget_contact(account_id, contact_id)
        is_erased = await self._in_thread(account_id, lambda: self._open.writer.erase(account_id, contact_id, known))
        if is_erased:
            # Mostly it is empty before the response. While others read, it is emptied later, and nobody waits for that.
            await asyncio.wait([asyncio.wrap_future(self._open.checkpointer.request())], timeout=_EMPTY_LOG_TIMEOUT)
        return is_erased

    async def upsert_contacts(self, account_id: str, statements: Sequence[ContactUpdate]) -> int:
        """Take in what is stated of contacts, in the writer's thread, piece by piece."""
        write = partial(self._open.writer.upsert_contacts, account_id)
        return sum([await self._in_thread(account_id, partial(write, each)) for each in contact_pieces(statements)])

    async def upsert_campaigns(self, account_id: str, statements: Sequence[CampaignUpdate]) -> int:
        """Take in what is stated of campaigns, in the writer's thread, piece by piece."""
        writer = self._open.writer
        return await state_in_pieces(
            statements,
            lambda links: self._in_thread(account_id, partial(writer.add_links, account_id, links)),
            lambda piece: self._in_thread(account_id, partial(writer.upsert_campaigns, account_id, piece)),
        )

    async def erased(self, account_id: str) -> Tombstones:
        """What is left of erased contacts."""
        return await self._reports.make(account_id, lambda readers: readers.catalogue.erased(account_id))

    async def import_tombstones(self, account_id: str, erased: Tombstones) -> None:
        """Take over what is left of erased contacts, in the writer's thread."""
        await self._in_thread(account_id, lambda: self._open.writer.import_tombstones(account_id, erased))

    async def activities(self, account_id: str, contact_id: str, query: ActivityQuery) -> ActivityRows | None:
        """Read a page's rows."""
        return self._open.reader.activities(account_id, contact_id, query)

    async def activities_with_details(
        self, account_id: str, contact_id: str, query: ActivityQuery
    ) -> list[ActivityWithDetails] | None:
        """Read a page's rows with all that was recorded of them."""
        return self._open.reader.activities_with_details(account_id, contact_id, query)

    async def activity_counts(
        self, account_id: str, contact_id: str, start: Instant, end: Instant
    ) -> dict[ActivityType, int] | None:
        """Count a contact's activities by their types, beside the event loop."""
        return await self._reports.make(
            account_id, lambda readers: readers.reports.activity_counts(account_id, contact_id, start, end)
        )

    async def count_by_quarter_hour(
        self, account_id: str, contact_id: str, start: Instant, end: Instant
    ) -> list[QuarterHourCount] | None:
        """Count a contact's activities by quarters of an hour, beside the event loop."""
        return await self._reports.make(
            account_id, lambda readers: readers.reports.count_by_quarter_hour(account_id, contact_id, start, end)
        )

    async def sent_campaign_activities(
        self, account_id: str, contact_id: str, query: SentQuery
    ) -> list[SentCampaignActivity] | None:
        """Read a page of a summary, beside the event loop."""
        return await self._reports.make(
            account_id, lambda readers: readers.reports.sent_campaign_activities(account_id, contact_id, query)
        )

    async def reached(self, account_id: str, contact_id: str, start: Instant, end: Instant) -> EngagementTotals | None:
        """Count what was opened and clicked, beside the event loop."""
        return await self._reports.make(
            account_id, lambda readers: readers.reports.reached(account_id, contact_id, start, end)
        )

    async def contact(self, account_id: str, contact_id: str) -> ContactRecord | None:
        """Read what is known of a contact."""
        return self._open.contacts.contact(account_id, contact_id)

    async def contacts(self, account_id: str, query: ContactQuery) -> list[ContactRecord]:
        """Read a page of contacts."""
        return await self._reports.make(account_id, lambda readers: readers.contacts.contacts(account_id, query))

    async def contact_count(self, account_id: str, query: ContactQuery) -> int:
        """Count contacts, beside the event loop."""
        return await self._reports.make(account_id, lambda readers: readers.contacts.count(account_id, query))

    async def contacts_by_status(self, account_id: str) -> dict[ContactStatus, int]:
        """Count contacts, beside the event loop."""
        return await self._reports.make(account_id, lambda readers: readers.contacts.count_by_status(account_id))

    async def campaigns(self, account_id: str, query: CampaignQuery) -> list[CampaignRecord]:
        """Read a page of campaigns, beside the event loop."""
        return await self._reports.make(account_id, lambda readers: readers.catalogue.campaigns(account_id, query))

    async def campaign(self, account_id: str, campaign_id: str) -> CampaignRecord | None:
        """Read what is known of a campaign, beside the event loop."""
        return await self._reports.make(account_id, lambda readers: readers.catalogue.campaign(account_id, campaign_id))

    async def campaign_activity(self, account_id: str, campaign_activity_id: str) -> CampaignActivityRecord | None:
        """Read what is known of a campaign activity, beside the event loop."""
        return await self._reports.make(
            account_id, lambda readers: readers.catalogue.campaign_activity(account_id, campaign_activity_id)
        )

    async def list_contact_attributes(self, account_id: str, after: str, limit: int) -> list[ContactAttributes]:
        """What is stated of contacts, by their ids."""
        return await self._reports.make(
            account_id, lambda readers: readers.catalogue.list_contact_attributes(account_id, after, limit)
        )

    async def get_contact_attributes(self, account_id: str, contact_id: str) -> ContactAttributes | None:
        """What is stated of a contact."""
        return self._open.contacts.stated(account_id, contact_id)

    async def list_campaign_attributes(self, account_id: str) -> list[CampaignAttributes]:
        """What is stated of all campaigns."""
        return await self._reports.make(
            account_id, lambda readers: readers.catalogue.list_campaign_attributes(account_id)
        )

    async def contacts_by_prefix(self, account_id: str, prefix: ContactPrefix) -> list[ContactRecord]:
        """Read contacts, beside the event loop."""
        return await self._reports.make(account_id, lambda readers: readers.finder.contacts(account_id, prefix))

    async def campaign_activities_by_text(self, account_id: str, text: str, limit: int) -> list[CampaignActivity]:
        """Look through the account's campaign activities, beside the event loop."""
        return await self._reports.make(
            account_id, lambda readers: readers.finder.campaign_activities(account_id, text, limit)
        )

    async def tracking(
        self, account_id: str, campaign_activity_id: str, query: TrackingQuery
    ) -> list[TrackingRow] | None:
        """Read a page's rows, beside the event loop."""
        return await self._reports.make(
            account_id, lambda readers: readers.campaigns.tracking(account_id, campaign_activity_id, query)
        )

    async def links(self, account_id: str, campaign_activity_id: str, query: LinksQuery) -> list[LinkClicks] | None:
        """Read the links, beside the event loop."""
        return await self._reports.make(
            account_id, lambda readers: readers.campaigns.links(account_id, campaign_activity_id, query)
        )

    async def campaign_activity_counters(self, account_id: str, campaign_activity_ids: Sequence[str]) -> list[Counter]:
        """Read counters: a few rows an id, so that handing them to a thread would cost more than reading them."""
        return self._open.stats.counters("of_campaign_activities", account_id, campaign_activity_ids)

    async def campaign_counters(self, account_id: str, campaign_ids: Sequence[str]) -> list[Counter]:
        """Read counters, beside the event loop."""
        return await self._reports.make(
            account_id, lambda readers: readers.counters.counters("of_campaigns", account_id, campaign_ids)
        )

    async def sent_campaigns(self, account_id: str, query: SentCampaignQuery) -> list[SentCampaign]:
        """Read a page of campaigns, beside the event loop."""
        return await self._reports.make(account_id, lambda readers: readers.counters.sent_campaigns(account_id, query))

    async def recent_sends(self, account_id: str, limit: int) -> list[RecentSend]:
        """Read what was sent last, beside the event loop."""
        return await self._reports.make(account_id, lambda readers: readers.counters.recent_sends(account_id, limit))

    async def campaign_activity_hourly_counts(self, account_id: str, campaign_activity_id: str) -> list[HourlyCount]:
        """Read the hours of a campaign activity, beside the event loop."""
        return await self._reports.make(
            account_id,
            lambda readers: readers.counters.campaign_activity_hourly_counts(account_id, campaign_activity_id),
        )

    async def account_hourly_counts(self, account_id: str, start: Instant, end: Instant) -> list[HourlyCount]:
        """Read the hours of an account, beside the event loop."""
        return await self._reports.make(
            account_id, lambda readers: readers.counters.account_hourly_counts(account_id, start, end)
        )

    async def history(self, account_id: str, contact_id: str) -> AsyncIterator[Activity]:
        """Read a contact's whole history, step by step."""
        for activity in self._open.reader.history(account_id, contact_id):
            yield activity

    async def ensure_account(self, account_id: str) -> bool:
        """Have the account exist."""
        return await self._in_thread(account_id, lambda: self._open.writer.ensure_account(account_id))

    async def has_contacts(self, account_id: str) -> bool:
        """Whether the account knows any contact."""
        return self._open.reader.has_contacts(account_id)

    async def read_secret(self, name: str) -> bytes | None:
        """Read a secret from its file beside the database."""
        return secrets.read_secret(self._folder, name)

    async def secret_names(self) -> list[str]:
        """The names of all secrets."""
        return secrets.secret_names(self._folder)

    async def replace_secret(self, name: str, old: bytes | None, new: bytes) -> bool:
        """Write a secret to its file beside the database."""
        return secrets.replace_secret(self._folder, name, old, new)

    async def count_request(self, client_id: str, now: Instant, a_second: int) -> RequestCount:
        """Count a request in the file, so that all workers count together."""
        return await self._in_thread(client_id, lambda: self._open.writer.count_request(client_id, now, a_second))

    async def accounts(self) -> list[str]:
        """The ids of all accounts."""
        return self._open.reader.accounts()

    async def contact_ids(self, account_id: str, after: str, limit: int) -> list[str]:
        """The ids of an account's contacts, in order."""
        return self._open.reader.contact_ids(account_id, after, limit)

    async def campaign_activities(self, account_id: str) -> list[CampaignActivityRef]:
        """What is stated of an account's campaign activities."""
        return self._open.reader.campaign_activities(account_id)

    async def recount(self, *, repair: bool) -> AsyncIterator[CounterMismatch | PermissionDifference]:
        """Compare the roll-ups with a recount, on a connection of its own."""
        with contextlib.closing(connect(self._folder, patience=_WRITER_PATIENCE)) as connection:
            for difference in Recount(connection).differences(repair=repair):
                yield difference

    async def backup(self, folder: Path) -> None:
        """Copy the directory to another one."""
        await asyncio.to_thread(back_up, self._folder, folder)

    @property
    def _open(self) -> Parts:
        if self._parts is None:
            raise StoreUnavailable("the store is not open")
        return self._parts

    async def _in_thread(self, turn_of: str, work: Callable[[], T]) -> T:
        """Write in the writer's thread, when it is the turn of an account, or of what accounts do together."""
        await self._turns.take(turn_of)
        written = asyncio.wrap_future(self._thread.submit(work))
        written.add_done_callback(lambda _: self._turns.release(turn_of))
        # Shielded: a write that has begun goes on to its end, also when nobody waits for it any more.
        return await asyncio.shield(written)
