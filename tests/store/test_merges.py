"""Merges of contacts: later arrivals, erasure, the feed and other processes."""

import asyncio

import pytest

from rapport.activity import Activity, ActivityType
from rapport.catalog import ContactMerge, ContactUpdate
from rapport.errors import ErasedContactMerged
from rapport.instant import Instant
from rapport.settings import Settings
from rapport.store.batch import build_batch
from rapport.store.engines import open_store
from rapport.store.store import Store
from tests.helpers.activities import NOON, list_activities, make_activity, record
from tests.helpers.erasure import ada_activities, counters_match, list_tables, random_activities, read_counters
from tests.helpers.sql import fetch_all


async def test_later_activities_of_merged_contact_go_to_new_one(store: Store) -> None:
    await record(store, make_activity("old"), make_activity("new", after=1))
    result = await store.merges.merge("a", "old", "new")
    assert result == ("new", True, 1, 0)
    recorded = await record(store, make_activity("old", after=2), make_activity("old"), make_activity("new", after=2))
    assert (recorded.accepted, recorded.duplicate) == ({ActivityType.EM_OPENS: 1}, 2)
    assert await list_activities(store, "new") == [make_activity("new", after=after) for after in (2, 1, 0)]
    assert await store.contacts.get("a", "old") is None
    assert await counters_match(store)


async def test_merge_applies_to_its_account_only(store: Store) -> None:
    for account in ("a", "b"):
        await record(store, make_activity("old"), account=account)
    await store.merges.merge("a", "old", "new")
    await record(store, make_activity("old", after=1), account="b")
    assert len(await list_activities(store, "old", "b")) == 2
    assert await store.merges.list("b", "", 10) == []


async def test_later_updates_of_merged_contact_go_to_new_one(store: Store) -> None:
    await store.merges.merge("a", "old", "new")
    update = ContactUpdate(contact_id="old", updated_at=Instant(NOON), is_dated=True, created_at=Instant(NOON))
    assert await store.contacts.upsert("a", [update]) == 1
    contact = await store.contacts.get("a", "new")
    assert contact is not None
    assert contact.created_at == NOON
    assert await store.contacts.get("a", "old") is None


async def test_chains_and_cycles_of_merges_are_one_contact(store: Store) -> None:
    await record(store, *(make_activity(contact_id, after=index) for index, contact_id in enumerate("abcd")))
    for old_id, new_id in ("ab", "bc", "cd"):
        assert (await store.merges.merge("a", old_id, new_id)).is_changed
    for old_id, new_id in ("da", "ab", "aa", "cb"):
        assert await store.merges.merge("a", old_id, new_id) == ("d", False, 0, 0)
    assert await store.merges.list("a", "", 10) == [
        ContactMerge("a", "d"),
        ContactMerge("b", "d"),
        ContactMerge("c", "d"),
    ]
    assert await store.merges.list("a", "a", 1) == [ContactMerge("b", "d")]
    assert len(await list_activities(store, "d")) == 4
    # A merged id refers to its contact.
    await record(store, make_activity("e", after=9))
    assert (await store.merges.merge("a", "a", "e")).contact_id == "e"
    assert await store.merges.list_old_ids("a", "e") == ["a", "b", "c", "d"]
    assert len(await list_activities(store, "e")) == 5


@pytest.mark.parametrize("erased_id", ["new", "old", "older"])
async def test_erasure_removes_all_merged_ids(location: str, erased_id: str) -> None:
    augusta = "c-augusta-king"
    ids = {"new": "c1", "old": augusta, "older": "older-augusta"}
    async with open_store(Settings(data=location)) as store:
        await record(store, *ada_activities(), *ada_activities(1), *random_activities())
        await store.merges.merge("a", ids["older"], augusta)
        await store.merges.merge("a", augusta, "c1")
        before = await read_counters(store)
        assert await store.erasure.erase("a", ids[erased_id])
        assert not await store.erasure.erase("a", ids[erased_id])
        assert await read_counters(store) == before
        assert await store.merges.list("a", "", 10) == []
        assert await store.contacts.get("a", "c1") is None
        for contact_id in ids.values():
            late = make_activity(contact_id)
            assert (await record(store, late)).duplicate == 1
        assert await counters_match(store)
    for table in list_tables(location):
        assert "ugusta" not in repr(fetch_all(location, f'SELECT * FROM "{table}"')), table  # noqa: S608


async def test_erasure_of_ids_merged_before_any_arrival(store: Store) -> None:
    await store.merges.merge("a", "old", "new")
    assert await store.erasure.erase("a", "old")
    assert await store.merges.list("a", "", 10) == []
    for contact_id in ("old", "new"):
        assert (await record(store, make_activity(contact_id))).duplicate == 1


async def test_contact_is_not_merged_into_erased_one(store: Store) -> None:
    await record(store, make_activity("old"), make_activity("new"))
    assert await store.erasure.erase("a", "new")
    with pytest.raises(ErasedContactMerged, match="contact new was erased"):
        await store.merges.merge("a", "old", "new")
    assert await list_activities(store, "old") == [make_activity("old")]
    # The other way round, the erased contact's activities stay refused.
    await store.merges.merge("a", "new", "old")
    assert (await record(store, make_activity("new", after=5))).duplicate == 1


async def test_merge_keeps_positions_of_feed(store: Store) -> None:
    start = await store.feed.head()
    common = make_activity("old", after=7)
    await record(store, make_activity("old"), common, make_activity("bob"))
    await record(store, make_activity("new", after=7))
    before = await store.feed.read(["a"], start, await store.feed.head())
    await store.merges.merge("a", "old", "new")
    after = await store.feed.read(["a"], start, await store.feed.head())
    assert before is not None
    assert after is not None
    assert [len(row.positions) for row in after] == [len(row.positions) for row in before]
    activities = await store.feed.get_activities("a", [key for row in after for key in row.keys])
    found = {(activity.contact_id, activity.created_time) for activity in activities if activity is not None}
    assert found == {("bob", NOON), ("new", NOON), ("new", NOON + 7)}
    assert activities.count(None) == 1


async def test_other_process_notices_merge(location: str) -> None:
    async with open_store(Settings(data=location)) as one, open_store(Settings(data=location)) as other:
        for store in (one, other):
            await record(store, make_activity("old"), make_activity("new"))
        ready = await other.ingest.prepare(build_batch("a", [make_activity("old", after=1)]))
        await one.merges.merge("a", "old", "new")
        await other.ingest.record([ready])
        await record(other, make_activity("old", after=2))
        assert [activity.created_time for activity in await list_activities(one, "new")] == [NOON + 2, NOON + 1, NOON]
        assert await one.contacts.get("a", "old") is None
        assert await counters_match(one)


async def test_merges_during_recording_keep_counters_correct(location: str) -> None:
    history = random_activities(11, 2_400)
    pieces = [history[first : first + 60] for first in range(0, len(history), 60)]

    async def write(store: Store, some: list[list[Activity]]) -> None:
        for piece in some:
            await record(store, *piece)

    async def merge(store: Store) -> None:
        for number in range(12):
            await asyncio.sleep(0.02)
            await store.merges.merge("a", f"c{number}", f"c{number + 1}")

    async with open_store(Settings(data=location)) as one, open_store(Settings(data=location)) as other:
        await asyncio.gather(write(one, pieces), write(other, pieces[::-1]), merge(other))
        assert (await record(one, *history)).duplicate == len(history)
        for number in range(12):
            assert await one.contacts.get("a", f"c{number}") is None
        assert await counters_match(one)
