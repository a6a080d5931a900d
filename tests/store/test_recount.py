"""A recount finds and repairs wrong counters, also during recording."""

import asyncio
import random

import pytest

from rapport.settings import Settings
from rapport.store.batch import build_batch
from rapport.store.engines import open_store
from rapport.store.verification import CounterMismatch
from tests.helpers.activities import activity_from_line
from tests.helpers.rollup_oracle import expected_rollups, random_line, stored_lines, stored_rollups
from tests.helpers.sql import execute_sql

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


async def run_recount(location: str, *, repair: bool) -> list[CounterMismatch]:
    async with open_store(Settings(data=location)) as store:
        return [difference async for difference in store.verification.verify(repair=repair)]


async def fill(location: str, count: int = 600) -> None:
    rng = random.Random(11)
    async with open_store(Settings(data=location)) as store:
        for account in ("a", "b"):
            await store.ingest.record(
                [build_batch(account, [activity_from_line(random_line(rng, number)) for number in range(count)])]
            )


@pytest.fixture
async def filled_location(location: str) -> str:
    await fill(location)
    return location


def sort_mismatches(results: list[CounterMismatch]) -> list[CounterMismatch]:
    """Sort the mismatches, which a cluster returns in the order in which its nodes respond."""
    return sorted(results, key=repr)


def assert_rollups_correct(location: str) -> None:
    for account in ("a", "b"):
        assert stored_rollups(location, account) == expected_rollups(stored_lines(location, account))


async def test_recount_of_untouched_store_finds_nothing(filled_location: str) -> None:
    assert (await run_recount(filled_location, repair=False)) == []


@pytest.mark.parametrize("tampering", TAMPERING)
async def test_recount_finds_and_repairs_tampered_counters(filled_location: str, tampering: str) -> None:
    execute_sql(filled_location, tampering)
    results = await run_recount(filled_location, repair=False)
    assert results
    assert all(block.stored != block.expected for block in results)
    assert sort_mismatches(await run_recount(filled_location, repair=True)) == sort_mismatches(results)
    assert (await run_recount(filled_location, repair=False)) == []
    assert_rollups_correct(filled_location)


async def test_repair_keeps_concurrently_recorded_activities(filled_location: str) -> None:
    rng = random.Random(12)

    execute_sql(
        filled_location, "UPDATE engagement SET activities = activities + 1", "DELETE FROM campaign_activity_stats"
    )
    async with open_store(Settings(data=filled_location)) as store:

        async def write() -> None:
            for _ in range(30):
                await store.ingest.record(
                    [build_batch("a", [activity_from_line(random_line(rng, number)) for number in range(20)])]
                )

        async def repair() -> list[CounterMismatch]:
            await asyncio.sleep(0.02)
            return [difference async for difference in store.verification.verify(repair=True)]

        *_, results = await asyncio.gather(write(), write(), write(), repair())
        assert results
    assert_rollups_correct(filled_location)


async def test_recount_during_recording_finds_nothing(filled_location: str) -> None:
    rng = random.Random(13)

    async with open_store(Settings(data=filled_location)) as store:

        async def write() -> None:
            for _ in range(30):
                await store.ingest.record(
                    [build_batch("a", [activity_from_line(random_line(rng, number)) for number in range(20)])]
                )

        async def look() -> list[CounterMismatch]:
            results = []
            for _ in range(5):
                await asyncio.sleep(0.01)
                results += [difference async for difference in store.verification.verify(repair=False)]
            return results

        *_, results = await asyncio.gather(write(), write(), look())
        assert (results) == []
