"""The one that writes: a group of batches in one transaction, on a connection and in a thread of its own."""

import time
from collections import Counter
from collections.abc import Sequence
from operator import itemgetter
from typing import Final

import apsw

from rapport.activity import Activity, ActivityType
from rapport.instant import DAY, SECOND, Instant
from rapport.store.facts import first_deliveries
from rapport.store.protocol import Batch, Recorded, RequestCount
from rapport.store.sqlite.connection import every, one, told_as_unavailable, transaction
from rapport.store.sqlite.keys import (
    SQL,
    Named,
    account_key,
    campaign_activity_keys,
    contact_keys,
    link_keys,
    person_numbers,
)

_CHECKPOINT_PAGES: Final = 4_000
"""When the log has grown by so many pages, 16 MB, it is put back into the database: after the answer, not before."""


class Writer:
    """Writes on a connection that nobody else uses; one call at a time."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._log_pages = 0
        connection.pragma("wal_autocheckpoint", 0)
        connection.set_wal_hook(self._remember_log_pages)

    def _remember_log_pages(self, _connection: apsw.Connection, _schema: str, pages: int) -> int:
        self._log_pages = pages
        return apsw.SQLITE_OK

    @property
    def log_is_long(self) -> bool:
        """Whether a `checkpoint` is due."""
        return self._log_pages >= _CHECKPOINT_PAGES

    def checkpoint(self) -> None:
        """Put the log back into the database, as far as its readers let it."""
        with told_as_unavailable():
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        self._log_pages = 0

    def record(self, batches: Sequence[Batch]) -> list[Recorded]:
        """Record the batches in one transaction. Raises StoreUnavailable: then nothing of them is there."""
        with transaction(self._connection):
            return [self._record(batch) for batch in batches]

    def _record(self, batch: Batch) -> Recorded:
        connection, activities = self._connection, batch.activities
        account = account_key(connection, batch.account_id, _now())
        campaign_activities = campaign_activity_keys(connection, account, activities)
        contacts = contact_keys(connection, account, activities)
        persons = person_numbers(connection, contacts, activities)
        links = link_keys(connection, campaign_activities, activities)

        def row(activity: Activity) -> tuple[str | int | None, ...]:
            contact, campaign_activity = (
                contacts[activity.contact_id],
                campaign_activities[activity.campaign_activity_id],
            )
            return (
                contact,
                activity.type,
                activity.created_time,
                activity.identity,
                campaign_activity,
                None if activity.person is None else persons[contact, activity.person],
                None if activity.link is None else links[campaign_activity, activity.link],
                activity.device_type,
                activity.bounce_code,
                activity.opt_out_reason,
                activity.event_id,
            )

        # In the order of the key, so that neighbours are written while their page is at hand.
        rows = sorted(map(row, first_deliveries(activities)), key=itemgetter(0, 1, 2, 3))
        accepted = Counter(ActivityType(kind) for (kind,) in connection.executemany(SQL["add_activity"], rows))
        return Recorded(accepted=accepted, duplicate=len(activities) - accepted.total())

    def check(self) -> None:
        """Return if nothing keeps this from writing."""
        with transaction(self._connection):
            pass

    def ensure_account(self, account_id: str) -> bool:
        """Have the account exist. Whether it is new."""
        with transaction(self._connection):
            named: Named = {"account_id": account_id, "created_time": _now()}
            return one(self._connection, SQL["add_account"], named) is not None

    def count_request(self, client_id: str, now: Instant, a_second: int) -> RequestCount:
        """Count a request of the client."""
        counted: Named = {"client_id": client_id, "second": now // SECOND, "day": now // DAY, "a_second": a_second}
        # Without waiting for the disk: what a power cut can take here is a count, and lets some requests through.
        self._connection.pragma("synchronous", "normal")
        try:
            with transaction(self._connection):
                (row,) = every(self._connection, SQL["count_request"], counted)
                return RequestCount(*row)
        finally:
            self._connection.pragma("synchronous", "full")


def _now() -> Instant:
    return Instant(time.time_ns() // 1_000_000)
