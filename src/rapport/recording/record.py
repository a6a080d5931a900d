"""The only way in: activities wait here for the next commit, and their senders for its end."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from typing import Final

import structlog

from rapport import metrics
from rapport.activity import TYPE_NAMES
from rapport.errors import RecorderBusy, StoreUnavailable
from rapport.store.batch import Batch
from rapport.store.protocol import Recorded, Store

GROUP: Final = 10_000
"""Activities in one commit, when more than these wait: what comes behind them must not wait for all at once."""

PATIENCE: Final = 40.0
"""Seconds that a sender waits at most: for a commit that runs, for its own, and for its own once more, alone."""

_RETRY_AFTER: Final = 1
"""Seconds after which a sender who was turned away may find room: a full queue is written in about as many."""

_log = structlog.get_logger("rapport.recording")


class _Waiting:
    """A batch, and the future that its sender waits for."""

    __slots__ = ("batch", "recorded")

    def __init__(self, batch: Batch, recorded: asyncio.Future[Recorded]) -> None:
        self.batch = batch
        self.recorded = recorded


class Recorder:
    """Takes batches from any number of senders and commits them in groups.

    Whatever arrives while one commit runs makes up the next one: the more senders, the larger the groups,
    and an only sender waits for nobody.
    """

    def __init__(self, store: Store, most_waiting: int) -> None:
        self._store = store
        self._most_waiting = most_waiting
        self._queue: deque[_Waiting] = deque()
        self._activities_waiting = 0
        self._arrived = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to commit, in a task of the running event loop."""
        self._task = asyncio.create_task(self._commit_groups(), name="recorder")

    async def stop(self) -> None:
        """Commit what waits, and end."""
        self._stopping = True
        self._arrived.set()
        if self._task is not None:
            await self._task

    async def record(self, batch: Batch) -> Recorded:
        """Record a batch; it is durable when this returns.

        Raises RecorderBusy when too many wait already, StoreUnavailable when they could not be committed:
        in both cases the same batch may be sent again.
        """
        if not batch.size:
            return Recorded(accepted={}, duplicate=0)
        full = self._queue and self._activities_waiting + batch.size > self._most_waiting
        if self._stopping or full:
            raise RecorderBusy(_RETRY_AFTER)
        waiting = _Waiting(batch, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._count_waiting(batch.size)
        self._arrived.set()
        try:
            async with asyncio.timeout(PATIENCE):
                return await waiting.recorded
        except TimeoutError as problem:
            raise StoreUnavailable(f"the store did not commit within {PATIENCE:g} s") from problem

    async def _commit_groups(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._queue:
                await self._commit(self._next_group())
            if self._stopping:
                return

    def _next_group(self) -> list[_Waiting]:
        group = [self._queue.popleft()]
        size = group[0].batch.size
        while self._queue and size + self._queue[0].batch.size <= GROUP:
            group.append(self._queue.popleft())
            size += group[-1].batch.size
        return group

    async def _commit(self, group: list[_Waiting]) -> None:
        size = sum(waiting.batch.size for waiting in group)
        began = time.perf_counter()
        try:
            recorded = await self._store.record([waiting.batch for waiting in group])
        except StoreUnavailable as problem:
            _log.warning("commit refused", activities=size, problem=str(problem))
            if len(group) > 1 and self._store.in_parts:
                # What goes to parts that are there must not wait for one that isn't.
                await asyncio.gather(*(self._commit([waiting]) for waiting in group))
                return
            self._fail(group, problem)
        except Exception as problem:  # noqa: BLE001 - whoever waits is told, whatever it was
            _log.exception("commit failed", activities=size)
            if len(group) > 1:
                # One batch must not take its neighbours down: each on its own now.
                for waiting in group:
                    await self._commit([waiting])
                return
            self._fail(group, problem)
        else:
            self._succeed(group, recorded)
            metrics.COMMIT_SECONDS.observe(time.perf_counter() - began)
            metrics.COMMIT_SIZE.observe(size)
        self._count_waiting(-size)

    def _fail(self, group: list[_Waiting], problem: Exception) -> None:
        for waiting in group:
            if not waiting.recorded.done():
                waiting.recorded.set_exception(problem)

    def _succeed(self, group: list[_Waiting], recorded: Sequence[Recorded]) -> None:
        for waiting, outcome in zip(group, recorded, strict=True):
            # A sender who hung up has a cancelled future; what it sent is recorded all the same.
            if not waiting.recorded.done():
                waiting.recorded.set_result(outcome)
            for kind, count in outcome.accepted.items():
                metrics.ACTIVITIES.labels(TYPE_NAMES[kind]).inc(count)
            if outcome.duplicate:
                metrics.DUPLICATES.inc(outcome.duplicate)

    def _count_waiting(self, change: int) -> None:
        self._activities_waiting += change
        metrics.WAITING.set(self._activities_waiting)
