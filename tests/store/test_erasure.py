"""Erasing a contact: nothing personal is left, counters don't change, and nothing recreates the contact."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from rapport.activity import Activity, ActivityType
from rapport.instant import Instant
from rapport.settings import Settings
from rapport.store.batch import build_batch
from rapport.store.copying import copy
from rapport.store.engines import open_store
from rapport.store.erasure import Tombstones
from rapport.store.ingest import Recorded
from rapport.store.store import Store
from tests.helpers.activities import list_activities, make_activity, record
from tests.helpers.erasure import ada_activities, counters_match, list_tables, random_activities, read_counters
from tests.helpers.rollup_oracle import stored_rollups
from tests.helpers.sql import execute_sql, fetch_all

FAR = Instant(4_000_000_000_000)


async def test_erasure_removes_contact_from_every_table(location: str) -> None:
    async with open_store(Settings(data=location)) as store:
        await record(store, *ada_activities(), *ada_activities(1), *random_activities())
        await record(store, *ada_activities(), account="b")
        assert await store.erasure.erase("a", "c-augusta-king")
        assert not await store.erasure.erase("a", "c-augusta-king")
        assert not await store.erasure.erase("a", "nobody")
        assert await store.contacts.get("a", "c-augusta-king") is None
        assert len(await list_activities(store, "c-augusta-king", "b")) == len(ada_activities())
        assert await store.erasure.erase("b", "c-augusta-king")
    for table in list_tables(location):
        assert "ugusta" not in repr(fetch_all(location, f'SELECT * FROM "{table}"')), table  # noqa: S608
    assert fetch_all(location, "SELECT count(*) FROM contact") == [(40,)]


async def test_erasure_keeps_campaign_counters(location: str) -> None:
    async with open_store(Settings(data=location)) as store:
        await record(
            store,
            *random_activities(),
            *(ada_activity for number in range(3) for ada_activity in ada_activities(number)),
        )
        before = await read_counters(store)
        for number in range(20):
            assert await store.erasure.erase("a", f"c{number}")
            assert await read_counters(store) == before
        assert await store.erasure.erase("a", "c-augusta-king")
        assert await read_counters(store) == before
        assert await counters_match(store)
    engaged = {contact for _, _, contact in stored_rollups(location, "a").engagement}
    assert engaged == {f"c{number}" for number in range(20, 40)}


async def test_erasure_removes_only_its_contact_from_feed(store: Store) -> None:
    start = await store.feed.head()
    await record(store, *ada_activities(), make_activity("bob"))
    received = await store.feed.read(["a"], start, await store.feed.head())
    assert await store.erasure.erase("a", "c-augusta-king")
    left = await store.feed.read(["a"], start, await store.feed.head())
    assert received is not None
    assert left is not None
    assert [len(row.positions) for row in left] == [len(row.positions) for row in received]
    (kept,) = {key for row in left for key in row.keys} & {key for row in received for key in row.keys}
    assert await store.feed.get_activities("a", [kept]) == [make_activity("bob")]


async def test_repair_includes_counts_of_erased_contacts(location: str) -> None:
    before: list[object] = []
    async with open_store(Settings(data=location)) as store:
        await record(store, *random_activities(), *ada_activities())
        for contact_id in ("c1", "c2", "c-augusta-king"):
            assert await store.erasure.erase("a", contact_id)
    async with open_store(Settings(data=location)) as store:
        before.append(await read_counters(store))
    execute_sql(location, "DELETE FROM campaign_activity_stats", "DELETE FROM engagement WHERE type = 1")
    async with open_store(Settings(data=location)) as store:
        assert [difference async for difference in store.verification.verify(repair=True)]
        before.append(await read_counters(store))
    assert before[0] == before[1]


async def test_replay_after_erasure_counts_as_duplicate(location: str) -> None:
    history = [*random_activities(), *ada_activities()]

    before: list[object] = []
    async with open_store(Settings(data=location)) as store:
        await record(store, *history)
        assert await store.erasure.erase("a", "c-augusta-king")
        before.append(await read_counters(store))
    async with open_store(Settings(data=location)) as store:
        recorded = await record(store, *history)
        assert (dict(recorded.accepted), recorded.duplicate) == ({}, len(history))
        assert (await record(store, *ada_activities(7))).duplicate == len(ada_activities())
        assert await store.contacts.get("a", "c-augusta-king") is None
        assert await read_counters(store) == before[0]
        assert await counters_match(store)


async def test_later_activity_of_erased_contact_starts_new_history(store: Store) -> None:
    await record(store, make_activity(), make_activity(activity_type=ActivityType.EM_SENDS))
    assert await store.erasure.erase("a", "ada")
    later = make_activity(after=FAR - make_activity().created_time)
    recorded = await record(store, make_activity(), later)
    assert (dict(recorded.accepted), recorded.duplicate) == ({ActivityType.EM_OPENS: 1}, 1)
    assert await list_activities(store) == [later]
    assert await counters_match(store)
    # Activities later than the erasure's clock are rejected with the rest.
    assert await store.erasure.erase("a", "ada")
    assert (await record(store, later)).duplicate == 1
    assert await list_activities(store) == []
    assert await counters_match(store)


async def test_erased_contact_is_not_recreated_by_other_process(location: str) -> None:
    async with open_store(Settings(data=location)) as one, open_store(Settings(data=location)) as other:
        for store in (one, other):
            await record(store, *ada_activities())
        assert await one.erasure.erase("a", "c-augusta-king")
        later = make_activity("c-augusta-king", after=FAR - make_activity().created_time)
        assert (await record(other, *ada_activities(), *ada_activities(1))).duplicate == 2 * len(ada_activities())
        assert await other.contacts.get("a", "c-augusta-king") is None
        await record(other, later)
        assert await list_activities(one, "c-augusta-king") == [later]
        assert await counters_match(one)


async def test_prepared_batch_omits_contact_erased_since(location: str) -> None:
    async with open_store(Settings(data=location)) as one, open_store(Settings(data=location)) as other:
        await record(one, *ada_activities())
        ready = await one.ingest.prepare(build_batch("a", [make_activity(), *ada_activities(1)]))
        assert await other.erasure.erase("a", "c-augusta-king")
        (recorded,) = await one.ingest.record([ready])
        assert (dict(recorded.accepted), recorded.duplicate) == ({ActivityType.EM_OPENS: 1}, len(ada_activities()))
        assert await one.contacts.get("a", "c-augusta-king") is None
        assert await counters_match(one)


@pytest.mark.slow
@pytest.mark.parametrize("size", [20, 700])
async def test_erasure_during_recording_keeps_counters_correct(location: str, size: int) -> None:
    history = random_activities(9, 2_800)
    erased = [f"c{number}" for number in range(12)]

    async def write(store: Store, pieces: Sequence[Sequence[Activity]]) -> list[Recorded]:
        return [await record(store, *piece) for piece in pieces]

    async def forget(store: Store) -> None:
        for contact_id in erased:
            await asyncio.sleep(0.02)
            assert await store.erasure.erase("a", contact_id)

    async with open_store(Settings(data=location)) as one, open_store(Settings(data=location)) as other:
        pieces = [history[first : first + size] for first in range(0, len(history), size)]
        await record(one, *history[:300])
        writing = (write(one, pieces), write(one, pieces[1::2]), write(other, pieces[::-1]))
        await asyncio.gather(*writing, forget(other))
        for contact_id in erased:
            assert await one.contacts.get("a", contact_id) is None
        assert await counters_match(one)
        assert (await record(other, *history)).duplicate == len(history)


async def test_copy_applies_erasures_and_keeps_counters(store: Store, tmp_path: Path) -> None:
    """The copy goes to the other engine and back again."""
    all_items = random_activities()

    async with open_store(Settings(data=str(tmp_path / "source"))) as source:
        await record(source, *ada_activities(), *ada_activities(1), *all_items)
        await record(source, *ada_activities(2), account="b")
        for contact_id in ("c-augusta-king", all_items[0].contact_id):
            assert await source.erasure.erase("a", contact_id)
        for _ in range(2):
            await copy(source, store, lambda _: None)
            assert await read_counters(store) == await read_counters(source)
        assert await counters_match(store)
        assert await store.erasure.export_tombstones("a") == await source.erasure.export_tombstones("a")
        assert await store.erasure.export_tombstones("b") == Tombstones([], [], [], [])
    await record(store, *ada_activities())
    assert await store.contacts.get("a", "c-augusta-king") is None
    async with open_store(Settings(data=str(tmp_path / "back"))) as back:
        await copy(store, back, lambda _: None)
        assert await read_counters(back) == await read_counters(store)
        assert await counters_match(back)
