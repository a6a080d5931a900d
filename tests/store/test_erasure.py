"""A person is forgotten: nothing of it is left, what it was counted in stands, and nothing brings it back."""

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from rapport.activity import Activity, ActivityType, ContactProfile, Link
from rapport.instant import Instant
from rapport.settings import Settings
from rapport.store.batch import build_batch
from rapport.store.copying import copy
from rapport.store.engines import open_store
from rapport.store.erasure import Tombstones
from rapport.store.ingest import Recorded
from rapport.store.reports import StatRow
from rapport.store.store import Store
from tests.histories.tally import random_activity, standing
from tests.histories.test_rollups import activity
from tests.store.by_hand import params
from tests.store.earlier import execute
from tests.store.test_promises import all_links, did, on, record, whole

CAMPAIGN_ACTIVITIES = ["m0", "m1", "m2"]
FAR = Instant(4_000_000_000_000)

ADA = ContactProfile(email_address="augusta@example.com", first_name="Augusta", last_name="King-Noel")


def of_ada(number: int = 0) -> list[Activity]:
    """Something of everything that is counted, and all that tells who it is."""
    link = Link(link_url=f"https://example.com/{number % 2}")
    return [
        Activity(
            contact_id="c-augusta-king",
            campaign_activity_id="m1",
            type=activity_type,
            created_time=Instant(1_767_268_800_000 + number),
            event_id=f"<augusta-{number}-{activity_type}@example.com>",
            person=ADA,
            link=link if activity_type is ActivityType.EM_CLICKS else None,
            opt_out_reason="Too many, says Augusta" if activity_type is ActivityType.EM_OPTOUTS else None,
        )
        for activity_type in ActivityType
    ]


def of_many(seed: int = 5, count: int = 1_200) -> list[Activity]:
    rng = random.Random(seed)
    return [activity(random_activity(rng, number)) for number in range(count)]


async def numbers(store: Store) -> tuple[list[StatRow], dict[str, list[tuple[str | None, str, int]]]]:
    """What the reports on campaigns count."""
    counters = await store.reports.get_activity_stats("a", CAMPAIGN_ACTIVITIES)
    links = {each: sorted(await all_links(store, "a", each)) for each in CAMPAIGN_ACTIVITIES}
    return sorted(counters, key=repr), links


async def is_right(store: Store) -> bool:
    return [difference async for difference in store.verification.verify(repair=False)] == []


def tables(data: str) -> list[str]:
    if data.startswith("postgresql:"):
        return [name for (name,) in params(data, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    return [name for (name,) in params(data, "SELECT name FROM sqlite_schema WHERE type = 'table'")]


def test_erasure_removes_contact_from_every_table(data: str) -> None:
    async def work(store: Store) -> None:
        await record(store, *of_ada(), *of_ada(1), *of_many())
        await record(store, *of_ada(), account="b")
        assert await store.erasure.erase("a", "c-augusta-king")
        assert not await store.erasure.erase("a", "c-augusta-king")
        assert not await store.erasure.erase("a", "nobody")
        assert await store.contacts.get("a", "c-augusta-king") is None
        assert len(await whole(store, "c-augusta-king", "b")) == len(of_ada())
        assert await store.erasure.erase("b", "c-augusta-king")

    on(data, work)
    for table in tables(data):
        assert "ugusta" not in repr(params(data, f'SELECT * FROM "{table}"')), table  # noqa: S608
    assert params(data, "SELECT count(*) FROM contact") == [(40,)]


def test_erasure_keeps_campaign_counters(data: str) -> None:
    async def work(store: Store) -> None:
        await record(store, *of_many(), *(each for number in range(3) for each in of_ada(number)))
        before = await numbers(store)
        for number in range(20):
            assert await store.erasure.erase("a", f"c{number}")
            assert await numbers(store) == before
        assert await store.erasure.erase("a", "c-augusta-king")
        assert await numbers(store) == before
        assert await is_right(store)

    on(data, work)
    engaged = {contact for _, _, contact in standing(data, "a").engagement}
    assert engaged == {f"c{number}" for number in range(20, 40)}


def test_erasure_removes_only_its_contact_from_feed(data: str) -> None:
    async def work(store: Store) -> None:
        start = await store.feed.head()
        await record(store, *of_ada(), did("bob"))
        told = await store.feed.read(["a"], start, await store.feed.head())
        assert await store.erasure.erase("a", "c-augusta-king")
        left = await store.feed.read(["a"], start, await store.feed.head())
        assert told is not None
        assert left is not None
        assert [len(row.positions) for row in left] == [len(row.positions) for row in told]
        (kept,) = {key for row in left for key in row.keys} & {key for row in told for key in row.keys}
        assert await store.feed.get_activities("a", [kept]) == [did("bob")]

    on(data, work)


def test_repair_includes_counts_of_erased_contacts(data: str) -> None:
    async def fill(store: Store) -> None:
        await record(store, *of_many(), *of_ada())
        for contact_id in ("c1", "c2", "c-augusta-king"):
            assert await store.erasure.erase("a", contact_id)

    async def then(store: Store) -> None:
        before.append(await numbers(store))

    async def mend(store: Store) -> None:
        assert [difference async for difference in store.verification.verify(repair=True)]
        before.append(await numbers(store))

    before: list[object] = []
    on(data, fill)
    on(data, then)
    execute(data, "DELETE FROM campaign_activity_stats", "DELETE FROM engagement WHERE type = 1")
    on(data, mend)
    assert before[0] == before[1]


def test_replay_after_erasure_counts_as_duplicate(data: str) -> None:
    history = [*of_many(), *of_ada()]

    async def first(store: Store) -> None:
        await record(store, *history)
        assert await store.erasure.erase("a", "c-augusta-king")
        before.append(await numbers(store))

    async def again(store: Store) -> None:
        recorded = await record(store, *history)
        assert (dict(recorded.accepted), recorded.duplicate) == ({}, len(history))
        assert (await record(store, *of_ada(7))).duplicate == len(of_ada())
        assert await store.contacts.get("a", "c-augusta-king") is None
        assert await numbers(store) == before[0]
        assert await is_right(store)

    before: list[object] = []
    on(data, first)
    on(data, again)


def test_later_activity_of_erased_contact_starts_new_history(data: str) -> None:
    async def work(store: Store) -> None:
        await record(store, did(), did(activity_type=ActivityType.EM_SENDS))
        assert await store.erasure.erase("a", "ada")
        later = did(after=FAR - did().created_time)
        recorded = await record(store, did(), later)
        assert (dict(recorded.accepted), recorded.duplicate) == ({ActivityType.EM_OPENS: 1}, 1)
        assert await whole(store) == [later]
        assert await is_right(store)
        # What lay ahead of the clock when it was erased is refused with the rest.
        assert await store.erasure.erase("a", "ada")
        assert (await record(store, later)).duplicate == 1
        assert await whole(store) == []
        assert await is_right(store)

    on(data, work)


def test_erased_contact_is_not_recreated_by_other_process(data: str) -> None:
    async def work() -> None:
        async with open_store(Settings(data=data)) as one, open_store(Settings(data=data)) as other:
            for store in (one, other):
                await record(store, *of_ada())
            assert await one.erasure.erase("a", "c-augusta-king")
            later = did("c-augusta-king", after=FAR - did().created_time)
            assert (await record(other, *of_ada(), *of_ada(1))).duplicate == 2 * len(of_ada())
            assert await other.contacts.get("a", "c-augusta-king") is None
            await record(other, later)
            assert await whole(one, "c-augusta-king") == [later]
            assert await is_right(one)

    asyncio.run(work())


def test_prepared_batch_omits_contact_erased_since(data: str) -> None:
    async def work() -> None:
        async with open_store(Settings(data=data)) as one, open_store(Settings(data=data)) as other:
            await record(one, *of_ada())
            ready = await one.ingest.prepare(build_batch("a", [did(), *of_ada(1)]))
            assert await other.erasure.erase("a", "c-augusta-king")
            (recorded,) = await one.ingest.record([ready])
            assert (dict(recorded.accepted), recorded.duplicate) == ({ActivityType.EM_OPENS: 1}, len(of_ada()))
            assert await one.contacts.get("a", "c-augusta-king") is None
            assert await is_right(one)

    asyncio.run(work())


@pytest.mark.parametrize("size", [20, 700])
def test_erasure_during_recording_keeps_counters_correct(data: str, size: int) -> None:
    history = of_many(9, 2_800)
    erased = [f"c{number}" for number in range(12)]

    async def write(store: Store, pieces: Sequence[Sequence[Activity]]) -> list[Recorded]:
        return [await record(store, *piece) for piece in pieces]

    async def forget(store: Store) -> None:
        for contact_id in erased:
            await asyncio.sleep(0.02)
            assert await store.erasure.erase("a", contact_id)

    async def work() -> None:
        async with open_store(Settings(data=data)) as one, open_store(Settings(data=data)) as other:
            pieces = [history[first : first + size] for first in range(0, len(history), size)]
            await record(one, *history[:300])
            writing = (write(one, pieces), write(one, pieces[1::2]), write(other, pieces[::-1]))
            await asyncio.gather(*writing, forget(other))
            for contact_id in erased:
                assert await one.contacts.get("a", contact_id) is None
            assert await is_right(one)
            assert (await record(other, *history)).duplicate == len(history)

    asyncio.run(work())


def test_copy_applies_erasures_and_keeps_counters(data: str, tmp_path: Path) -> None:
    """From one engine to the other, and from there to this one again: what is there stays as it is."""
    every = of_many()

    async def work(store: Store) -> None:
        async with open_store(Settings(data=str(tmp_path / "source"))) as source:
            await record(source, *of_ada(), *of_ada(1), *every)
            await record(source, *of_ada(2), account="b")
            for contact_id in ("c-augusta-king", every[0].contact_id):
                assert await source.erasure.erase("a", contact_id)
            for _ in range(2):
                await copy(source, store, lambda _: None)
                assert await numbers(store) == await numbers(source)
            assert await is_right(store)
            assert await store.erasure.export_tombstones("a") == await source.erasure.export_tombstones("a")
            assert await store.erasure.export_tombstones("b") == Tombstones([], [], [], [])
        await record(store, *of_ada())
        assert await store.contacts.get("a", "c-augusta-king") is None
        async with open_store(Settings(data=str(tmp_path / "back"))) as back:
            await copy(store, back, lambda _: None)
            assert await numbers(back) == await numbers(store)
            assert await is_right(back)

    on(data, work)
