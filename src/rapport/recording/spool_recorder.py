"""Record the requests in the spool, in order, in one process at a time, until they are in the store."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog

from rapport import metrics
from rapport.capture.captured import CapturedRequest, decode_request
from rapport.capture.errors import InvalidPayload, SpoolUnavailable
from rapport.capture.spool_reader import SpoolEntry, SpoolReader, read_status
from rapport.errors import RecorderBusy, StoreUnavailable
from rapport.instant import DAY, Instant
from rapport.recording.captured_events import Arrival, CapturedEvents
from rapport.recording.hook_registry import HookRegistry
from rapport.store.hooks import CapturedWork, UnmatchedItem
from rapport.store.store import Store

_MAX_ENTRIES: Final = 2_000
_MAX_BYTES: Final = 4 * 1024 * 1024
_POLL_SECONDS: Final = 0.25
_LOCK_SECONDS: Final = 1.0
_MIN_PAUSE: Final = 0.25
_MAX_PAUSE: Final = 5.0
_PRUNE_SECONDS: Final = 3600.0
_MESSAGE_DAYS: Final = 180
_TOKEN_DAYS: Final = 2
_RETRY_SECONDS: Final = 5.0
_STATUS_SECONDS: Final = 5.0

_log = structlog.get_logger("rapport.capture")


class SpoolRecorder:
    """Drains the spool, in a task of the event loop."""

    def __init__(self, store: Store, events: CapturedEvents, hooks: HookRegistry, folder: Path) -> None:
        self._store = store
        self._events = events
        self._hooks = hooks
        self._folder = folder
        self._reader = SpoolReader(folder)
        self._arrived = asyncio.Event()
        self._is_stopping = False
        self._task: asyncio.Task[None] | None = None
        self._pruned = float("-inf")
        self._retried = float("-inf")
        self._measured = float("-inf")

    def start(self) -> None:
        """Start recording."""
        self._task = asyncio.create_task(self._run(), name="spool recorder")

    def notify(self) -> None:
        """Record soon: this process has appended to the spool."""
        self._arrived.set()

    async def stop(self) -> None:
        """Finish the batch that is being recorded. What is still in the spool is recorded at the next start."""
        self._is_stopping = True
        self._arrived.set()
        if self._task is not None:
            await self._task
        self._reader.close()

    async def _run(self) -> None:
        pause = _MIN_PAUSE
        while not self._is_stopping:
            try:
                if not self._folder.exists() or not await asyncio.to_thread(self._reader.try_lock):
                    await self._wait(_LOCK_SECONDS)
                    continue
                entries = await asyncio.to_thread(self._reader.read, _MAX_ENTRIES, _MAX_BYTES)
                if entries:
                    await self._record(entries)
                    await asyncio.to_thread(self._reader.commit, entries)
                await self._run_maintenance()
                pause = _MIN_PAUSE
            except (StoreUnavailable, RecorderBusy, SpoolUnavailable) as exc:
                _log.warning("captured requests are not recorded yet", error=str(exc), retry_seconds=pause)
                self._reader.rewind()
                await self._wait(pause)
                pause = min(_MAX_PAUSE, 2 * pause)
                continue
            if not entries:
                await self._wait(_POLL_SECONDS)

    async def _wait(self, seconds: float) -> None:
        if self._is_stopping:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._arrived.wait()
        if not self._is_stopping:
            self._arrived.clear()

    async def _record(self, entries: Sequence[SpoolEntry]) -> None:
        try:
            await self._record_all(entries)
        except (StoreUnavailable, RecorderBusy):
            raise
        except Exception:  # noqa: BLE001 - last-resort handler: the request is kept as unmatched
            if len(entries) > 1:
                # One request must not keep all others from being recorded.
                _log.exception("captured requests can't be recorded together", requests=len(entries))
                for entry in entries:
                    await self._record([entry])
                return
            _log.exception("a captured request can't be recorded, and is kept as unmatched")
            await self._keep_failed(entries[0])

    async def _record_all(self, entries: Sequence[SpoolEntry]) -> None:
        arrivals = []
        for entry in entries:
            try:
                request = decode_request(entry.payload)
            except InvalidPayload as exc:
                _log.error("a record of the spool can't be read", error=str(exc), segment=entry.segment, end=entry.end)
                continue
            hook = await self._hooks.find(request.hook_id)
            if hook is None:
                _log.warning("a hook was deleted before its request was recorded", hook=request.hook_id)
                metrics.CAPTURED.labels(request.provider, "deleted").inc()
                continue
            arrivals.append(Arrival(request, hook))
        await self._events.record(arrivals)

    async def _keep_failed(self, entry: SpoolEntry) -> None:
        request: CapturedRequest = decode_request(entry.payload)
        item = UnmatchedItem(
            *(request.hook_id, f"{entry.segment}:{entry.end}", request.received_time, "internal error"),
            *("the server's log has the details", "", "null"),
        )
        await self._store.hooks.save_work(request.account_id, CapturedWork(unmatched=[item]))

    async def _retry(self) -> None:
        """Retry the unmatched items that are due."""
        hooks = await self._hooks.all()
        result = await self._events.retry_due(hooks, Instant(time.time_ns() // 1_000_000))
        if result.matched:
            _log.info("unmatched items are matched now", items=result.matched)

    async def _run_maintenance(self) -> None:
        now = time.monotonic()
        if now - self._measured > _STATUS_SECONDS:
            self._measured = now
            status = await asyncio.to_thread(read_status, self._folder)
            metrics.SPOOL_BYTES.set(status.waiting_bytes)
            oldest = status.oldest_time
            metrics.SPOOL_AGE.set(0 if oldest is None else max(0.0, time.time() - oldest / 1_000))
        if now - self._retried > _RETRY_SECONDS:
            self._retried = now
            await self._retry()
        if now - self._pruned > _PRUNE_SECONDS:
            self._pruned = now
            today = time.time_ns() // 1_000_000
            await self._store.hooks.prune(Instant(today - _MESSAGE_DAYS * DAY), Instant(today - _TOKEN_DAYS * DAY))
