"""Run reports in threads of their own, as their cost isn't bounded by the size of a page."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

import apsw

from rapport.disconnects import CancelledByDisconnect
from rapport.errors import StoreUnavailable
from rapport.store.fair_semaphore import FairSemaphore
from rapport.store.sqlite.connection import connect, translate_errors

T = TypeVar("T")

_THREADS: Final = 3
_MAX_THREADS_PER_ACCOUNT: Final = 2
"""One thread is left for other accounts."""
_MAX_WAITING: Final = 200
_BUSY_TIMEOUT: Final = 20.0
_REPORT_TIMEOUT: Final = 30.0
_INSTRUCTIONS: Final = 500_000
"""Instructions of SQLite's virtual machine, about 10 ms, between two checks whether a report has to stop."""


class _Reader:
    """A connection for one report at a time."""

    def __init__(self, folder: Path) -> None:
        self.connection = connect(folder, busy_timeout=_BUSY_TIMEOUT)
        self.connection.pragma("query_only", True)
        self._is_stopped = False
        self._deadline = 0.0
        self.connection.set_progress_handler(self._must_stop, _INSTRUCTIONS)

    def run(self, read: Callable[[apsw.Connection], T]) -> T:
        """Run a report. Raises StoreUnavailable if it is stopped or takes too long."""
        self._is_stopped = False
        self._deadline = time.monotonic() + _REPORT_TIMEOUT
        try:
            with translate_errors():
                return read(self.connection)
        except apsw.InterruptError as exc:
            raise StoreUnavailable(f"the report was stopped, or took longer than {_REPORT_TIMEOUT:g} s") from exc

    def stop(self) -> None:
        """Stop the running report. Called from another thread."""
        self._is_stopped = True

    def _must_stop(self) -> bool:
        return self._is_stopped or time.monotonic() > self._deadline


class ReportThreads:
    """Runs reports; accounts take turns."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="rapport-reports")
        self._semaphore = FairSemaphore(_THREADS, _MAX_WAITING, max_per_account=_MAX_THREADS_PER_ACCOUNT)
        self._readers: list[_Reader] = []
        self._free: list[_Reader] = []

    def open(self, folder: Path) -> None:
        """Connect to the database. Raises StoreUnavailable."""
        for _ in range(_THREADS):
            self._readers.append(_Reader(folder))
        self._free = list(self._readers)

    async def run(self, account_id: str, read: Callable[[apsw.Connection], T]) -> T:
        """Run a report in a thread, in the account's turn. Raises StoreUnavailable.

        The report is stopped if this call is cancelled or the client disconnects.
        """
        if not self._readers:
            raise StoreUnavailable("the store is not open")
        await self._semaphore.acquire(account_id)
        reader = self._free.pop()
        report = asyncio.wrap_future(self._threads.submit(reader.run, read))
        report.add_done_callback(lambda _: self._release(account_id, reader))
        try:
            with CancelledByDisconnect():
                # Shielded, so that `report` is done when the thread is, and no earlier.
                return await asyncio.shield(report)
        except asyncio.CancelledError:
            if not report.done():
                reader.stop()
            raise

    def _release(self, account_id: str, reader: _Reader) -> None:
        self._free.append(reader)
        self._semaphore.release(account_id)

    def stop(self) -> None:
        """Refuse waiting reports, and stop running ones."""
        self._semaphore.close()
        for reader in self._readers:
            if reader not in self._free:
                reader.stop()

    async def close(self) -> None:
        """Wait for the threads, and close the connections."""
        await asyncio.to_thread(self._threads.shutdown)
        self._free.clear()
        while self._readers:
            self._readers.pop().connection.close()
