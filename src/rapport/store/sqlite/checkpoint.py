"""Checkpoint the write-ahead log and empty it, in a thread and on a connection of its own."""

import contextlib
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Final

import apsw

from rapport.errors import StoreUnavailable
from rapport.store.sqlite.connection import DATABASE, LOG_SUFFIX, connect, translate_errors

LOG_PAGES: Final = 4_000
"""Pages of the log, 16 MB, at which it is emptied immediately."""

_INTERVAL: Final = 10.0
"""Seconds after which a non-empty log is emptied in any case: another process may have erased a contact."""
_TIMEOUT: Final = 0.05
"""Seconds for which emptying the log waits for readers; writers wait that long as well."""
_FIRST_RETRY: Final = 0.1
_LAST_RETRY: Final = 5.0
"""Seconds to the next try while a reader holds the log; each wait is twice the one before."""


class Checkpointer:
    """Empties the log when it is long, on request, and every few seconds, with retries until it is empty."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / (DATABASE + LOG_SUFFIX)
        self._connection = connect(folder, busy_timeout=_TIMEOUT)
        self._lock = threading.Lock()
        self._attempt = Future[None]()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rapport-checkpoints", daemon=True)
        self._thread.start()

    def request(self) -> Future[None]:
        """Request that the log is emptied soon. The future is done after the next attempt, even if that fails."""
        with self._lock:
            attempt = self._attempt
        self._wake.set()
        return attempt

    def close(self) -> None:
        """Stop. SQLite itself empties the log when the last connection to the file is closed."""
        self._stop.set()
        self._wake.set()
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        retry = 0.0
        while not self._stop.is_set():
            if retry:
                # A reader uses the log; more requests wouldn't change that.
                self._stop.wait(retry)
            else:
                self._wake.wait(_INTERVAL)
            self._wake.clear()
            with self._lock:
                attempt, self._attempt = self._attempt, Future[None]()
            is_empty = self._empty_log()
            attempt.set_result(None)
            retry = 0.0 if is_empty else min(max(2 * retry, _FIRST_RETRY), _LAST_RETRY)

    def _empty_log(self) -> bool:
        """Return True if the log is empty now; False if a reader, a writer or the disk kept it from being emptied."""
        try:
            if self._log.stat().st_size == 0:
                return True
            with translate_errors():
                # First the long part, which blocks nobody; then the rest, for which writers have to wait.
                with contextlib.suppress(apsw.BusyError):
                    self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
                self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        except (StoreUnavailable, OSError):
            return False
        return True
