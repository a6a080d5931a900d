"""Record activities in groups: batches from concurrent senders share a commit."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Hashable, Sequence
from contextvars import Context, copy_context
from typing import Final

import structlog

from rapport import metrics
from rapport.activity import TYPE_NAMES, ActivityType
from rapport.disconnects import CancelledByDisconnect
from rapport.errors import RecorderBusy, StoreUnavailable
from rapport.store.batch import Batch, weigh
from rapport.store.ingest import IngestRepository, Recorded

MAX_GROUP_SIZE: Final = 10_000
"""The maximum number of activities in a commit, unless a single batch has more. Later batches don't wait for all."""

COMMIT_TIMEOUT: Final = 40.0
"""Seconds that a sender waits at most: for the running commit, for its own, and for one more attempt on its own."""

_RETRY_AFTER: Final = 1
"""Seconds after which a rejected sender should retry; a full queue is written in about this time."""

_log = structlog.get_logger("rapport.recording")


class _PendingBatch:
    """A queued batch, and the future that its sender waits for."""

    __slots__ = ("batch", "future", "weight")

    def __init__(self, batch: Batch, future: asyncio.Future[Recorded]) -> None:
        self.batch = batch
        self.weight = weigh(batch)
        self.future = future


class _Queue:
    """Batches waiting to be committed, in one queue per account."""

    def __init__(self, max_waiting: int) -> None:
        self._max_waiting = max_waiting
        self._by_account: dict[str, deque[_PendingBatch]] = {}
        self._weight = 0
        self._account_weights = Counter[str]()
        self.activities = 0
        self.arrived = asyncio.Event()

    def __bool__(self) -> bool:
        return bool(self._by_account)

    def has_room(self, pending: _PendingBatch) -> bool:
        """Return True unless the queue, or the account's share of it, is full."""
        free = self._max_waiting - self._weight
        queue = self._by_account.get(pending.batch.account_id)
        if queue and self._account_weights[pending.batch.account_id] + pending.weight > free:
            return False
        return not self._by_account or pending.weight <= free

    def append(self, pending: _PendingBatch) -> None:
        """Add a batch to the end of its account's queue."""
        self._by_account.setdefault(pending.batch.account_id, deque()).append(pending)
        self._count(pending, 1)
        self.arrived.set()

    def remove(self, pending: _PendingBatch) -> None:
        """Remove a batch if it is still queued."""
        account_id = pending.batch.account_id
        queue = self._by_account.get(account_id, deque())
        if pending in queue:
            queue.remove(pending)
            self._count(pending, -1)
            if not queue:
                del self._by_account[account_id]

    def next_group(self) -> list[_PendingBatch]:
        """Remove and return the batches of the next commit. Call `finish` with them after the commit."""
        group: list[_PendingBatch] = []
        size = 0
        while self._by_account:
            account_id, queue = next(iter(self._by_account.items()))
            size += queue[0].batch.size
            if group and size > MAX_GROUP_SIZE:
                break
            group.append(queue.popleft())
            del self._by_account[account_id]
            if queue:
                # Accounts take turns: this one goes to the end.
                self._by_account[account_id] = queue
        return group

    def finish(self, group: Sequence[_PendingBatch]) -> None:
        """Free the space of committed batches."""
        for pending in group:
            self._count(pending, -1)

    def _count(self, pending: _PendingBatch, sign: int) -> None:
        account_id = pending.batch.account_id
        self.activities += sign * pending.batch.size
        self._weight += sign * pending.weight
        self._account_weights[account_id] += sign * pending.weight
        if not self._account_weights[account_id]:
            del self._account_weights[account_id]


class GroupCommitter:
    """Commits batches from any number of senders in groups.

    Batches that arrive during a commit form the next group: the more senders, the larger the groups, and a single
    sender never waits for others. Accounts take turns. An account may queue as much as is still free, so that alone it
    fills at most half of the queue. If the store partitions batches, each partition has its own queue.
    """

    def __init__(self, ingest: IngestRepository, max_waiting: int) -> None:
        self._ingest = ingest
        self._max_waiting = max_waiting
        self._queues: dict[Hashable, _Queue] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._context: Context | None = None
        self._stopping = False

    def start(self) -> None:
        """Start committing, in tasks of the running event loop."""
        self._context = copy_context()
        for queue in self._queues.values():
            self._start(queue, self._context)

    def _start(self, queue: _Queue, context: Context) -> None:
        # Not in the context of the request that creates the queue, which must survive the request's disconnect.
        self._tasks.append(asyncio.create_task(self._commit_groups(queue), name="recorder", context=context.copy()))

    async def stop(self) -> None:
        """Commit the queued batches, then stop."""
        self._stopping = True
        for queue in self._queues.values():
            queue.arrived.set()
        await asyncio.gather(*self._tasks)

    async def record(self, batch: Batch) -> Recorded:
        """Record a batch; it is durable when this returns.

        Raises RecorderBusy if the queue is full, and StoreUnavailable if not all of the batch could be committed.
        In both cases the same batch can be sent again.
        """
        if not batch.size:
            return Recorded(accepted={}, duplicate=0)
        if self._stopping:
            raise RecorderBusy(_RETRY_AFTER)
        loop = asyncio.get_running_loop()
        parts = [
            (self._get_queue(key), _PendingBatch(part, loop.create_future()))
            for key, part in await self._ingest.partition(batch)
        ]
        if self._stopping or not all(queue.has_room(pending) for queue, pending in parts):
            raise RecorderBusy(_RETRY_AFTER)
        for queue, pending in parts:
            queue.append(pending)
        self._report_queue_size()
        try:
            with CancelledByDisconnect():
                async with asyncio.timeout(COMMIT_TIMEOUT):
                    return await _merge_recorded([pending.future for _, pending in parts])
        except TimeoutError as exc:
            raise StoreUnavailable(f"the store did not commit within {COMMIT_TIMEOUT:g} s") from exc
        except asyncio.CancelledError:
            for queue, pending in parts:
                queue.remove(pending)
            self._report_queue_size()
            raise

    def _get_queue(self, key: Hashable) -> _Queue:
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = _Queue(self._max_waiting)
            if self._context is not None:
                self._start(queue, self._context)
        return queue

    async def _commit_groups(self, queue: _Queue) -> None:
        while True:
            await queue.arrived.wait()
            queue.arrived.clear()
            while queue:
                group = queue.next_group()
                await self._commit(group)
                queue.finish(group)
                self._report_queue_size()
            if self._stopping:
                return

    async def _commit(self, group: list[_PendingBatch]) -> None:
        size = sum(pending.batch.size for pending in group)
        started = time.perf_counter()
        try:
            recorded = await self._ingest.record([pending.batch for pending in group])
        except StoreUnavailable as exc:
            _log.warning("commit refused", activities=size, error=str(exc))
            self._fail(group, exc)
        except Exception as exc:  # noqa: BLE001 - every error is passed on to the senders
            _log.exception("commit failed", activities=size)
            if len(group) > 1:
                # Retry each batch on its own, so that one bad batch doesn't fail the others.
                for pending in group:
                    await self._commit([pending])
                return
            self._fail(group, exc)
        else:
            self._succeed(group, recorded)
            metrics.COMMIT_SECONDS.observe(time.perf_counter() - started)
            metrics.COMMIT_SIZE.observe(size)

    def _fail(self, group: list[_PendingBatch], exc: Exception) -> None:
        for pending in group:
            if not pending.future.done():
                pending.future.set_exception(exc)

    def _succeed(self, group: list[_PendingBatch], recorded: Sequence[Recorded]) -> None:
        for pending, outcome in zip(group, recorded, strict=True):
            # The future of a disconnected sender is cancelled, but its batch is recorded all the same.
            if not pending.future.done():
                pending.future.set_result(outcome)
            for activity_type, count in outcome.accepted.items():
                metrics.ACTIVITIES.labels(TYPE_NAMES[activity_type]).inc(count)
            if outcome.duplicate:
                metrics.DUPLICATES.inc(outcome.duplicate)

    def _report_queue_size(self) -> None:
        metrics.WAITING.set(sum(queue.activities for queue in self._queues.values()))


async def _merge_recorded(parts: Sequence[asyncio.Future[Recorded]]) -> Recorded:
    """Wait for all parts of a batch and return their sum. Raises the first error of any part."""
    if len(parts) == 1:
        return await parts[0]
    accepted: Counter[ActivityType] = Counter()
    duplicate = 0
    for outcome in await asyncio.gather(*parts, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
        accepted.update(outcome.accepted)
        duplicate += outcome.duplicate
    return Recorded(accepted=accepted, duplicate=duplicate)
