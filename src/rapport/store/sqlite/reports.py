"""Reports: in threads of their own, as what they cost isn't bounded by the size of a page."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import apsw

from rapport.disconnects import CancelledByDisconnect
from rapport.errors import StoreUnavailable
from rapport.store.sqlite.campaign_reader import CampaignReader
from rapport.store.sqlite.catalogue_reader import CatalogueReader
from rapport.store.sqlite.connection import connect
from rapport.store.sqlite.contact_reader import ContactReader
from rapport.store.sqlite.contact_reports import ContactReports
from rapport.store.sqlite.counter_reader import CounterReader
from rapport.store.sqlite.finder import Finder
from rapport.store.turns import Turns

T = TypeVar("T")

_THREADS: Final = 3
_THREADS_FOR_ONE: Final = 2
"""Threads that the reports of one account may use, so that one is left for the others."""
_MAX_WAITING: Final = 200
_BUSY_TIMEOUT: Final = 20.0
_REPORT_TIMEOUT: Final = 30.0
_STEPS: Final = 500_000
"""Instructions of SQLite's virtual machine, some 10 ms, between two looks whether a report should go on."""


class Readers(NamedTuple):
    """What reads on the connection of a thread."""

    reports: ContactReports
    contacts: ContactReader
    campaigns: CampaignReader
    counters: CounterReader
    catalogue: CatalogueReader
    finder: Finder


class _Lane:
    """A connection and its readers, for one report at a time."""

    def __init__(self, folder: Path) -> None:
        self.connection = connection = connect(folder, patience=_BUSY_TIMEOUT)
        self._readers = Readers(
            ContactReports(connection),
            ContactReader(connection),
            CampaignReader(connection),
            CounterReader(connection),
            CatalogueReader(connection),
            Finder(connection),
        )
        self._is_stopped = False
        self._ends = 0.0
        connection.set_progress_handler(self._must_end, _STEPS)

    def run(self, work: Callable[[Readers], T]) -> T:
        """Make a report. Raises StoreUnavailable if it is stopped, or takes too long."""
        self._is_stopped = False
        self._ends = time.monotonic() + _REPORT_TIMEOUT
        try:
            return work(self._readers)
        except apsw.InterruptError as exc:
            raise StoreUnavailable(f"the report was stopped, or took longer than {_REPORT_TIMEOUT:g} s") from exc

    def stop(self) -> None:
        """End the report that is being made. Called from another thread."""
        self._is_stopped = True

    def _must_end(self) -> bool:
        return self._is_stopped or time.monotonic() > self._ends


class Reports:
    """Makes reports, those of different accounts in turn."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="rapport-reports")
        self._turns = Turns(_THREADS, _MAX_WAITING, for_one=_THREADS_FOR_ONE)
        self._lanes: list[_Lane] = []
        self._free: list[_Lane] = []

    def open(self, folder: Path) -> None:
        """Connect to the file. Raises StoreUnavailable."""
        for _ in range(_THREADS):
            self._lanes.append(_Lane(folder))
        self._free = list(self._lanes)

    async def make(self, account_id: str, work: Callable[[Readers], T]) -> T:
        """Make a report in a thread, when it is the account's turn. Raises StoreUnavailable.

        If this is cancelled, or the client hangs up, the report is stopped.
        """
        if not self._lanes:
            raise StoreUnavailable("the store is not open")
        await self._turns.take(account_id)
        lane = self._free.pop()
        made = asyncio.wrap_future(self._threads.submit(lane.run, work))
        made.add_done_callback(lambda _: self._give_back(account_id, lane))
        try:
            with CancelledByDisconnect():
                # Shielded, so that `made` is done when the thread is, and no earlier.
                return await asyncio.shield(made)
        except asyncio.CancelledError:
            if not made.done():
                lane.stop()
            raise

    def _give_back(self, account_id: str, lane: _Lane) -> None:
        self._free.append(lane)
        self._turns.release(account_id)

    def stop(self) -> None:
        """Refuse the reports that wait, and stop those that are being made."""
        self._turns.close()
        for lane in self._lanes:
            if lane not in self._free:
                lane.stop()

    async def close(self) -> None:
        """Wait for the threads, and close the connections."""
        await asyncio.to_thread(self._threads.shutdown)
        self._free.clear()
        while self._lanes:
            self._lanes.pop().connection.close()
