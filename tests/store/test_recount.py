"""Counts that somebody has changed by hand are found and put right, and what comes in meanwhile is counted."""

import asyncio
import random

import pytest

from rapport.settings import Settings
from rapport.store.batch import build_batch
from rapport.store.engines import open_store
from rapport.store.verification import CounterMismatch
from tests.histories.tally import in_store, random_activity, standing, tallied
from tests.histories.test_rollups import activity
from tests.store.earlier import execute

TAMPERING = [
    "UPDATE engagement SET activities = activities + 1",
    "UPDATE engagement SET last_time = (SELECT max(created_time) FROM account)",
    "DELETE FROM engagement WHERE type = 1",
    "UPDATE bounced_contact SET activities = 7",
    "DELETE FROM clicked_link",
    "UPDATE clicked_link SET campaign_activity = campaign_activity + 1 WHERE campaign_activity < 2",
    "DELETE FROM bounced_contact",
    "UPDATE campaign_activity_stats SET total = total + 1 WHERE type = 1 AND detail = -1",
    "UPDATE campaign_activity_stats SET contacts = contacts - 1 WHERE type = 3",
    "DELETE FROM campaign_activity_stats",
    "UPDATE engagement SET type = 9 WHERE type = 0",
    "UPDATE campaign_activity_hour SET total = total + 1 WHERE type = 0",
    "DELETE FROM campaign_activity_hour WHERE type = 1",
]


async def recounted(data: str, *, repair: bool) -> list[CounterMismatch]:
    async with open_store(Settings(data=data)) as store:
        return [difference async for difference in store.verification.verify(repair=repair)]


async def fill(data: str, count: int = 600) -> None:
    rng = random.Random(11)
    async with open_store(Settings(data=data)) as store:
        for account in ("a", "b"):
            await store.ingest.record(
                [build_batch(account, [activity(random_activity(rng, number)) for number in range(count)])]
            )


@pytest.fixture
def filled(data: str) -> str:
    asyncio.run(fill(data))
    return data


def in_order(found: list[CounterMismatch]) -> list[CounterMismatch]:
    """A cluster tells them in the order in which its nodes answer."""
    return sorted(found, key=repr)


def assert_right(data: str) -> None:
    for account in ("a", "b"):
        assert standing(data, account) == tallied(in_store(data, account))


def test_recount_of_untouched_store_finds_nothing(filled: str) -> None:
    assert asyncio.run(recounted(filled, repair=False)) == []


@pytest.mark.parametrize("tampering", TAMPERING)
def test_recount_finds_and_repairs_tampered_counters(filled: str, tampering: str) -> None:
    execute(filled, tampering)
    found = asyncio.run(recounted(filled, repair=False))
    assert found
    assert all(each.stored != each.expected for each in found)
    assert in_order(asyncio.run(recounted(filled, repair=True))) == in_order(found)
    assert asyncio.run(recounted(filled, repair=False)) == []
    assert_right(filled)


def test_repair_keeps_concurrently_recorded_activities(filled: str) -> None:
    rng = random.Random(12)

    async def work() -> list[CounterMismatch]:
        async with open_store(Settings(data=filled)) as store:

            async def write() -> None:
                for _ in range(30):
                    await store.ingest.record(
                        [build_batch("a", [activity(random_activity(rng, number)) for number in range(20)])]
                    )

            async def repair() -> list[CounterMismatch]:
                await asyncio.sleep(0.02)
                return [difference async for difference in store.verification.verify(repair=True)]

            *_, found = await asyncio.gather(write(), write(), write(), repair())
            return found

    execute(filled, "UPDATE engagement SET activities = activities + 1", "DELETE FROM campaign_activity_stats")
    assert asyncio.run(work())
    assert_right(filled)


def test_recount_during_recording_finds_nothing(filled: str) -> None:
    rng = random.Random(13)

    async def work() -> list[CounterMismatch]:
        async with open_store(Settings(data=filled)) as store:

            async def write() -> None:
                for _ in range(30):
                    await store.ingest.record(
                        [build_batch("a", [activity(random_activity(rng, number)) for number in range(20)])]
                    )

            async def look() -> list[CounterMismatch]:
                found = []
                for _ in range(5):
                    await asyncio.sleep(0.01)
                    found += [difference async for difference in store.verification.verify(repair=False)]
                return found

            *_, found = await asyncio.gather(write(), write(), look())
            return found

    assert asyncio.run(work()) == []
