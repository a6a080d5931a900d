"""Random histories: however the activities come in, the roll-ups equal a recount by brute force."""

import asyncio
import itertools
import random
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rapport.activity import BOUNCE_CODES, DEVICE_TYPES, TYPES, Activity, Link
from rapport.errors import StoreUnavailable
from rapport.instant import Instant
from rapport.sample import sample
from rapport.settings import Settings
from rapport.store.batch import Batch, build_batch
from rapport.store.engines import open_store
from rapport.store.store import Store
from tests.histories.recount import Line, recorded
from tests.histories.tally import BEGIN, in_store, random_activity, standing, tallied
from tests.store.earlier import without_roll_ups


@st.composite
def a_line(draw: st.DrawFn) -> Line:
    """Few contacts, campaign activities, instants and events, so that much is late, again, or the same."""
    activity_type = draw(st.sampled_from(list(TYPES)))
    line: Line = {
        "contact_id": draw(st.sampled_from(["ada", "bob", "eve"])),
        "campaign_activity_id": draw(st.sampled_from(["m1", "m2"])),
        "tracking_activity_type": activity_type,
        "created_time": BEGIN + draw(st.sampled_from((0, 1_000, 2_000, 3_599_999, 3_600_000))),
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


def activity(line: Line) -> Activity:
    device_type, bounce_code = line.get("device_type"), line.get("bounce_code")
    return Activity(
        contact_id=line["contact_id"],
        campaign_activity_id=line["campaign_activity_id"],
        type=TYPES[line["tracking_activity_type"]],
        created_time=Instant(line["created_time"]),
        event_id=line.get("event_id"),
        link=Link(link_url=line["link_url"]) if "link_url" in line else None,
        device_type=None if device_type is None else DEVICE_TYPES[device_type],
        bounce_code=None if bounce_code is None else BOUNCE_CODES[bounce_code],
    )


A_GROUP = st.lists(st.tuples(st.sampled_from([0, 1]), st.lists(a_line(), max_size=12)), min_size=1, max_size=4)
"""Batches of two accounts that are recorded in one transaction."""


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(groups=st.lists(A_GROUP, min_size=1, max_size=5))
def test_rollups_equal_recount(data: str, groups: list[list[tuple[int, list[Line]]]]) -> None:
    accounts = [f"first-{uuid4().hex}", f"second-{uuid4().hex}"]

    async def work() -> None:
        async with open_store(Settings(data=data)) as store:
            for group in groups:
                await store.ingest.record(
                    [build_batch(accounts[place], map(activity, lines)) for place, lines in group]
                )

    asyncio.run(work())
    for place, account in enumerate(accounts):
        lines = [line for group in groups for of, batch in group if of == place for line in batch]
        assert standing(data, account) == tallied(recorded(lines))


def test_rollups_of_large_batches_equal_recount(data: str) -> None:
    """On PostgreSQL: copied right into the table, staged after a duplicate was met, and few as arrays."""
    history = list(sample(1_500, seed=2))[:12_000]
    edges = ((0, 6_000), (3_000, 9_000), (8_900, 9_100), (0, 12_000), (0, 12_000))

    async def work() -> None:
        async with open_store(Settings(data=data)) as store:
            for first, last in edges:
                await store.ingest.record([build_batch("a", history[first:last])])

    asyncio.run(work())
    lines = in_store(data, "a")
    assert len(lines) == len(set(history))
    assert standing(data, "a") == tallied(lines)


async def sent_until_recorded(store: Store, batches: list[Batch]) -> None:
    """As senders do who are told to try again: of so many for the same contacts, a cluster tells some."""
    for _ in range(20):
        with suppress(StoreUnavailable):
            await store.ingest.record(batches)
            return
    raise AssertionError("never recorded")


@pytest.mark.parametrize("size", [40, 700])
def test_rollups_of_concurrent_writers_equal_recount(data: str, size: int) -> None:
    """Each of them brings the same in an order of its own, and of the same contacts and campaign activities."""
    rng = random.Random(7)
    history = [activity(random_activity(rng, number)) for number in range(2_000)]

    async def work() -> None:
        async with open_store(Settings(data=data)) as one, open_store(Settings(data=data)) as other:
            groups: list[Any] = []
            for store in (one, other):
                rng.shuffle(history)
                pieces = [history[first : first + size] for first in range(0, len(history), size)]
                groups += [
                    sent_until_recorded(store, [build_batch("a", some), build_batch("b", more)])
                    for some, more in itertools.pairwise(pieces)
                ]
            await asyncio.gather(*groups)

    asyncio.run(work())
    for account in ("a", "b"):
        assert standing(data, account) == tallied(in_store(data, account))


def test_migration_adds_rollups_to_existing_store(data: str) -> None:
    rng = random.Random(3)
    history = [activity(random_activity(rng, number)) for number in range(1_500)]

    async def fill(account: str, some: list[Activity]) -> None:
        async with open_store(Settings(data=data)) as store:
            await store.ingest.record([build_batch(account, some)])

    asyncio.run(fill("a", history))
    asyncio.run(fill("b", history[:200]))
    before = sorted(in_store(data, "a"), key=repr)
    without_roll_ups(data)
    asyncio.run(fill("a", history[:500]))
    assert sorted(in_store(data, "a"), key=repr) == before
    asyncio.run(fill("b", history[100:300]))
    for account in ("a", "b"):
        assert standing(data, account) == tallied(in_store(data, account))
