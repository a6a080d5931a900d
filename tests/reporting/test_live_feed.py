"""The live feed without HTTP: slow subscribers, and outages of the store."""

import asyncio
from pathlib import Path

import pytest

from rapport.activity import ActivityType
from rapport.errors import StoreUnavailable, TooManyStreams
from rapport.reporting.live_feed import ActivityEvent, LiveFeed, Subscription
from rapport.settings import Settings
from rapport.store.engines import open_store
from rapport.store.store import Store
from tests.helpers.activities import make_activity, record
from tests.helpers.postgres import PostgresServer

EVERY = tuple(ActivityType)


async def receive(subscription: Subscription, count: int) -> list[ActivityEvent]:
    results: list[ActivityEvent] = []
    async with asyncio.timeout(20):
        while len(results) < count and not subscription.is_closed:
            results += [event for event in await subscription.get(1) if isinstance(event, ActivityEvent)]
    return results


async def test_slow_subscriber_is_dropped_and_can_resume(store: Store) -> None:
    feed = LiveFeed(store.feed, 4)
    slow = await feed.subscribe("a", EVERY)
    begun = slow.position
    for first in range(0, 6_000, 1_000):
        await record(store, *(make_activity(f"c{number % 9}", after=number) for number in range(first, first + 1_000)))
    async with asyncio.timeout(20):
        while not slow.is_closed:  # noqa: ASYNC110 - a dropped subscriber has no event to wait for
            await asyncio.sleep(0.05)
    feed.unsubscribe(slow)
    again = await feed.subscribe("a", EVERY, begun)
    first_half = await receive(again, 3_000)
    feed.unsubscribe(again)
    after = first_half[-1].position
    rest = await receive(await feed.subscribe("a", EVERY, after), 6_000 - len(first_half))
    times = [event.activity.created_time for event in (*first_half, *rest)]
    assert len(times) == len(set(times)) == 6_000
    await feed.stop()


async def test_store_is_polled_only_with_subscribers(tmp_path: Path) -> None:
    def is_looking() -> bool:
        return "feed" in {task.get_name() for task in asyncio.all_tasks()}

    async with open_store(Settings(data=str(tmp_path / "data"))) as store:
        feed = LiveFeed(store.feed, 4)
        assert not is_looking()
        subscriptions = [await feed.subscribe("a", EVERY) for _ in range(2)]
        assert is_looking()
        with pytest.raises(TooManyStreams):
            await feed.subscribe("a", EVERY)
        # Another account can still subscribe.
        subscriptions.append(await feed.subscribe("b", EVERY))
        with pytest.raises(TooManyStreams):
            await feed.subscribe("b", EVERY)
        for subscription in subscriptions:
            feed.unsubscribe(subscription)
        await asyncio.sleep(0.6)
        assert not is_looking()
        # Earlier activities aren't delivered.
        await record(store, make_activity())
        later = await feed.subscribe("a", EVERY)
        await record(store, make_activity(after=1))
        (only,) = await receive(later, 1)
        assert only.activity == make_activity(after=1)
        feed.close()
        assert later.is_closed
        with pytest.raises(TooManyStreams):
            await feed.subscribe("a", EVERY)
        await feed.stop()


async def test_feed_survives_database_restart_without_missing_activities(own_postgres: PostgresServer) -> None:
    async with open_store(Settings(data=own_postgres.url)) as store:
        feed = LiveFeed(store.feed, 4)
        subscription = await feed.subscribe("a", EVERY)
        await record(store, make_activity())
        own_postgres.stop("immediate")
        await asyncio.sleep(0.6)
        own_postgres.start()
        async with asyncio.timeout(20):
            while True:
                try:
                    await record(store, make_activity(after=1))
                    break
                except StoreUnavailable:
                    await asyncio.sleep(0.1)
        assert [event.activity for event in await receive(subscription, 2)] == [make_activity(), make_activity(after=1)]
        await feed.stop()
