"""The only way in: activities wait here for the next commit, and their senders for its end."""

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


class _Line:
    """What waits to be committed together, account by account."""

    def __init__(self, max_waiting: int) -> None:
        self._max_waiting = max_waiting
        self._queues: dict[str, deque[_Waiting]] = {}
        self._weight = 0
        self._weight_of = Counter[str]()
        self.activities = 0
        self.arrived = asyncio.Event()

    def __bool__(self) -> bool:
        return bool(self._queues)

    def has_room(self, waiting: _Waiting) -> bool:
        """Return True unless too many wait already, or too many of the account."""
        free = self._max_waiting - self._weight
        queue = self._queues.get(waiting.batch.account_id)
        if queue and self._weight_of[waiting.batch.account_id] + waiting.weight > free:
            return False
        return not self._queues or waiting.weight <= free

    def append(self, waiting: _Waiting) -> None:
        """Put a batch at the end of its account's queue."""
        self._queues.setdefault(waiting.batch.account_id, deque()).append(waiting)
        self._count(waiting, 1)
        self.arrived.set()

    def remove(self, waiting: _Waiting) -> None:
        """Take a batch out, if it still waits for its turn."""
        account_id = waiting.batch.account_id
        queue = self._queues.get(account_id, deque())
        if waiting in queue:
            queue.remove(waiting)
            self._count(waiting, -1)
            if not queue:
                del self._queues[account_id]

    def next_group(self) -> list[_Waiting]:
        """Take what makes up the next commit; `finish` is called when that is over."""
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

    def finish(self, group: Sequence[_Waiting]) -> None:
        """Make room for others."""
        for waiting in group:
            self._count(waiting, -1)

    def _count(self, waiting: _Waiting, sign: int) -> None:
        account_id = waiting.batch.account_id
        self.activities += sign * waiting.batch.size
        self._weight += sign * waiting.weight
        self._weight_of[account_id] += sign * waiting.weight
        if not self._weight_of[account_id]:
            del self._weight_of[account_id]


class GroupCommitter:
    """Takes batches from any number of senders and commits them in groups.

    Whatever arrives while one commit runs makes up the next one: the more senders, the larger the groups,
    and an only sender waits for nobody. Accounts are served in turn. One of them may have as much in its queue as is
    still free for all, so that it alone fills half of it. What the store divides waits in a line for each of its parts.
    """

    def __init__(self, store: Store, most_waiting: int) -> None:
        self._store = store
        self._most_waiting = most_waiting
        self._lines: dict[Hashable, _Line] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._context: Context | None = None
        self._stopping = False

    def start(self) -> None:
        """Begin to commit, in tasks of the running event loop."""
        self._context = copy_context()
        for line in self._lines.values():
            self._start(line, self._context)

    def _start(self, line: _Line, context: Context) -> None:
        # Not in the context of the request that makes the line: the line outlives it, and its disconnect.
        self._tasks.append(asyncio.create_task(self._commit_groups(line), name="recorder", context=context.copy()))

    async def stop(self) -> None:
        """Commit what waits, and end."""
        self._stopping = True
        for line in self._lines.values():
            line.arrived.set()
        await asyncio.gather(*self._tasks)

    async def record(self, batch: Batch) -> Recorded:
        """Record a batch; it is durable when this returns.

        Raises RecorderBusy when too many wait already, StoreUnavailable when not all of it could be committed:
        in both cases the same batch may be sent again.
        """
        if not batch.size:
            return Recorded(accepted={}, duplicate=0)
        if self._stopping:
            raise RecorderBusy(_RETRY_AFTER)
        loop = asyncio.get_running_loop()
        parts = [
            (self._line(key), _Waiting(part, loop.create_future())) for key, part in await self._store.partition(batch)
        ]
        if self._stopping or not all(line.has_room(waiting) for line, waiting in parts):
            raise RecorderBusy(_RETRY_AFTER)
        for line, waiting in parts:
            line.append(waiting)
        self._report_waiting()
        try:
            with CancelledByDisconnect():
                async with asyncio.timeout(PATIENCE):
                    return await _recorded([waiting.recorded for _, waiting in parts])
        except TimeoutError as problem:
            raise StoreUnavailable(f"the store did not commit within {PATIENCE:g} s") from problem
        except asyncio.CancelledError:
            for line, waiting in parts:
                line.remove(waiting)
            self._report_waiting()
            raise

    def _line(self, key: Hashable) -> _Line:
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = _Line(self._most_waiting)
            if self._context is not None:
                self._start(line, self._context)
        return line

    async def _commit_groups(self, line: _Line) -> None:
        while True:
            await line.arrived.wait()
            line.arrived.clear()
            while line:
                group = line.next_group()
                await self._commit(group)
                line.finish(group)
                self._report_waiting()
            if self._stopping:
                return

    async def _commit(self, group: list[_Waiting]) -> None:
        size = sum(waiting.batch.size for waiting in group)
        began = time.perf_counter()
        try:
            recorded = await self._store.record([waiting.batch for waiting in group])
        except StoreUnavailable as problem:
            _log.warning("commit refused", activities=size, problem=str(problem))
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

    def _fail(self, group: list[_Waiting], problem: Exception) -> None:
        for waiting in group:
            if not waiting.recorded.done():
                waiting.recorded.set_exception(problem)

    def _succeed(self, group: list[_Waiting], recorded: Sequence[Recorded]) -> None:
        for waiting, outcome in zip(group, recorded, strict=True):
            # A sender who hung up has a cancelled future; what it sent is recorded all the same.
            if not waiting.recorded.done():
                waiting.recorded.set_result(outcome)
            for activity_type, count in outcome.accepted.items():
                metrics.ACTIVITIES.labels(TYPE_NAMES[activity_type]).inc(count)
            if outcome.duplicate:
                metrics.DUPLICATES.inc(outcome.duplicate)

    def _report_waiting(self) -> None:
        metrics.WAITING.set(sum(line.activities for line in self._lines.values()))


async def _recorded(parts: Sequence[asyncio.Future[Recorded]]) -> Recorded:
    """What became of a batch, when that is known of each of its parts. Raises what went wrong with any of them."""
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
