"""Deliver activities to subscribers as they are recorded. One poll of the store serves all subscribers of a worker.

The store is polled only while there are subscribers. Slow subscribers are dropped; they can resume from the last
position they received.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

import structlog

from rapport.activity import Activity, ActivityType
from rapport.errors import StoreUnavailable, TooManyStreams
from rapport.store.feed import FeedKey, FeedRepository, FeedRow

POLL_INTERVAL: Final = 0.25
"""Seconds between two polls of the store."""

_RETRY_INTERVAL: Final = 1.0
"""Seconds between two polls of a store that is unavailable."""
_CHUNK_SIZE: Final = 200
"""Activities that are read, or returned to a subscriber, at a time; other requests run in between."""
_MAX_QUEUED_EVENTS: Final = 5_000
"""A subscriber with more queued events is dropped."""
_MAX_QUEUED_TEXT: Final = 2_000_000
"""A subscriber with more characters of links and reasons in its queue is dropped."""
_RETRY_AFTER: Final = 10
_MAX_RETRIES: Final = 8
"""The number of retries to read a new activity: on a cluster, it may become visible a little later."""

_log = structlog.get_logger("rapport.reporting")


class ActivityEvent(NamedTuple):
    """A recorded activity, and the position in the feed after it."""

    position: str
    activity: Activity


class GapEvent(NamedTuple):
    """Activities that aren't delivered one by one: how many of each type, or None if unknown."""

    counts: dict[ActivityType, int] | None

    @property
    def total(self) -> int | None:
        """The number of activities, or None if unknown."""
        return None if self.counts is None else sum(self.counts.values())


class Subscription:
    """A subscription to the activities of an account, from a position or from now on."""

    def __init__(self, feed: "LiveFeed", account_id: str, types: Sequence[ActivityType], after: str | None) -> None:
        self.account_id = account_id
        self.is_closed = False
        self._feed = feed
        self._types = frozenset(types)
        self._backlog = None if after is None else self._read_backlog(after, feed.position)
        self._queue: deque[ActivityEvent | GapEvent] = deque()
        self._queued_text = 0
        self._wakeup = asyncio.Event()

    async def get(self, max_wait: float) -> Sequence[ActivityEvent | GapEvent]:
        """Return the next events, or none if there are none within `max_wait` seconds. Raises StoreUnavailable."""
        if self._backlog is not None:
            events = await anext(self._backlog, None)
            if events is not None:
                return events
            self._backlog = None
        if not self._queue and not self.is_closed:
            with suppress(TimeoutError):
                async with asyncio.timeout(max_wait):
                    await self._wakeup.wait()
        events = [self._queue.popleft() for _ in range(min(len(self._queue), _CHUNK_SIZE))]
        self._queued_text -= sum(map(_text_length, events))
        if not self._queue and not self.is_closed:
            self._wakeup.clear()
        return events

    @property
    def position(self) -> str | None:
        """The position up to which all events have been delivered, or None while events are queued."""
        return None if self._queue or self._backlog is not None else self._feed.position

    async def _read_backlog(self, after: str, until: str) -> AsyncGenerator[list[ActivityEvent | GapEvent]]:
        """Yield the events after a position that were recorded before the subscription started."""
        while True:
            rows = await self._feed.read_rows([self.account_id], after, until)
            if rows is None:
                yield [GapEvent(None)]
            if not rows:
                return
            for row in rows:
                async for events, _ in self._feed.read_events(row):
                    yield list(self._filter(events))
            after = rows[-1].positions[-1]

    def publish(self, events: Sequence[ActivityEvent | GapEvent]) -> None:
        """Queue the events of the subscribed types. Closes the subscription if its queue is full."""
        subscribed = list(self._filter(events))
        self._queue.extend(subscribed)
        self._queued_text += sum(map(_text_length, subscribed))
        if len(self._queue) > _MAX_QUEUED_EVENTS or self._queued_text > _MAX_QUEUED_TEXT:
            self.close()
        elif self._queue:
            self._wakeup.set()

    def _filter(self, events: Sequence[ActivityEvent | GapEvent]) -> Iterator[ActivityEvent | GapEvent]:
        for event in events:
            if isinstance(event, ActivityEvent):
                if event.activity.type in self._types:
                    yield event
            elif event.counts is None:
                yield event
            elif counts := {
                activity_type: count for activity_type, count in event.counts.items() if activity_type in self._types
            }:
                yield GapEvent(counts)

    def close(self) -> None:
        """Deliver no further events."""
        self.is_closed = True
        self._wakeup.set()


def _text_length(event: ActivityEvent | GapEvent) -> int:
    if not isinstance(event, ActivityEvent):
        return 0
    activity = event.activity
    return len(activity.link.link_url or "" if activity.link else "") + len(activity.opt_out_reason or "")


class LiveFeed:
    """The subscriptions of a worker, and the task that polls the store for them."""

    def __init__(self, repository: FeedRepository, max_subscriptions: int) -> None:
        self._repository = repository
        self._max_subscriptions = max_subscriptions
        self._subscriptions: set[Subscription] = set()
        self._is_closed = False
        self._poller: asyncio.Task[None] | None = None
        self._poll_lock = asyncio.Lock()
        self.position = ""

    async def subscribe(self, account_id: str, types: Sequence[ActivityType], after: str | None = None) -> Subscription:
        """Subscribe to an account's activities, after a position or from now on.

        Raises TooManyStreams and StoreUnavailable.
        """
        self._check_limit(account_id)
        async with self._poll_lock:
            # Catch up first: `after` may come from another worker whose feed is ahead, and nothing is delivered twice.
            await self._poll()
            self._check_limit(account_id)
            subscription = Subscription(self, account_id, types, after)
            self._subscriptions.add(subscription)
        if self._poller is None:
            self._poller = asyncio.create_task(self._run(), name="feed")
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Close and forget a subscription."""
        subscription.close()
        self._subscriptions.discard(subscription)

    def close(self) -> None:
        """Close all subscriptions and accept no new ones, because the server stops."""
        self._is_closed = True
        for subscription in self._subscriptions:
            subscription.close()

    async def stop(self) -> None:
        """Close the feed and stop polling."""
        self.close()
        if self._poller is not None:
            self._poller.cancel()
            with suppress(asyncio.CancelledError):
                await self._poller

    def _check_limit(self, account_id: str) -> None:
        """Raise TooManyStreams unless more subscriptions are free than the account has: it can use at most half."""
        taken = sum(subscription.account_id == account_id for subscription in self._subscriptions)
        if self._is_closed or taken >= self._max_subscriptions - len(self._subscriptions):
            raise TooManyStreams(_RETRY_AFTER)

    async def _run(self) -> None:
        try:
            await self._poll_loop()
        except Exception:  # noqa: BLE001 - last-resort handler of the task
            # Nothing would publish events any more: subscribers have to reconnect, which starts a new task.
            _log.exception("feed failed")
            for subscription in self._subscriptions:
                subscription.close()
        finally:
            self._poller = None

    async def _poll_loop(self) -> None:
        is_unavailable = False
        while self._subscriptions:
            await asyncio.sleep(_RETRY_INTERVAL if is_unavailable else POLL_INTERVAL)
            try:
                async with self._poll_lock:
                    await self._poll()
                is_unavailable = False
            except StoreUnavailable as exc:
                if not is_unavailable:
                    _log.warning("feed not read", reason=str(exc))
                is_unavailable = True

    async def _poll(self) -> None:
        """Publish everything new since the last poll. If reading fails halfway, the next poll continues there."""
        head = await self._repository.head()
        account_ids = list({subscription.account_id for subscription in self._subscriptions})
        while account_ids and self.position != head:
            rows = await self.read_rows(account_ids, self.position, head)
            if rows is None:
                self._publish(account_ids, [GapEvent(None)])
            if not rows:
                break
            for row in rows:
                async for events, position in self.read_events(row):
                    self._publish([row.account_id], events)
                    self.position = position
        self.position = head

    def _publish(self, account_ids: Sequence[str], events: Sequence[ActivityEvent | GapEvent]) -> None:
        for subscription in self._subscriptions:
            if subscription.account_id in account_ids:
                subscription.publish(events)

    async def read_rows(self, account_ids: Sequence[str], after: str, until: str) -> list[FeedRow] | None:
        """Return the next rows of the store's feed. `FeedRepository.read` documents the parameters."""
        return await self._repository.read(account_ids, after, until)

    async def read_events(self, row: FeedRow) -> AsyncIterator[tuple[list[ActivityEvent | GapEvent], str]]:
        """Yield the events of a row in chunks, each with the position after it."""
        gap = GapEvent({ActivityType(activity_type): count for activity_type, count in row.omitted.items()})
        events: list[ActivityEvent | GapEvent] = [gap] if row.omitted else []
        for first in range(0, len(row.keys), _CHUNK_SIZE):
            positions = row.positions[first : first + _CHUNK_SIZE]
            activities = await self._read_activities(row, row.keys[first : first + _CHUNK_SIZE])
            events += [
                ActivityEvent(position, activity)
                for position, activity in zip(positions, activities, strict=True)
                if activity is not None
            ]
            yield events, positions[-1]
            events = []
            await asyncio.sleep(0)

    async def _read_activities(self, row: FeedRow, keys: Sequence[FeedKey]) -> list[Activity | None]:
        activities = await self._repository.get_activities(row.account_id, keys)
        retries = _MAX_RETRIES if row.may_lag else 0
        while None in activities and retries:
            retries -= 1
            await asyncio.sleep(POLL_INTERVAL)
            activities = await self._repository.get_activities(row.account_id, keys)
        return activities
