"""The feed: all that is recorded, once, whoever records it and in whatever order transactions commit."""

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
from tests.store.by_hand import params
from tests.store.earlier import execute
from tests.store.test_promises import did, on, record, whole


async def rows(store: Store, after: str, *accounts: str, until: str | None = None) -> list[FeedRow]:
    """All that the feed has behind the position, for the accounts."""
    end = until or await store.feed.head()
    found: list[FeedRow] = []
    while more := await store.feed.read(accounts or ("a",), after, end):
        found += more
        after = more[-1].positions[-1]
    assert more is not None
    return found


async def told(store: Store, found: Sequence[FeedRow]) -> list[Activity]:
    """The activities of which the rows tell."""
    activities = [each for row in found for each in await store.feed.get_activities(row.account_id, row.keys)]
    return [each for each in activities if each is not None]


def test_feed_returns_complete_activities_in_time_order(data: str) -> None:
    ada = ContactProfile(email_address="ada@example.com", first_name="Ada")
    click = Activity(
        contact_id="ada",
        campaign_activity_id="m1",
        type=ActivityType.EM_CLICKS,
        created_time=did().created_time,
        campaign_activity_name="March",
        campaign_id="c1",
        link=Link(link_url="https://example.com/"),
        event_id="e",
        person=ada,
    )

    async def work(store: Store) -> None:
        start = await store.feed.head()
        assert await rows(store, start) == []
        await record(store, did("bob", after=5), click, did("ada", after=-5, person=ada))
        (row,) = await rows(store, start)
        assert (row.account_id, len(row.keys), dict(row.omitted)) == ("a", 3, {})
        sent, clicked, opened_ = await told(store, [row])
        assert (sent.created_time, opened_.contact_id) == (did(after=-5).created_time, "bob")
        assert clicked == click
        # Who says nothing is who is known.
        await record(store, did("ada", after=9))
        (known,) = await told(store, await rows(store, row.positions[-1]))
        assert known.person == ada

    on(data, work)


def test_duplicates_are_not_in_feed(data: str) -> None:
    async def work(store: Store) -> None:
        await record(store, did())
        start = await store.feed.head()
        await record(store, did(), did())
        assert await store.feed.head() == start or await rows(store, start) == []
        await record(store, did(), did(after=1))
        assert [len(row.keys) for row in await rows(store, start)] == [1]

    on(data, work)


def test_feed_is_separate_for_each_account(data: str) -> None:
    async def work(store: Store) -> None:
        start = await store.feed.head()
        await store.ingest.record(
            [build_batch("a", [did()]), build_batch("b", [did(after=1)]), build_batch("a", [did(after=2)])]
        )
        assert [(row.account_id, len(row.keys)) for row in await rows(store, start, "a")] == [("a", 2)]
        assert [(row.account_id, len(row.keys)) for row in await rows(store, start, "b")] == [("b", 1)]
        assert [len(row.keys) for row in await rows(store, start, "a", "b")] in ([2, 1], [1, 2])
        (row,) = await rows(store, start, "a")
        assert await rows(store, start, "c") == []
        # A key is of no use to anybody else, where it isn't a secret by itself.
        if not data.startswith("postgresql:"):
            assert await store.feed.get_activities("b", row.keys) == [None, None]

    on(data, work)


def test_large_batch_is_partly_in_feed_and_rest_counted(data: str) -> None:
    async def work(store: Store) -> None:
        start = await store.feed.head()
        activity_types = (ActivityType.EM_SENDS, ActivityType.EM_OPENS)
        for first in (0, 6_000):
            await record(
                store, *(did(f"c{number % 70}", activity_types[number % 2], number) for number in range(first, 7_000))
            )
        found = await rows(store, start)
        assert [len(row.keys) for row in found] == [MAX_KEYS_PER_BATCH, 0 or MAX_KEYS_PER_BATCH][: len(found)]
        kept = Counter(activity_type for row in found for _, activity_type, *_ in row.keys)
        for row in found:
            kept.update(row.omitted)
        assert kept == {ActivityType.EM_SENDS: 3_500, ActivityType.EM_OPENS: 3_500}
        # Behind some of its keys, what is left out isn't told once more.
        (rest, *_) = await rows(store, found[0].positions[-3])
        assert (len(rest.keys), rest.omitted) == (2, {})

    on(data, work)


def test_feed_resumes_after_every_position(data: str) -> None:
    async def work(store: Store) -> None:
        start = await store.feed.head()
        for size in (1, 3, 2, 1, 5):
            end = await store.feed.head()
            first = int(end.rpartition("@")[2]) * 10
            await record(store, *(did(f"c{size}", after=first + number) for number in range(size)))
        every = await rows(store, start)
        keys = [key for row in every for key in row.keys]
        positions = [position for row in every for position in row.positions]
        assert len(set(positions)) == len(keys) == 12
        await record(store, did("later"))
        for place, position in enumerate(positions):
            found = await rows(store, position)
            assert [key for row in found for key in row.keys][:-1] == keys[place + 1 :]

    on(data, work)


def test_feed_omits_erased_contacts(data: str) -> None:
    async def work(store: Store) -> None:
        start = await store.feed.head()
        await record(store, did("ada"), did("bob", after=1))
        await store.erasure.erase("a", "ada")
        found = await rows(store, start)
        assert [len(row.keys) for row in found] == [2]
        assert [each.contact_id for each in await told(store, found)] == ["bob"]

    on(data, work)


def test_invalid_and_expired_feed_positions_return_none(data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("sqlite.feed_writer", "postgres.feed_writer"):
        monkeypatch.setattr(f"rapport.store.{module}.MIN_KEYS", 50)
    monkeypatch.setattr("rapport.store.postgres.feed_writer._PRUNE_AFTER", 1)
    positions: list[str] = []

    async def begin(store: Store) -> None:
        start = await store.feed.head()
        await record(store, did())
        soon = await store.feed.head()
        for text in ("", "x", "-1", "1:2:3", "9" * 30, "2:1:@5", f"{soon}~", f"~{soon}", f"{soon}~{soon}~1.2", "é" * 9):
            assert await store.feed.read(["a"], text, soon) is None
        assert await rows(store, start, until=soon)
        # From a store that has more in it: a backup was put back.
        assert await store.feed.read(["a"], soon, start) is None
        for number in range(1, 101):
            await record(store, did(after=number))
        if data.startswith("postgresql:"):
            # What is so new stays, whatever there is of it.
            assert len(await rows(store, start)) == 101
        positions[:] = start, soon

    async def go_on(store: Store) -> None:
        await record(store, did(after=101))
        end = await store.feed.head()
        assert [await store.feed.read(["a"], position, end) for position in positions] == [None, None]
        await record(store, did("last"))
        assert len(await rows(store, end)) == 1

    on(data, begin)
    if data.startswith("postgresql:"):
        execute(data, "UPDATE feed SET recorded_time = recorded_time - interval '1 hour'")
    on(data, go_on)
    assert params(data, "SELECT count(*) FROM feed")[0][0] in range(50, 53)


@pytest.mark.parametrize("seed", range(3))
def test_feed_misses_nothing_of_concurrent_writers(data: str, seed: int) -> None:
    """Every activity is heard exactly once by each, in whatever order transactions commit."""
    rng = random.Random(seed)
    writers, activities = 6, 120

    async def write(store: Store, writer: int) -> None:
        mine = [did(f"w{writer}", after=number) for number in range(activities)]
        while mine:
            size = rng.randrange(1, 9)
            await record(store, *mine[:size])
            mine = mine[size:]

    async def listen(store: Store, start: str, done: asyncio.Event) -> list[tuple[object, ...]]:
        heard: list[tuple[object, ...]] = []
        position, is_last = start, False
        while not is_last:
            is_last = done.is_set()
            end = await store.feed.head()
            found = await rows(store, position, until=end)
            heard += [key for row in found for key in row.keys]
            # Now and then as somebody who was cut off in the middle of it, and has to read some of it again.
            position = end
            if found and not is_last and rng.random() < 0.5:
                position = rng.choice(rng.choice(found).positions)
                again = sum(len(row.keys) for row in await rows(store, position, until=end))
                heard = heard[: len(heard) - again]
            await asyncio.sleep(0.005)
        return heard

    async def work() -> None:
        async with open_store(Settings(data=data)) as one, open_store(Settings(data=data)) as other:
            done = asyncio.Event()
            start = await one.feed.head()
            listening = [asyncio.create_task(listen(store, start, done)) for store in (one, other)]
            await asyncio.gather(*(write((one, other)[writer % 2], writer) for writer in range(writers)))
            done.set()
            for each in listening:
                heard = await each
                assert len(heard) == len(set(heard)) == writers * activities
            for writer in range(writers):
                assert len(await whole(one, f"w{writer}")) == activities

    asyncio.run(work())


def test_feed_retention_covers_50_batches() -> None:
    assert feed.MIN_KEYS >= 50 * MAX_KEYS_PER_BATCH
