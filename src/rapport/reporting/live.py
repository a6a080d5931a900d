"""What is recorded, as it is recorded, for those who listen. One look at the store serves all listeners of a worker.

The store is asked while somebody listens, and only then. Whoever is too slow to hear is let go of, and can begin
again where it was.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

import structlog

from rapport.activity import Activity, ActivityType
from rapport.errors import StoreUnavailable, TooManyStreams
from rapport.store.feed import FeedKey, FeedRow
from rapport.store.protocol import Store

LOOK_EVERY: Final = 0.25
"""Seconds between two looks at the store."""

_LOOK_AGAIN_AFTER: Final = 1.0
"""Seconds until the next look at a store that is unavailable."""
_AT_ONCE: Final = 200
"""Activities that are read at a stretch; then other requests have their turn."""
_MOST_WAITING: Final = 5_000
"""Things that wait for a listener at most."""
_MAX_WAITING_TEXT: Final = 2_000_000
"""Characters of links and reasons in what waits for a listener."""
_RETRY_AFTER: Final = 10
_TRIES: Final = 8
"""Times that an activity is looked for which isn't there yet: a node of a cluster may show it a little later."""

_log = structlog.get_logger("rapport.reporting")


class ActivityEvent(NamedTuple):
    """An activity that was recorded, and the position in the feed behind it."""

    position: str
    activity: Activity


class GapEvent(NamedTuple):
    """Activities that aren't told one by one: how many of each type, or None if that isn't known."""

    counts: dict[ActivityType, int] | None

    @property
    def total(self) -> int | None:
        """How many; None if that isn't known."""
        return None if self.counts is None else sum(self.counts.values())


class Listener:
    """Somebody who listens to an account, from a position on or from now on."""

    def __init__(self, feed: "Feed", account_id: str, types: Sequence[ActivityType], after: str | None) -> None:
        self.account_id = account_id
        self.is_over = False
        self._feed = feed
        self._types = frozenset(types)
        self._earlier = None if after is None else self._catch_up(after, feed.position)
        self._waiting: deque[ActivityEvent | GapEvent] = deque()
        self._text_waiting = 0
        self._something = asyncio.Event()

    async def hear(self, within: float) -> Sequence[ActivityEvent | GapEvent]:
        """What there is to hear, or nothing when there was nothing for so many seconds. Raises StoreUnavailable."""
        if self._earlier is not None:
            told = await anext(self._earlier, None)
            if told is not None:
                return told
            self._earlier = None
        if not self._waiting and not self.is_over:
            with suppress(TimeoutError):
                async with asyncio.timeout(within):
                    await self._something.wait()
        heard = [self._waiting.popleft() for _ in range(min(len(self._waiting), _AT_ONCE))]
        self._text_waiting -= sum(map(_text_length, heard))
        if not self._waiting and not self.is_over:
            self._something.clear()
        return heard

    @property
    def position(self) -> str | None:
        """Up to where everything has been heard, whatever it was; None while something waits."""
        return None if self._waiting or self._earlier is not None else self._feed.position

    async def _catch_up(self, after: str, until: str) -> AsyncGenerator[list[ActivityEvent | GapEvent]]:
        """What was recorded from a position on, until this began to listen."""
        while True:
            rows = await self._feed.rows([self.account_id], after, until)
            if rows is None:
                yield [GapEvent(None)]
            if not rows:
                return
            for row in rows:
                async for told, _ in self._feed.told(row):
                    yield list(self._wanted(told))
            after = rows[-1].positions[-1]

    def tell(self, told: Sequence[ActivityEvent | GapEvent]) -> None:
        """Have this heard, if it is asked for."""
        wanted = list(self._wanted(told))
        self._waiting.extend(wanted)
        self._text_waiting += sum(map(_text_length, wanted))
        if len(self._waiting) > _MOST_WAITING or self._text_waiting > _MAX_WAITING_TEXT:
            self.end()
        elif self._waiting:
            self._something.set()

    def _wanted(self, told: Sequence[ActivityEvent | GapEvent]) -> Iterator[ActivityEvent | GapEvent]:
        for each in told:
            if isinstance(each, ActivityEvent):
                if each.activity.type in self._types:
                    yield each
            elif each.counts is None:
                yield each
            elif counts := {
                activity_type: count for activity_type, count in each.counts.items() if activity_type in self._types
            }:
                yield GapEvent(counts)

    def end(self) -> None:
        """There is nothing more to hear."""
        self.is_over = True
        self._something.set()


def _text_length(heard: ActivityEvent | GapEvent) -> int:
    if not isinstance(heard, ActivityEvent):
        return 0
    activity = heard.activity
    return len(activity.link.link_url or "" if activity.link else "") + len(activity.opt_out_reason or "")


class Feed:
    """The listeners of a worker, and the one who looks for them."""

    def __init__(self, store: Store, most_listeners: int) -> None:
        self._store = store
        self._most_listeners = most_listeners
        self._listeners: set[Listener] = set()
        self._is_closed = False
        self._looking: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        self.position = ""

    async def listen(self, account_id: str, types: Sequence[ActivityType], after: str | None = None) -> Listener:
        """Begin to listen, behind a position or from now on. Raises TooManyStreams, and StoreUnavailable."""
        self._admit(account_id)
        async with self._turn:
            # So that nobody is told again what it has heard from another worker, a look ahead of this one.
            await self._look()
            self._admit(account_id)
            listener = Listener(self, account_id, types, after)
            self._listeners.add(listener)
        if self._looking is None:
            self._looking = asyncio.create_task(self._keep_looking(), name="feed")
        return listener

    def leave(self, listener: Listener) -> None:
        """Listen no more."""
        listener.end()
        self._listeners.discard(listener)

    def close(self) -> None:
        """End for everybody: the server stops."""
        self._is_closed = True
        for listener in self._listeners:
            listener.end()

    async def stop(self) -> None:
        """Look no more."""
        self.close()
        if self._looking is not None:
            self._looking.cancel()
            with suppress(asyncio.CancelledError):
                await self._looking

    def _admit(self, account_id: str) -> None:
        """Raise TooManyStreams unless more places are free than the account has taken: it alone may take half."""
        taken = sum(listener.account_id == account_id for listener in self._listeners)
        if self._is_closed or taken >= self._most_listeners - len(self._listeners):
            raise TooManyStreams(_RETRY_AFTER)

    async def _keep_looking(self) -> None:
        try:
            await self._look_again_and_again()
        except Exception:  # noqa: BLE001 - whatever it was, it is logged
            # Nobody may wait for what never comes: all come back, and begin anew.
            _log.exception("feed failed")
            for listener in self._listeners:
                listener.end()
        finally:
            self._looking = None

    async def _look_again_and_again(self) -> None:
        is_told = False
        while self._listeners:
            await asyncio.sleep(_LOOK_AGAIN_AFTER if is_told else LOOK_EVERY)
            try:
                async with self._turn:
                    await self._look()
                is_told = False
            except StoreUnavailable as problem:
                if not is_told:
                    _log.warning("feed not read", reason=str(problem))
                is_told = True

    async def _look(self) -> None:
        """Tell everybody what is new since the last look; if it can't be read to its end, the next look goes on."""
        end = await self._store.feed_head()
        account_ids = list({listener.account_id for listener in self._listeners})
        while account_ids and self.position != end:
            rows = await self.rows(account_ids, self.position, end)
            if rows is None:
                self._tell(account_ids, [GapEvent(None)])
            if not rows:
                break
            for row in rows:
                async for told, position in self.told(row):
                    self._tell([row.account_id], told)
                    self.position = position
        self.position = end

    def _tell(self, account_ids: Sequence[str], told: Sequence[ActivityEvent | GapEvent]) -> None:
        for listener in self._listeners:
            if listener.account_id in account_ids:
                listener.tell(told)

    async def rows(self, account_ids: Sequence[str], after: str, until: str) -> list[FeedRow] | None:
        """The next rows of the feed; see the store's own."""
        return await self._store.feed(account_ids, after, until)

    async def told(self, row: FeedRow) -> AsyncIterator[tuple[list[ActivityEvent | GapEvent], str]]:
        """What a row tells, some at a time, and the position behind that."""
        missed = GapEvent({ActivityType(activity_type): count for activity_type, count in row.left_out.items()})
        told: list[ActivityEvent | GapEvent] = [missed] if row.left_out else []
        for first in range(0, len(row.keys), _AT_ONCE):
            positions = row.positions[first : first + _AT_ONCE]
            activities = await self._activities(row, row.keys[first : first + _AT_ONCE])
            told += [
                ActivityEvent(position, each) for position, each in zip(positions, activities, strict=True) if each
            ]
            yield told, positions[-1]
            told = []
            await asyncio.sleep(0)

    async def _activities(self, row: FeedRow, keys: Sequence[FeedKey]) -> list[Activity | None]:
        found = await self._store.feed_activities(row.account_id, keys)
        tries = _TRIES if row.is_fresh else 0
        while None in found and tries:
            tries -= 1
            await asyncio.sleep(LOOK_EVERY)
            found = await self._store.feed_activities(row.account_id, keys)
        return found
