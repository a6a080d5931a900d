"""The one that writes: a group of batches in one transaction, on a connection and in a thread of its own."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from operator import itemgetter
from typing import TypeVar

import apsw

from rapport.activity import ActivityType
from rapport.catalogue import CampaignUpdate, ContactUpdate
from rapport.instant import DAY, SECOND, Instant
from rapport.store.batch import Batch
from rapport.store.digests import contact_order
from rapport.store.erasure import ErasedContact, Tombstones
from rapport.store.feed import MAX_KEYS_PER_BATCH, FeedEntryBuilder
from rapport.store.permission import PERMISSION_TYPES
from rapport.store.protocol import Recorded
from rapport.store.request_count import RequestCount
from rapport.store.rollups import RollUps
from rapport.store.sqlite.catalogue import add_links, upsert_campaigns, upsert_contacts
from rapport.store.sqlite.checkpoint import LOG_PAGES
from rapport.store.sqlite.connection import OpenFiles, every, one, transaction
from rapport.store.sqlite.contacts import Contacts
from rapport.store.sqlite.erasing import erase, filter_erased, import_tombstones
from rapport.store.sqlite.feed import tell
from rapport.store.sqlite.keys import Named, account_key, campaign_activity_keys, link_keys
from rapport.store.sqlite.permission import update_permissions
from rapport.store.sqlite.rollups import COUNTED, ActivityValues, apply, watched
from rapport.store.sqlite.write import SQL

T = TypeVar("T")


class Writer:
    """Writes on a connection that nobody else uses; one call at a time.

    `empty_log` is called when the write-ahead log has grown long.
    """

    def __init__(self, connection: apsw.Connection, files: OpenFiles, empty_log: Callable[[], object]) -> None:
        self._connection = connection
        self._files = files
        self._empty_log = empty_log
        self._contacts = Contacts(connection)
        connection.pragma("wal_autocheckpoint", 0)
        connection.set_wal_hook(self._watch_log)

    def _watch_log(self, _connection: apsw.Connection, _schema: str, pages: int) -> int:
        if pages >= LOG_PAGES:
            self._empty_log()
        return apsw.SQLITE_OK

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Commit what is written inside, unless the files were moved or deleted. Raises StoreUnavailable."""
        with transaction(self._connection):
            yield
            self._files.check()

    def run(self, work: Callable[[apsw.Connection], T]) -> T:
        """Run work in one transaction, and return what it returns."""
        with self._transaction():
            return work(self._connection)

    def record(self, batches: Sequence[Batch]) -> list[Recorded]:
        """Record the batches in one transaction. Raises StoreUnavailable: then nothing of them is there."""
        try:
            with self._transaction():
                self._contacts.begin()
                rollups, news = RollUps[int](), FeedEntryBuilder[int]()
                batches = filter_erased(self._connection, batches, _now())
                recorded = [self._record(batch, rollups, news) for batch in batches]
                apply(self._connection, rollups)
                tell(self._connection, news)
        except BaseException:
            self._contacts.forget()
            raise
        self._contacts.committed()
        return recorded

    def _record(self, batch: Batch, rollups: RollUps[int], news: FeedEntryBuilder[int]) -> Recorded:
        connection = self._connection
        account = account_key(connection, batch.account_id, _now())
        contacts, persons = self._contacts.resolve(account, batch)
        orders = [contact_order(batch.account_id, contact_id) for contact_id in batch.contacts]
        campaign_activities = campaign_activity_keys(connection, account, batch.campaign_activities)
        links = link_keys(connection, campaign_activities, batch.links)
        accepted: dict[ActivityType, int] = {}
        keys: list[tuple[int, int, int, int]] = []
        for activity_type, rows in batch.rows.items():
            values: list[ActivityValues] = [
                (
                    contacts[contact],
                    activity_type,
                    created_time,
                    identity,
                    campaign_activities[campaign_activity],
                    None if said is None else persons[said],
                    None if link is None else links[link],
                    device_type,
                    bounce_code,
                    opt_out_reason,
                    event_id,
                    orders[contact],
                )
                for (
                    contact,
                    created_time,
                    identity,
                    campaign_activity,
                    said,
                    link,
                    device_type,
                    bounce_code,
                    opt_out_reason,
                    event_id,
                ) in rows
            ]
            # In the order of the key, so that neighbours are written while their page is at hand.
            values.sort(key=itemgetter(0))
            added: list[ActivityValues] = []
            connection.executemany(SQL["add_activity"], watched(connection, values, added, []))
            rollups.count(map(COUNTED, added))
            accepted[activity_type] = len(added)
            keys += [row[:4] for row in added[: MAX_KEYS_PER_BATCH - len(keys)]]
            if activity_type in PERMISSION_TYPES:
                update_permissions(connection, {row[0] for row in added})
        news.add(batch.account_id, keys, accepted)
        return Recorded(
            accepted={activity_type: count for activity_type, count in accepted.items() if count},
            duplicate=batch.size - sum(accepted.values()),
        )

    def upsert_contacts(self, account_id: str, statements: Sequence[ContactUpdate]) -> int:
        """Take in what is stated of contacts in one transaction. How many statements changed something."""
        if not statements:
            return 0
        try:
            with self._transaction():
                return upsert_contacts(self._connection, account_id, statements, _now())
        finally:
            self._contacts.forget()

    def upsert_campaigns(self, account_id: str, statements: Sequence[CampaignUpdate]) -> int:
        """Take in what is stated of campaigns in one transaction. How many statements changed something."""
        with self._transaction():
            return upsert_campaigns(self._connection, account_id, statements, _now())

    def add_links(self, account_id: str, campaign: CampaignUpdate) -> bool:
        """Add the links of a campaign, and nothing else, in one transaction. Return True if any is new."""
        with self._transaction():
            return add_links(self._connection, account_id, campaign, _now())

    def erase(self, account_id: str, contact_id: str, known: ErasedContact | None) -> bool:
        """Erase a contact for good, and overwrite what is deleted. Return True if the contact existed.

        What the log holds of the contact goes when the log is emptied. Older copies, which were left in unused space
        when pages were split, go with the file's next VACUUM.
        """
        self._connection.pragma("secure_delete", True)
        try:
            with self._transaction():
                return erase(self._connection, account_id, contact_id, _now(), known)
        finally:
            self._contacts.forget()
            self._connection.pragma("secure_delete", False)

    def import_tombstones(self, account_id: str, erased: Tombstones) -> None:
        """Take over what is left of the erased contacts of another store."""
        with self._transaction():
            import_tombstones(self._connection, account_id, erased, _now())

    def check(self) -> None:
        """Write a row. Raises StoreUnavailable."""
        with self._transaction():
            self._connection.execute(SQL["check_readiness"], {"now": _now()})

    def ensure_account(self, account_id: str) -> bool:
        """Have the account exist. Whether it is new."""
        with self._transaction():
            named: Named = {"account_id": account_id, "created_time": _now()}
            return one(self._connection, SQL["add_account"], named) is not None

    def count_request(self, client_id: str, now: Instant, a_second: int) -> RequestCount:
        """Count a request of the client."""
        counted: Named = {"client_id": client_id, "second": now // SECOND, "day": now // DAY, "a_second": a_second}
        # Without waiting for the disk: what a power cut can take here is a count, and lets some requests through.
        self._connection.pragma("synchronous", "normal")
        try:
            with self._transaction():
                (row,) = every(self._connection, SQL["count_request"], counted)
                return RequestCount(*row)
        finally:
            self._connection.pragma("synchronous", "full")


def _now() -> Instant:
    return Instant(time.time_ns() // 1_000_000)
