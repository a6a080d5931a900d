"""Record the requests in the spool, in order, in one process at a time, until they are in the store."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import structlog

from rapport import metrics
from rapport.capture.captured import CapturedRequest, decode_request
from rapport.capture.errors import InvalidPayload, SpoolUnavailable
from rapport.capture.spool_reader import SpoolEntry, SpoolReader, read_status
from rapport.errors import RecorderBusy, StoreUnavailable
from rapport.instant import DAY, Instant
from rapport.recording.captured_events import Arrival, CapturedEvents, ReadArrivals
from rapport.recording.hook_registry import HookRegistry
from rapport.store.hooks import CapturedWork, UnmatchedItem
from rapport.store.store import Store
from rapport.worker import defer_gc

_MAX_ENTRIES: Final = 2_000
_MAX_BYTES: Final = 4 * 1024 * 1024
_BACKLOG_ENTRIES: Final = 1_000
_BACKLOG_BYTES: Final = _MAX_BYTES // 2
"""Groups of this size are recorded without a pause."""
_POLL_SECONDS: Final = 0.25
_GATHER_SECONDS: Final = 0.2
"""How long requests are gathered after a small group."""
_LOCK_SECONDS: Final = 1.0
_MIN_PAUSE: Final = 0.25
_MAX_PAUSE: Final = 5.0
_PRUNE_SECONDS: Final = 3600.0
_MESSAGE_DAYS: Final = 180
_TOKEN_DAYS: Final = 2
_RETRY_SECONDS: Final = 5.0
_STATUS_SECONDS: Final = 5.0

_log = structlog.get_logger("rapport.capture")


class _Group(NamedTuple):
    """Records of the spool, and the requests in them; None if one of them can't be read."""

    entries: Sequence[SpoolEntry]
    requests: ReadArrivals | None


class SpoolRecorder:
    """Drains the spool, in a task of the event loop."""

    def __init__(self, store: Store, events: CapturedEvents, hooks: HookRegistry, folder: Path) -> None:
        self._store = store
        self._events = events
        self._hooks = hooks
        self._folder = folder
        self._reader = SpoolReader(folder)
        self._arrived = asyncio.Event()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._next: asyncio.Task[_Group] | None = None
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
        self._stopping.set()
        self._arrived.set()
        if self._task is not None:
            await self._task
        self._reader.close()

    async def _run(self) -> None:
        pause = _MIN_PAUSE
        while not self._stopping.is_set():
            try:
                if not self._folder.exists() or not await asyncio.to_thread(self._reader.try_lock):
                    await self._wait(_LOCK_SECONDS)
                    continue
                is_backlog = await self._record_next()
                if is_backlog:
                    with defer_gc():
                        while is_backlog and not self._stopping.is_set():
                            is_backlog = await self._record_next()
                            await self._run_maintenance()
                await self._run_maintenance()
                pause = _MIN_PAUSE
            except (StoreUnavailable, RecorderBusy, SpoolUnavailable) as exc:
                _log.warning("captured requests are not recorded yet", error=str(exc), retry_seconds=pause)
                await self._forget_next()
                await self._wait(pause)
                pause = min(_MAX_PAUSE, 2 * pause)
                continue
            if not is_backlog:
                await self._wait(_POLL_SECONDS)
        await self._forget_next()

    async def _record_next(self) -> bool:
        """Record the next group of requests. Return True if more are waiting; they are read meanwhile."""
        group = await (self._next or self._read())
        self._next = None
        if not group.entries:
            return False
        is_backlog = len(group.entries) >= _BACKLOG_ENTRIES or sum(map(_size, group.entries)) >= _BACKLOG_BYTES
        if is_backlog:
            self._next = asyncio.create_task(self._read(), name="spool reader")
        await self._record(group)
        await asyncio.to_thread(self._reader.commit, group.entries)
        if not is_backlog:
            # Under a steady load, the next group is large enough to be worth its transactions.
            await self._pause(_GATHER_SECONDS)
        return is_backlog

    async def _forget_next(self) -> None:
        """Continue with the first request that isn't recorded."""
        task, self._next = self._next, None
        if task is not None:
            await asyncio.gather(task, return_exceptions=True)
        self._reader.rewind()

    async def _read(self) -> _Group:
        entries = await asyncio.to_thread(self._reader.read, _MAX_ENTRIES, _MAX_BYTES)
        try:
            return _Group(entries, await self._read_requests(entries))
        except StoreUnavailable:
            raise
        except Exception:  # noqa: BLE001 - they are read again one by one
            return _Group(entries, None)

    async def _read_requests(self, entries: Sequence[SpoolEntry]) -> ReadArrivals:
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
        return await self._events.read(arrivals)

    async def _pause(self, seconds: float) -> None:
        """Wait until the time is over or the server stops."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    async def _wait(self, seconds: float) -> None:
        if self._stopping.is_set():
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._arrived.wait()
        if not self._stopping.is_set():
            self._arrived.clear()

    async def _record(self, group: _Group) -> None:
        if group.requests is None:
            await self._record_each(group.entries)
            return
        try:
            await self._events.record(group.requests)
        except (StoreUnavailable, RecorderBusy):
            raise
        except Exception:  # noqa: BLE001 - they are recorded one by one
            _log.exception("captured requests can't be recorded together", requests=len(group.entries))
            await self._record_each(group.entries)

    async def _record_each(self, entries: Sequence[SpoolEntry]) -> None:
        """Record requests one by one, so that one which can't be recorded doesn't keep all others from being."""
        for entry in entries:
            try:
                await self._events.record(await self._read_requests([entry]))
            except (StoreUnavailable, RecorderBusy):
                raise
            except Exception:  # noqa: BLE001 - it is kept, and the next ones are recorded
                _log.exception("a captured request can't be recorded, and is kept as unmatched")
                await self._keep_failed(entry)

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


def _size(entry: SpoolEntry) -> int:
    return len(entry.payload)
