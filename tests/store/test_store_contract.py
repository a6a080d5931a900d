"""The contract of a store, on every engine."""

import asyncio
import random
from itertools import permutations
from pathlib import Path

import pytest

from rapport.activity import EARLIEST, Activity, ActivityType, BounceCode, ContactProfile, DeviceType, Link
from rapport.errors import DataNotFound, StoreUnavailable
from rapport.instant import Instant
from rapport.settings import Settings
from rapport.store.activities import START_OF_HISTORY, ActivityCursor, ActivityQuery
from rapport.store.batch import build_batch
from rapport.store.engines import open_store
from rapport.store.store import Store
from tests.helpers.activities import NOON, list_activities, make_activity, record
from tests.helpers.sql import fetch_all


def make_query(*types: ActivityType, limit: int = 100, after: ActivityCursor = START_OF_HISTORY) -> ActivityQuery:
    return ActivityQuery(types=types or tuple(ActivityType), after=after, not_before=EARLIEST, limit=limit)


async def test_all_fields_survive_reopen(location: str) -> None:
    person = ContactProfile(email_address="ada@example.com", first_name="Ada", last_name="Lovelace")
    kept = [
        Activity(
            contact_id="ada",
            campaign_activity_id="m1",
            type=ActivityType.EM_OPTOUTS,
            created_time=Instant(NOON + 3),
            opt_out_reason="Too many\nemails",
            device_type=DeviceType.OTHER,
            event_id="<x@y> 1/2=+",
            person=ContactProfile(email_address="ada@example.net"),
            campaign_activity_name="März",
            campaign_id="c1",
        ),
        Activity(
            contact_id="ada",
            campaign_activity_id="m1",
            type=ActivityType.EM_CLICKS,
            created_time=Instant(NOON + 2),
            link=Link(link_url="https://example.com/?a=1&b=ü", url_id="17"),
            device_type=DeviceType.COMPUTER,
            campaign_activity_name="März",
            campaign_id="c1",
        ),
        Activity(
            contact_id="ada",
            campaign_activity_id="m1",
            type=ActivityType.EM_BOUNCES,
            created_time=Instant(NOON + 1),
            bounce_code=BounceCode.Z,
            person=person,
            campaign_activity_name="März",
            campaign_id="c1",
        ),
    ]

    async with open_store(Settings(data=location)) as store:
        assert (await record(store, *reversed(kept))).duplicate == 0
    async with open_store(Settings(data=location)) as store:
        assert await list_activities(store) == kept


async def test_record_counts_new_by_type_and_duplicates(store: Store) -> None:
    opened, sent = make_activity(), make_activity(activity_type=ActivityType.EM_SENDS)
    first = await record(store, opened, sent, opened)
    assert (first.accepted, first.duplicate) == ({ActivityType.EM_OPENS: 1, ActivityType.EM_SENDS: 1}, 1)
    again = await record(store, opened, sent, make_activity(after=1))
    assert (again.accepted, again.duplicate) == ({ActivityType.EM_OPENS: 1}, 2)


async def test_batches_of_group_are_counted_separately(store: Store) -> None:
    outcomes = await store.ingest.record(
        [
            build_batch("a", [make_activity()]),
            build_batch("a", [make_activity()]),
            build_batch("b", [make_activity()]),
            build_batch("a", [make_activity(after=1), make_activity()]),
        ]
    )
    assert [(sum(outcome.accepted.values()), outcome.duplicate) for outcome in outcomes] == [
        (1, 0),
        (0, 1),
        (1, 0),
        (1, 1),
    ]


async def test_repeated_event_id_keeps_first_delivery(store: Store) -> None:
    await record(
        store,
        make_activity(event_id="e", after=5),
        make_activity(event_id="e", after=1),
        make_activity(event_id="e", after=9),
    )
    await record(store, make_activity(event_id="e", after=0))
    assert [activity.created_time - NOON for activity in await list_activities(store)] == [5]


async def test_unknown_contact_differs_from_contact_without_activities(store: Store) -> None:
    await record(store, make_activity())
    assert await store.activities.list_newest("a", "bob", make_query()) is None
    assert await store.activities.list_newest("b", "ada", make_query()) is None
    results = await store.activities.list_newest("a", "ada", make_query(ActivityType.EM_CLICKS))
    assert results is not None
    assert list(results.rows) == []


async def test_activities_are_returned_newest_first_after_cursor(store: Store) -> None:
    await record(store, *(make_activity(after=number // 3, event_id=str(number)) for number in range(30)))
    results = await store.activities.list_newest("a", "ada", make_query(limit=1_000))
    assert results is not None
    order = [(row[0], row[1]) for row in results.rows]
    assert order == sorted(order, reverse=True)
    assert len(order) == 30
    for place, position in enumerate(order):
        after = await store.activities.list_newest("a", "ada", make_query(after=ActivityCursor(*position), limit=4))
        assert after is not None
        assert [(row[0], row[1]) for row in after.rows] == order[place + 1 : place + 5]


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_name_of_latest_activity_wins_in_any_order(store: Store, order: tuple[int, ...]) -> None:
    hour = 3_600_000
    updates = [
        make_activity(after=0, name="first"),
        make_activity(after=2 * hour, name="second"),
        make_activity(after=4 * hour, name="third"),
    ]

    for place in order:
        await record(store, updates[place])
    await record(store, make_activity(after=9 * hour))
    assert {activity.campaign_activity_name for activity in await list_activities(store)} == {"third"}


async def test_duplicate_activity_updates_name(store: Store) -> None:
    await record(store, make_activity())
    assert (await record(store, make_activity(name="at last", campaign_id="c1"))).duplicate == 1
    assert (await list_activities(store))[0].campaign_activity_name == "at last"
    assert (await list_activities(store))[0].campaign_id == "c1"
    assert (await record(store, make_activity(name="mended"))).duplicate == 1
    assert (await list_activities(store))[0].campaign_activity_name == "mended"


async def test_activity_keeps_profile_of_its_time(store: Store) -> None:
    before, after = ContactProfile(email_address="old@example.com"), ContactProfile(email_address="new@example.com")
    await record(
        store, make_activity(after=0, person=before), make_activity(after=1, person=after), make_activity(after=2)
    )
    assert [activity.person for activity in await list_activities(store)] == [None, after, before]


async def test_failed_commit_leaves_nothing_and_store_continues(store: Store) -> None:
    unstorable = make_activity(after=1, event_id="x")
    # A value that the engine rejects and the domain doesn't check, as a defect would cause.
    broken = Activity(
        contact_id="ada", campaign_activity_id="m1", type=ActivityType.EM_OPENS, created_time=Instant(2**70)
    )
    with pytest.raises(Exception, match=r"."):
        await store.ingest.record([build_batch("a", [unstorable]), build_batch("a", [broken])])
    assert await store.activities.list_newest("a", "ada", make_query()) is None
    assert sum((await record(store, make_activity())).accepted.values()) == 1


async def test_replace_secret_requires_current_value(store: Store) -> None:
    assert await store.secrets.read("s") is None
    assert await store.secrets.replace("s", None, b"1")
    assert not await store.secrets.replace("s", None, b"2")
    assert not await store.secrets.replace("s", b"0", b"2")
    assert await store.secrets.replace("s", b"1", b"2")
    assert await store.secrets.read("s") == b"2"


async def test_requests_are_counted_by_second_and_day_up_to_limit(store: Store) -> None:
    counts = [
        await store.rate_limits.count_request("c", Instant(NOON + at), 2) for at in (0, 1, 2, 3, 1_000, 86_400_000)
    ]
    assert [tuple(count) for count in counts] == [(1, 1), (2, 2), (3, 2), (4, 2), (1, 3), (1, 1)]
    assert tuple(await store.rate_limits.count_request("another", NOON, 2)) == (1, 1)


async def test_ensure_account_creates_account_once(store: Store) -> None:
    assert await store.accounts.ensure("a")
    assert not await store.accounts.ensure("a")
    assert not await store.contacts.has_any("a")
    await record(store, make_activity())
    assert await store.contacts.has_any("a")


async def test_two_stores_write_concurrently(location: str, store: Store) -> None:
    async with open_store(Settings(data=location)) as other:

        async def send(through: Store, first: int) -> int:
            accepted = 0
            for number in range(first, first + 60):
                accepted += sum((await record(through, make_activity(after=number))).accepted.values())
            return accepted

        # The two share thirty activities.
        counts = await asyncio.gather(send(store, 0), send(other, 30))
        assert sum(counts) == 90
        assert len(await list_activities(other)) == 90


async def test_backup_is_complete_and_writable(location: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy"

    async with open_store(Settings(data=location)) as store:
        await record(store, make_activity())
        await store.secrets.replace("s", None, b"1")
        await store.backup(copy)
        await record(store, make_activity(after=1))
        with pytest.raises(StoreUnavailable, match="exists"):
            await store.backup(copy)
    async with open_store(Settings(data=str(copy))) as store:
        assert len(await list_activities(store)) == 1
        assert await store.secrets.read("s") == b"1"
        await record(store, make_activity(after=2))
        assert len(await list_activities(store)) == 2


async def test_repeated_event_id_in_batch_updates_nothing(store: Store) -> None:
    wrong = ContactProfile(email_address="wrong@example.com")
    repeated = make_activity(after=1_000, event_id="e", name="wrong", person=wrong)
    await record(store, make_activity(event_id="e", name="right"), repeated)
    (activity,) = await list_activities(store)
    assert (activity.created_time, activity.campaign_activity_name) == (NOON, "right")
    contact = await store.contacts.get("a", "ada")
    assert contact is not None
    assert contact.email_address is None


async def test_accounts_and_contacts_are_listed_in_order(store: Store) -> None:
    for contact_id in ("b", "B", "a", "-", "_", "9"):
        await store.ingest.record(
            [
                build_batch(
                    "x",
                    [
                        Activity(
                            contact_id=contact_id,
                            campaign_activity_id="m",
                            type=ActivityType.EM_OPENS,
                            created_time=NOON,
                        )
                    ],
                )
            ]
        )
    await store.accounts.ensure("empty")
    assert await store.accounts.list_ids() == ["empty", "x"]
    assert await store.contacts.list_ids("x", "", 4) == ["-", "9", "B", "_"]
    assert await store.contacts.list_ids("x", "_", 4) == ["a", "b"]
    assert await store.contacts.list_ids("nobody", "", 4) == []


async def test_missing_store_is_not_created_by_open(missing_location: str) -> None:
    with pytest.raises(DataNotFound, match="--data"):
        async with open_store(Settings(data=missing_location), create=False):
            pass


@pytest.mark.parametrize("seed", range(12))
async def test_latest_profile_wins_in_any_batching(location: str, seed: int) -> None:
    rng = random.Random(seed)
    said = [
        make_activity(
            after=time,
            person=ContactProfile(email_address=f"{rng.randrange(3)}@x", first_name=rng.choice([None, "A", "B"])),
        )
        for time in rng.sample(range(40), 12)
    ]

    async with open_store(Settings(data=location)) as store:
        rest = list(said)
        while rest:
            size = rng.randrange(1, 5)
            await record(store, *rest[:size])
            rest = rest[size:]
    in_order = sorted(said, key=lambda activity: activity.created_time)
    expected = [
        [getattr(activity.person, field) for activity in in_order if getattr(activity.person, field) is not None][-1:]
        or [None]
        for field in ("email_address", "first_name")
    ]
    assert fetch_all(location, "SELECT email_address, first_name FROM contact") == [
        tuple(value for (value,) in expected)
    ]
