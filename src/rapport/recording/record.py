"""The only way in: activities wait here for the next commit, and their senders for its end."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Sequence
from typing import Final

import structlog

from rapport import metrics
from rapport.activity import TYPE_NAMES
from rapport.disconnects import CancelledByDisconnect
from rapport.errors import RecorderBusy, StoreUnavailable
from rapport.store.batch import Batch, weigh
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

    __slots__ = ("batch", "recorded", "weight")

    def __init__(self, batch: Batch, recorded: asyncio.Future[Recorded]) -> None:
        self.batch = batch
        self.weight = weigh(batch)
        self.recorded = recorded


class Recorder:
    """Takes batches from any number of senders and commits them in groups.

    Whatever arrives while one commit runs makes up the next one: the more senders, the larger the groups,
    and an only sender waits for nobody. Accounts are served in turn. One of them may have as much in its queue as is
    still free for all, so that it alone fills half of it.
    """

    def __init__(self, store: Store, most_waiting: int) -> None:
        self._store = store
        self._most_waiting = most_waiting
        self._queues: dict[str, deque[_Waiting]] = {}
        self._activities_waiting = 0
        self._weight = 0
        self._weight_of = Counter[str]()
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
        waiting = _Waiting(batch, asyncio.get_running_loop().create_future())
        if self._stopping or not self._has_room(waiting):
            raise RecorderBusy(_RETRY_AFTER)
        self._queues.setdefault(batch.account_id, deque()).append(waiting)
        self._count_waiting([waiting], 1)
        self._arrived.set()
        try:
            with CancelledByDisconnect():
                async with asyncio.timeout(PATIENCE):
                    return await waiting.recorded
        except TimeoutError as problem:
            raise StoreUnavailable(f"the store did not commit within {PATIENCE:g} s") from problem
        except asyncio.CancelledError:
            self._leave(waiting)
            raise

    def _has_room(self, waiting: _Waiting) -> bool:
        free = self._most_waiting - self._weight
        queue = self._queues.get(waiting.batch.account_id)
        if queue and self._weight_of[waiting.batch.account_id] + waiting.weight > free:
            return False
        return not self._queues or waiting.weight <= free

    def _leave(self, waiting: _Waiting) -> None:
        account_id = waiting.batch.account_id
        queue = self._queues.get(account_id, deque())
        if waiting in queue:
            queue.remove(waiting)
            self._count_waiting([waiting], -1)
            if not queue:
                del self._queues[account_id]

    async def _commit_groups(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._queues:
                await self._commit(self._next_group())
            if self._stopping:
                return

    def _next_group(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        size = 0
        while self._queues:
            account_id, queue = next(iter(self._queues.items()))
            size += queue[0].batch.size
            if group and size > GROUP:
                break
            group.append(queue.popleft())
            del self._queues[account_id]
            if queue:
                # To the end of the line.
                self._queues[account_id] = queue
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
        self._count_waiting(group, -1)

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

    def _count_waiting(self, group: Sequence[_Waiting], sign: int) -> None:
        for waiting in group:
            account_id = waiting.batch.account_id
            self._activities_waiting += sign * waiting.batch.size
            self._weight += sign * waiting.weight
            self._weight_of[account_id] += sign * waiting.weight
            if not self._weight_of[account_id]:
                del self._weight_of[account_id]
        metrics.WAITING.set(self._activities_waiting)
