"""What every store promises, whatever its engine."""

import asyncio
import random
from collections.abc import Awaitable, Callable
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
from rapport.store.ingest import Recorded
from rapport.store.links import LinksQuery
from rapport.store.store import Store
from tests.store.by_hand import params

NOON = Instant(1_767_268_800_000)


def did(
    contact_id: str = "ada",
    activity_type: ActivityType = ActivityType.EM_OPENS,
    after: int = 0,
    *,
    campaign_activity_id: str = "m1",
    event_id: str | None = None,
    name: str | None = None,
    campaign_id: str | None = None,
    person: ContactProfile | None = None,
) -> Activity:
    return Activity(
        contact_id=contact_id,
        campaign_activity_id=campaign_activity_id,
        type=activity_type,
        created_time=Instant(NOON + after),
        event_id=event_id,
        campaign_activity_name=name,
        campaign_id=campaign_id,
        person=person,
    )


def on(data: str, work: Callable[[Store], Awaitable[None]]) -> None:
    """Do the work on the store, opened anew."""

    async def run() -> None:
        async with open_store(Settings(data=data)) as store:
            await work(store)

    asyncio.run(run())


async def all_links(store: Store, account_id: str, campaign_activity_id: str) -> list[tuple[str | None, str, int]]:
    """Return all links of the campaign activity, most clicked first, without the keys that differ between stores."""
    query = LinksQuery(limit=100_000, with_unclicked=True)
    return [link[:3] for link in await store.reports.list_links(account_id, campaign_activity_id, query) or ()]


async def record(store: Store, *activities: Activity, account: str = "a") -> Recorded:
    (recorded,) = await store.ingest.record([build_batch(account, activities)])
    return recorded


def query(*types: ActivityType, limit: int = 100, after: ActivityCursor = START_OF_HISTORY) -> ActivityQuery:
    return ActivityQuery(types=types or tuple(ActivityType), after=after, not_before=EARLIEST, limit=limit)


async def whole(store: Store, contact_id: str = "ada", account: str = "a") -> list[Activity]:
    return [activity async for activity in store.activities.iterate(account, contact_id)]


def test_all_fields_survive_reopen(data: str) -> None:
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

    async def first(store: Store) -> None:
        assert (await record(store, *reversed(kept))).duplicate == 0

    async def then(store: Store) -> None:
        assert await whole(store) == kept

    on(data, first)
    on(data, then)


def test_record_counts_new_by_type_and_duplicates(data: str) -> None:
    async def work(store: Store) -> None:
        opened, sent = did(), did(activity_type=ActivityType.EM_SENDS)
        first = await record(store, opened, sent, opened)
        assert (first.accepted, first.duplicate) == ({ActivityType.EM_OPENS: 1, ActivityType.EM_SENDS: 1}, 1)
        again = await record(store, opened, sent, did(after=1))
        assert (again.accepted, again.duplicate) == ({ActivityType.EM_OPENS: 1}, 2)

    on(data, work)


def test_batches_of_group_are_counted_separately(data: str) -> None:
    async def work(store: Store) -> None:
        outcomes = await store.ingest.record(
            [
                build_batch("a", [did()]),
                build_batch("a", [did()]),
                build_batch("b", [did()]),
                build_batch("a", [did(after=1), did()]),
            ]
        )
        assert [(sum(each.accepted.values()), each.duplicate) for each in outcomes] == [(1, 0), (0, 1), (1, 0), (1, 1)]

    on(data, work)


def test_repeated_event_id_keeps_first_delivery(data: str) -> None:
    async def work(store: Store) -> None:
        await record(store, did(event_id="e", after=5), did(event_id="e", after=1), did(event_id="e", after=9))
        await record(store, did(event_id="e", after=0))
        assert [activity.created_time - NOON for activity in await whole(store)] == [5]

    on(data, work)


def test_unknown_contact_differs_from_contact_without_activities(data: str) -> None:
    async def work(store: Store) -> None:
        await record(store, did())
        assert await store.activities.list_newest("a", "bob", query()) is None
        assert await store.activities.list_newest("b", "ada", query()) is None
        found = await store.activities.list_newest("a", "ada", query(ActivityType.EM_CLICKS))
        assert found is not None
        assert list(found.rows) == []

    on(data, work)


def test_activities_are_returned_newest_first_after_cursor(data: str) -> None:
    async def work(store: Store) -> None:
        await record(store, *(did(after=number // 3, event_id=str(number)) for number in range(30)))
        found = await store.activities.list_newest("a", "ada", query(limit=1_000))
        assert found is not None
        order = [(row[0], row[1]) for row in found.rows]
        assert order == sorted(order, reverse=True)
        assert len(order) == 30
        for place, position in enumerate(order):
            after = await store.activities.list_newest("a", "ada", query(after=ActivityCursor(*position), limit=4))
            assert after is not None
            assert [(row[0], row[1]) for row in after.rows] == order[place + 1 : place + 5]

    on(data, work)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_name_of_latest_activity_wins_in_any_order(data: str, order: tuple[int, ...]) -> None:
    hour = 3_600_000
    stated = [did(after=0, name="first"), did(after=2 * hour, name="second"), did(after=4 * hour, name="third")]

    async def work(store: Store) -> None:
        for place in order:
            await record(store, stated[place])
        await record(store, did(after=9 * hour))
        assert {activity.campaign_activity_name for activity in await whole(store)} == {"third"}

    on(data, work)


def test_duplicate_activity_updates_name(data: str) -> None:
    async def work(store: Store) -> None:
        await record(store, did())
        assert (await record(store, did(name="at last", campaign_id="c1"))).duplicate == 1
        assert (await whole(store))[0].campaign_activity_name == "at last"
        assert (await whole(store))[0].campaign_id == "c1"
        assert (await record(store, did(name="mended"))).duplicate == 1
        assert (await whole(store))[0].campaign_activity_name == "mended"

    on(data, work)


def test_activity_keeps_profile_of_its_time(data: str) -> None:
    async def work(store: Store) -> None:
        before, after = ContactProfile(email_address="old@example.com"), ContactProfile(email_address="new@example.com")
        await record(store, did(after=0, person=before), did(after=1, person=after), did(after=2))
        assert [activity.person for activity in await whole(store)] == [None, after, before]

    on(data, work)


def test_failed_commit_leaves_nothing_and_store_continues(data: str) -> None:
    async def work(store: Store) -> None:
        unstorable = did(after=1, event_id="x")
        # A type that the engine refuses, past the checks of the domain: what a defect of ours would look like.
        broken = Activity(
            contact_id="ada", campaign_activity_id="m1", type=ActivityType.EM_OPENS, created_time=Instant(2**70)
        )
        with pytest.raises(Exception, match=r"."):
            await store.ingest.record([build_batch("a", [unstorable]), build_batch("a", [broken])])
        assert await store.activities.list_newest("a", "ada", query()) is None
        assert sum((await record(store, did())).accepted.values()) == 1

    on(data, work)


def test_replace_secret_requires_current_value(data: str) -> None:
    async def work(store: Store) -> None:
        assert await store.secrets.read("s") is None
        assert await store.secrets.replace("s", None, b"1")
        assert not await store.secrets.replace("s", None, b"2")
        assert not await store.secrets.replace("s", b"0", b"2")
        assert await store.secrets.replace("s", b"1", b"2")
        assert await store.secrets.read("s") == b"2"

    on(data, work)


def test_requests_are_counted_by_second_and_day_up_to_limit(data: str) -> None:
    async def work(store: Store) -> None:
        counts = [
            await store.rate_limits.count_request("c", Instant(NOON + at), 2) for at in (0, 1, 2, 3, 1_000, 86_400_000)
        ]
        assert [tuple(count) for count in counts] == [(1, 1), (2, 2), (3, 2), (4, 2), (1, 3), (1, 1)]
        assert tuple(await store.rate_limits.count_request("another", NOON, 2)) == (1, 1)

    on(data, work)


def test_ensure_account_creates_account_once(data: str) -> None:
    async def work(store: Store) -> None:
        assert await store.accounts.ensure("a")
        assert not await store.accounts.ensure("a")
        assert not await store.contacts.has_any("a")
        await record(store, did())
        assert await store.contacts.has_any("a")

    on(data, work)


def test_two_stores_write_concurrently(data: str) -> None:
    async def work(store: Store) -> None:
        async with open_store(Settings(data=data)) as other:

            async def send(through: Store, first: int) -> int:
                accepted = 0
                for number in range(first, first + 60):
                    accepted += sum((await record(through, did(after=number))).accepted.values())
                return accepted

            # The two bring thirty of the same.
            counts = await asyncio.gather(send(store, 0), send(other, 30))
            assert sum(counts) == 90
            assert len(await whole(other)) == 90

    on(data, work)


def test_backup_is_complete_and_writable(data: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy"

    async def back_up(store: Store) -> None:
        await record(store, did())
        await store.secrets.replace("s", None, b"1")
        await store.backup(copy)
        await record(store, did(after=1))
        with pytest.raises(StoreUnavailable, match="exists"):
            await store.backup(copy)

    async def look(store: Store) -> None:
        assert len(await whole(store)) == 1
        assert await store.secrets.read("s") == b"1"
        await record(store, did(after=2))
        assert len(await whole(store)) == 2

    on(data, back_up)
    on(str(copy), look)


def test_repeated_event_id_in_batch_updates_nothing(data: str) -> None:
    async def work(store: Store) -> None:
        ghost = Activity(
            contact_id="ada",
            campaign_activity_id="ghost",
            type=ActivityType.EM_OPENS,
            created_time=NOON,
            event_id="e",
            person=ContactProfile(email_address="ghost@example.com"),
        )
        await record(store, did(event_id="e", name="right"), did(event_id="e", name="wrong"), ghost)
        assert [named.campaign_activity_id for named in await store.campaigns.list_activity_refs("a")] == ["m1"]
        assert (await whole(store))[0].campaign_activity_name == "right"

    on(data, work)


def test_accounts_and_contacts_are_listed_in_order(data: str) -> None:
    async def work(store: Store) -> None:
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

    on(data, work)


def test_missing_store_is_not_created_by_open(missing_data: str) -> None:
    async def look() -> None:
        with pytest.raises(DataNotFound, match="--data"):
            async with open_store(Settings(data=missing_data), create=False):
                pass

    asyncio.run(look())


@pytest.mark.parametrize("seed", range(12))
def test_latest_profile_wins_in_any_batching(data: str, seed: int) -> None:
    rng = random.Random(seed)
    said = [
        did(
            after=time,
            person=ContactProfile(email_address=f"{rng.randrange(3)}@x", first_name=rng.choice([None, "A", "B"])),
        )
        for time in rng.sample(range(40), 12)
    ]

    async def work(store: Store) -> None:
        rest = list(said)
        while rest:
            size = rng.randrange(1, 5)
            await record(store, *rest[:size])
            rest = rest[size:]

    on(data, work)
    in_order = sorted(said, key=lambda activity: activity.created_time)
    expected = [
        [getattr(each.person, field) for each in in_order if getattr(each.person, field) is not None][-1:] or [None]
        for field in ("email_address", "first_name")
    ]
    assert params(data, "SELECT email_address, first_name FROM contact") == [tuple(value for (value,) in expected)]
