"""Random histories: in whatever order activities arrive, the rollups equal a recount."""

import asyncio
import itertools
import random
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rapport.activity import DEVICE_TYPES, TYPES, Activity
from rapport.errors import StoreUnavailable
from rapport.sample import generate_sample
from rapport.settings import Settings
from rapport.store.batch import Batch, build_batch
from rapport.store.engines import open_store
from rapport.store.store import Store
from tests.helpers.activities import activity_from_line
from tests.helpers.legacy import remove_rollups
from tests.helpers.recount import Line, deduplicate
from tests.helpers.rollup_oracle import START_TIME, expected_rollups, random_line, stored_lines, stored_rollups


@st.composite
def draw_line(draw: st.DrawFn) -> Line:
    """Draw a line with one of a few contacts, times and events, so that many are late or repeated."""
    activity_type = draw(st.sampled_from(list(TYPES)))
    line: Line = {
        "contact_id": draw(st.sampled_from(["ada", "bob", "eve"])),
        "campaign_activity_id": draw(st.sampled_from(["m1", "m2"])),
        "tracking_activity_type": activity_type,
        "created_time": START_TIME + draw(st.sampled_from((0, 1_000, 2_000, 3_599_999, 3_600_000))),
    }
    if activity_type.endswith(("clicks", "click")) and draw(st.booleans()):
        line["link_url"] = draw(st.sampled_from(["https://a.example", "https://b.example"]))
    if activity_type in {"em_opens", "em_clicks", "p_contact_open"} and draw(st.booleans()):
        line["device_type"] = draw(st.sampled_from(list(DEVICE_TYPES)))
    if activity_type == "em_bounces" and draw(st.integers(0, 3)):
        line["bounce_code"] = draw(st.sampled_from(["B", "V"]))
    if draw(st.integers(0, 3)) == 0:
        line["event_id"] = f"e{draw(st.integers(0, 5))}"
    return line


A_GROUP = st.lists(st.tuples(st.sampled_from([0, 1]), st.lists(draw_line(), max_size=12)), min_size=1, max_size=4)
"""Batches of two accounts, recorded in one transaction."""


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(groups=st.lists(A_GROUP, min_size=1, max_size=5))
async def test_rollups_equal_recount(store: Store, location: str, groups: list[list[tuple[int, list[Line]]]]) -> None:
    accounts = [f"first-{uuid4().hex}", f"second-{uuid4().hex}"]

    for group in groups:
        await store.ingest.record(
            [build_batch(accounts[place], map(activity_from_line, lines)) for place, lines in group]
        )
    for place, account in enumerate(accounts):
        lines = [line for group in groups for of, batch in group if of == place for line in batch]
        assert stored_rollups(location, account) == expected_rollups(deduplicate(lines))


@pytest.mark.slow
async def test_rollups_of_large_batches_equal_recount(location: str) -> None:
    """On PostgreSQL, these batches are copied into the table, staged because of duplicates, or inserted from arrays."""
    history = list(generate_sample(1_500, seed=2))[:12_000]
    edges = ((0, 6_000), (3_000, 9_000), (8_900, 9_100), (0, 12_000), (0, 12_000))

    async with open_store(Settings(data=location)) as store:
        for first, last in edges:
            await store.ingest.record([build_batch("a", history[first:last])])
    lines = stored_lines(location, "a")
    assert len(lines) == len(set(history))
    assert stored_rollups(location, "a") == expected_rollups(lines)


async def record_with_retries(store: Store, batches: list[Batch]) -> None:
    """Record the batches, and retry while the store is unavailable, as it may be on a cluster."""
    for _ in range(20):
        with suppress(StoreUnavailable):
            await store.ingest.record(batches)
            return
    raise AssertionError("never recorded")


@pytest.mark.slow
@pytest.mark.parametrize("size", [40, 700])
async def test_rollups_of_concurrent_writers_equal_recount(location: str, size: int) -> None:
    """All writers record the same activities, in different orders."""
    rng = random.Random(7)
    history = [activity_from_line(random_line(rng, number)) for number in range(2_000)]

    async with open_store(Settings(data=location)) as one, open_store(Settings(data=location)) as other:
        groups: list[Any] = []
        for store in (one, other):
            rng.shuffle(history)
            pieces = [history[first : first + size] for first in range(0, len(history), size)]
            groups += [
                record_with_retries(store, [build_batch("a", some), build_batch("b", more)])
                for some, more in itertools.pairwise(pieces)
            ]
        await asyncio.gather(*groups)
    for account in ("a", "b"):
        assert stored_rollups(location, account) == expected_rollups(stored_lines(location, account))


async def test_migration_adds_rollups_to_existing_store(location: str) -> None:
    rng = random.Random(3)
    history = [activity_from_line(random_line(rng, number)) for number in range(1_500)]

    async def fill(account: str, some: list[Activity]) -> None:
        async with open_store(Settings(data=location)) as store:
            await store.ingest.record([build_batch(account, some)])

    await fill("a", history)
    await fill("b", history[:200])
    before = sorted(stored_lines(location, "a"), key=repr)
    remove_rollups(location)
    await fill("a", history[:500])
    assert sorted(stored_lines(location, "a"), key=repr) == before
    await fill("b", history[100:300])
    for account in ("a", "b"):
        assert stored_rollups(location, account) == expected_rollups(stored_lines(location, account))
