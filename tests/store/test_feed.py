"""The feed: every activity once, in whatever order transactions commit."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence

import pytest

from rapport.activity import Activity, ActivityType, ContactProfile, Link
from rapport.settings import Settings
from rapport.store import feed
from rapport.store.batch import build_batch
from rapport.store.engines import open_store
from rapport.store.feed import MAX_KEYS_PER_BATCH, FeedRow
from rapport.store.store import Store
from tests.helpers.activities import list_activities, make_activity, record
from tests.helpers.sql import execute_sql, fetch_all


async def read_feed(store: Store, after: str, *accounts: str, until: str | None = None) -> list[FeedRow]:
    """Return all feed entries of the accounts after the position."""
    end = until or await store.feed.head()
    results: list[FeedRow] = []
    while more := await store.feed.read(accounts or ("a",), after, end):
        results += more
        after = more[-1].positions[-1]
    assert more is not None
    return results


async def read_activities(store: Store, results: Sequence[FeedRow]) -> list[Activity]:
    """Return the activities of the entries."""
    activities = [
        feed_activity for row in results for feed_activity in await store.feed.get_activities(row.account_id, row.keys)
    ]
    return [activity for activity in activities if activity is not None]


async def test_feed_returns_complete_activities_in_time_order(store: Store) -> None:
    ada = ContactProfile(email_address="ada@example.com", first_name="Ada")
    click = Activity(
        contact_id="ada",
        campaign_activity_id="m1",
        type=ActivityType.EM_CLICKS,
        created_time=make_activity().created_time,
        campaign_activity_name="March",
        campaign_id="c1",
        link=Link(link_url="https://example.com/"),
        event_id="e",
        person=ada,
    )

    start = await store.feed.head()
    assert await read_feed(store, start) == []
    await record(store, make_activity("bob", after=5), click, make_activity("ada", after=-5, person=ada))
    (row,) = await read_feed(store, start)
    assert (row.account_id, len(row.keys), dict(row.omitted)) == ("a", 3, {})
    sent, clicked, opened_ = await read_activities(store, [row])
    assert (sent.created_time, opened_.contact_id) == (make_activity(after=-5).created_time, "bob")
    assert clicked == click
    # Without a profile, the known one is returned.
    await record(store, make_activity("ada", after=9))
    (known,) = await read_activities(store, await read_feed(store, row.positions[-1]))
    assert known.person == ada


async def test_duplicates_are_not_in_feed(store: Store) -> None:
    await record(store, make_activity())
    start = await store.feed.head()
    await record(store, make_activity(), make_activity())
    assert await store.feed.head() == start or await read_feed(store, start) == []
    await record(store, make_activity(), make_activity(after=1))
    assert [len(row.keys) for row in await read_feed(store, start)] == [1]


async def test_feed_is_separate_for_each_account(location: str, store: Store) -> None:
    start = await store.feed.head()
    await store.ingest.record(
        [
            build_batch("a", [make_activity()]),
            build_batch("b", [make_activity(after=1)]),
            build_batch("a", [make_activity(after=2)]),
        ]
    )
    assert [(row.account_id, len(row.keys)) for row in await read_feed(store, start, "a")] == [("a", 2)]
    assert [(row.account_id, len(row.keys)) for row in await read_feed(store, start, "b")] == [("b", 1)]
    assert [len(row.keys) for row in await read_feed(store, start, "a", "b")] in ([2, 1], [1, 2])
    (row,) = await read_feed(store, start, "a")
    assert await read_feed(store, start, "c") == []
    # Keys of another account are rejected unless they are unguessable.
    if not location.startswith("postgresql:"):
        assert await store.feed.get_activities("b", row.keys) == [None, None]


async def test_large_batch_is_partly_in_feed_and_rest_counted(store: Store) -> None:
    start = await store.feed.head()
    activity_types = (ActivityType.EM_SENDS, ActivityType.EM_OPENS)
    for first in (0, 6_000):
        await record(
            store,
            *(make_activity(f"c{number % 70}", activity_types[number % 2], number) for number in range(first, 7_000)),
        )
    results = await read_feed(store, start)
    assert [len(row.keys) for row in results] == [MAX_KEYS_PER_BATCH, 0 or MAX_KEYS_PER_BATCH][: len(results)]
    kept = Counter(activity_type for row in results for _, activity_type, *_ in row.keys)
    for row in results:
        kept.update(row.omitted)
    assert kept == {ActivityType.EM_SENDS: 3_500, ActivityType.EM_OPENS: 3_500}
    # After some of its keys, the omitted activities aren't counted again.
    (rest, *_) = await read_feed(store, results[0].positions[-3])
    assert (len(rest.keys), rest.omitted) == (2, {})


async def test_feed_resumes_after_every_position(store: Store) -> None:
    start = await store.feed.head()
    for size in (1, 3, 2, 1, 5):
        end = await store.feed.head()
        first = int(end.rpartition("@")[2]) * 10
        await record(store, *(make_activity(f"c{size}", after=first + number) for number in range(size)))
    all_items = await read_feed(store, start)
    keys = [key for row in all_items for key in row.keys]
    positions = [position for row in all_items for position in row.positions]
    assert len(set(positions)) == len(keys) == 12
    await record(store, make_activity("later"))
    for place, position in enumerate(positions):
        results = await read_feed(store, position)
        assert [key for row in results for key in row.keys][:-1] == keys[place + 1 :]


async def test_feed_omits_erased_contacts(store: Store) -> None:
    start = await store.feed.head()
    await record(store, make_activity("ada"), make_activity("bob", after=1))
    await store.erasure.erase("a", "ada")
    results = await read_feed(store, start)
    assert [len(row.keys) for row in results] == [2]
    assert [activity.contact_id for activity in await read_activities(store, results)] == ["bob"]


async def test_invalid_and_expired_feed_positions_return_none(location: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("sqlite", "postgres"):
        monkeypatch.setattr(f"rapport.store.{module}.feed_writer.MIN_KEYS", 50)
    monkeypatch.setattr("rapport.store.postgres.feed_writer._PRUNE_AFTER", 1)
    positions: list[str] = []

    async with open_store(Settings(data=location)) as store:
        start = await store.feed.head()
        await record(store, make_activity())
        soon = await store.feed.head()
        for text in ("", "x", "-1", "1:2:3", "9" * 30, "2:1:@5", f"{soon}~", f"~{soon}", f"{soon}~{soon}~1.2", "é" * 9):
            assert await store.feed.read(["a"], text, soon) is None
        assert await read_feed(store, start, until=soon)
        # A position beyond the end, as after restoring a backup.
        assert await store.feed.read(["a"], soon, start) is None
        for number in range(1, 101):
            await record(store, make_activity(after=number))
        if location.startswith("postgresql:"):
            # Recent entries are kept, however many there are.
            assert len(await read_feed(store, start)) == 101
        positions[:] = start, soon
    if location.startswith("postgresql:"):
        execute_sql(location, "UPDATE feed SET recorded_time = recorded_time - interval '1 hour'")
    async with open_store(Settings(data=location)) as store:
        await record(store, make_activity(after=101))
        end = await store.feed.head()
        assert [await store.feed.read(["a"], position, end) for position in positions] == [None, None]
        await record(store, make_activity("last"))
        assert len(await read_feed(store, end)) == 1
    assert fetch_all(location, "SELECT count(*) FROM feed")[0][0] in range(50, 53)


@pytest.mark.parametrize("seed", range(3))
async def test_feed_misses_nothing_of_concurrent_writers(location: str, seed: int) -> None:
    """Each reader gets every activity exactly once."""
    rng = random.Random(seed)
    writers, activities = 6, 120

    async def write(store: Store, writer: int) -> None:
        mine = [make_activity(f"w{writer}", after=number) for number in range(activities)]
        while mine:
            size = rng.randrange(1, 9)
            await record(store, *mine[:size])
            mine = mine[size:]

    async def listen(store: Store, start: str, done: asyncio.Event) -> list[tuple[object, ...]]:
        received: list[tuple[object, ...]] = []
        position, is_last = start, False
        while not is_last:
            is_last = done.is_set()
            end = await store.feed.head()
            results = await read_feed(store, position, until=end)
            received += [key for row in results for key in row.keys]
            # Sometimes resume from the middle, as after a disconnect.
            position = end
            if results and not is_last and rng.random() < 0.5:
                position = rng.choice(rng.choice(results).positions)
                again = sum(len(row.keys) for row in await read_feed(store, position, until=end))
                received = received[: len(received) - again]
            await asyncio.sleep(0.005)
        return received

    async with open_store(Settings(data=location)) as one, open_store(Settings(data=location)) as other:
        done = asyncio.Event()
        start = await one.feed.head()
        listening = [asyncio.create_task(listen(store, start, done)) for store in (one, other)]
        await asyncio.gather(*(write((one, other)[writer % 2], writer) for writer in range(writers)))
        done.set()
        for task in listening:
            received = await task
            assert len(received) == len(set(received)) == writers * activities
        for writer in range(writers):
            assert len(await list_activities(one, f"w{writer}")) == activities


def test_feed_retention_covers_50_batches() -> None:
    assert feed.MIN_KEYS >= 50 * MAX_KEYS_PER_BATCH
