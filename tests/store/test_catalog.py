"""Updates of contacts and campaigns: the latest wins, in whatever order they arrive."""

import random
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from rapport.activity import EARLIEST, Activity, ActivityType, ContactProfile, Link
from rapport.catalog import (
    CampaignActivityUpdate,
    CampaignStatus,
    CampaignUpdate,
    ContactUpdate,
    OptOutSource,
    PermissionToSend,
)
from rapport.instant import HOUR, Instant
from rapport.settings import Settings
from rapport.store.contacts import ContactCursor, ContactQuery, ContactRecord, ContactStatus, InstantRange
from rapport.store.copying import copy
from rapport.store.engines import open_store
from rapport.store.store import Store
from rapport.store.tracking import START_OF_REPORT, TrackingQuery
from tests.helpers.activities import list_links, record

START = Instant(1_767_268_800_000)
CONTACTS = ["c0", "c1", "c2"]
FIELDS = ("email_address", "first_name", "last_name")


def get_time(hours: int) -> Instant:
    return Instant(START + hours * HOUR)


def make_contact(
    contact_id: str = "c1", hours: int = 0, *, deleted_at: Instant | None = None, **said: str
) -> ContactUpdate:
    return ContactUpdate(
        contact_id=contact_id,
        updated_at=get_time(hours),
        is_dated=True,
        person=ContactProfile(**said),
        deleted_at=deleted_at,
    )


def make_open(contact_id: str, hours: int, **said: str) -> Activity:
    return Activity(
        contact_id=contact_id,
        campaign_activity_id="m1",
        type=ActivityType.EM_OPENS,
        created_time=get_time(hours),
        person=ContactProfile(**said),
    )


def random_activity(rng: random.Random, hours: int) -> ContactUpdate | Activity:
    """Return an activity at an hour of its own, because the order of arrival decides between equal times."""
    who = rng.choice(CONTACTS)
    said = {field: f"{rng.choice('xyz')}@{field}" for field in FIELDS if rng.random() < 0.5}
    if rng.random() < 0.5:
        return make_open(who, hours, **said)
    return ContactUpdate(
        contact_id=who,
        updated_at=get_time(hours),
        is_dated=True,
        person=ContactProfile(**said),
        permission_to_send=rng.choice([None, *PermissionToSend]),
        created_at=rng.choice([None, get_time(-1), get_time(-2)]),
        deleted_at=rng.choice([None, None, get_time(-1)]),
    )


def compute_latest(statements: Iterable[ContactUpdate | Activity]) -> dict[str, ContactRecord]:
    """Compute the latest value of each field."""
    known: dict[str, ContactRecord] = {}
    ordered = sorted(statements, key=lambda each: each.created_time if isinstance(each, Activity) else each.updated_at)
    for update in ordered:
        now = known.get(update.contact_id) or ContactRecord(update.contact_id, *[None] * 7)
        said = {
            field: value for field in FIELDS if (value := getattr(update.person or ContactProfile(), field)) is not None
        }
        now = now._replace(**said)
        if isinstance(update, ContactUpdate):
            if update.permission_to_send is PermissionToSend.UNSUBSCRIBED:
                now = now._replace(
                    permission_to_send=update.permission_to_send,
                    opt_out_date=update.updated_at,
                    opt_out_source=OptOutSource.ACCOUNT,
                )
            elif update.permission_to_send is not None:
                now = now._replace(permission_to_send=update.permission_to_send, opt_out_date=None, opt_out_source=None)
            if update.created_at is not None:
                now = now._replace(created_at=update.created_at)
            now = now._replace(deleted_at=update.deleted_at)
        known[update.contact_id] = now
    return known


@pytest.mark.parametrize("seed", range(8))
async def test_latest_update_wins_in_any_order(store: Store, seed: int) -> None:
    rng = random.Random(seed)
    # Two hours apart, because a repetition within an hour changes nothing.
    history = [random_activity(rng, 2 * hours) for hours in range(40)]
    expected = compute_latest(history)
    rng.shuffle(history)

    for first in range(0, len(history), 4):
        some = history[first : first + 4]
        await record(store, *(update for update in some if isinstance(update, Activity)))
        await store.contacts.upsert("a", [update for update in some if isinstance(update, ContactUpdate)])
    for contact_id in CONTACTS:
        known = await store.contacts.get("a", contact_id)
        assert known is not None
        assert known._replace(updated_at=None) == expected[contact_id]


async def test_update_without_changes_counts_as_unchanged(store: Store) -> None:
    first = [make_contact(first_name="Ada"), make_contact("c2", first_name="Bob")]
    assert await store.contacts.upsert("a", first) == 2
    assert await store.contacts.upsert("a", first) == 0
    assert await store.contacts.upsert("a", [make_contact(hours=-9, first_name="Old"), make_contact("c3")]) == 1
    assert await store.contacts.upsert("a", [make_contact(hours=9, first_name="New")]) == 1
    assert await store.contacts.get("b", "c1") is None
    known = await store.contacts.get("a", "c1")
    assert known is not None
    assert (known.first_name, known.updated_at) == ("New", get_time(9))


async def test_only_later_dated_update_recreates_erased_contact(store: Store) -> None:
    await record(store, make_open("c1", 0, first_name="Ada"))
    await store.contacts.upsert("a", [make_contact(first_name="Ada")])
    assert await store.erasure.erase("a", "c1")
    undated = ContactUpdate(contact_id="c1", updated_at=Instant(4_000_000_000_000), is_dated=False)
    assert await store.contacts.upsert("a", [make_contact(first_name="Ada"), undated]) == 0
    assert await store.contacts.get("a", "c1") is None
    later = ContactUpdate(contact_id="c1", updated_at=Instant(4_000_000_000_000), is_dated=True)
    assert await store.contacts.upsert("a", [later]) == 1
    assert await store.contacts.get("a", "c1") is not None


async def test_contact_update_keeps_profile_of_past_activities(store: Store) -> None:
    old, new = "old@example.com", "new@example.com"
    newest_first = TrackingQuery(type=ActivityType.EM_OPENS, after=START_OF_REPORT, not_before=EARLIEST, limit=9)

    async def addresses(store: Store) -> list[tuple[str | None, str | None]]:
        rows = await store.reports.list_tracking("a", "m1", newest_first)
        assert rows is not None
        return [(row.profile_at_activity.email_address, row.current_profile.email_address) for row in rows]

    # The second has no profile: it is returned with the previous one.
    await record(store, make_open("c1", 0, email_address=old), make_open("c1", 1))
    assert await addresses(store) == [(old, old)] * 2
    for _ in range(2):
        await store.contacts.upsert("a", [make_contact(hours=2, email_address=new)])
        assert await addresses(store) == [(old, new)] * 2
    await record(store, make_open("c1", 3, email_address=new), make_open("c1", 4, email_address=old))
    assert await addresses(store) == [(old, old), (new, old), (old, old), (old, old)]
    said = [activity.person and activity.person.email_address async for activity in store.activities.iterate("a", "c1")]
    assert said == [old, new, None, old]


def get_ids(known: Sequence[ContactRecord]) -> list[str]:
    return [contact.contact_id for contact in known]


async def test_contacts_are_filtered_by_status_and_update_time(store: Store) -> None:
    await record(store, make_open("c0", 0))
    await store.contacts.upsert(
        "a",
        [
            ContactUpdate(
                contact_id=f"c{number}",
                updated_at=get_time(10 - number),
                is_dated=True,
                permission_to_send=PermissionToSend(number % 4),
                created_at=get_time(-number),
                deleted_at=get_time(0) if number == 5 else None,
            )
            for number in range(1, 8)
        ],
    )

    async def params(expected: ContactQuery) -> list[str]:
        page = await store.contacts.find("a", expected)
        assert await store.contacts.count("a", expected) >= len(page)
        return get_ids(page)

    assert await params(ContactQuery(limit=9)) == [f"c{number}" for number in range(8)]
    deleted = frozenset({ContactStatus.DELETED})
    assert await params(ContactQuery(statuses=deleted, limit=9)) == ["c5"]
    unsubscribed = frozenset({ContactStatus.UNSUBSCRIBED, ContactStatus.UNKNOWN})
    assert await params(ContactQuery(statuses=unsubscribed, limit=9)) == ["c0", "c3", "c7"]
    assert await params(ContactQuery(updated=InstantRange(get_time(4), get_time(7)), limit=9)) == [
        "c6",
        "c5",
        "c4",
        "c3",
    ]
    both = ContactQuery(
        updated=InstantRange(get_time(4), get_time(7)), created=InstantRange(get_time(-4), get_time(0)), limit=9
    )
    assert await params(both) == ["c4", "c3"]
    assert await store.contacts.count("a", both) == 2
    assert await params(ContactQuery(created=InstantRange(get_time(-3), get_time(-1)), limit=2)) == ["c1", "c2"]
    assert await store.contacts.count_by_status("a") == {
        ContactStatus.UNKNOWN: 1,
        ContactStatus.IMPLICIT: 1,
        ContactStatus.PENDING_CONFIRMATION: 2,
        ContactStatus.UNSUBSCRIBED: 2,
        ContactStatus.EXPLICIT: 1,
        ContactStatus.DELETED: 1,
    }


async def test_contacts_sharing_address_are_paginated_after_erasure(store: Store) -> None:
    ids = [f"c{number}" for number in range(5)]
    await store.contacts.upsert(
        "a", [make_contact(contact_id, email_address=f"{contact_id[0]}@Example.com") for contact_id in ids]
    )

    async def page(after: str | None) -> list[str]:
        place = None if after is None else ContactCursor(START, after)
        return get_ids(
            await store.contacts.find("a", ContactQuery(email_address="C@example.COM", after=place, limit=2))
        )

    walked, after = list[str](), None
    while some := await page(after):
        walked += some
        after = some[-1]
    assert sorted(walked) == ids
    assert await store.erasure.erase("a", walked[1])
    assert set(await page(walked[1])) & {walked[0], walked[2]}


def make_campaign(hours: int, subject: str, name: str, **said: object) -> CampaignUpdate:
    activity = CampaignActivityUpdate(
        campaign_activity_id="m1",
        campaign_activity_name=name,
        subject=subject,
        links=(Link(link_url="https://example.com/", url_id="7"),),
    )
    return CampaignUpdate(
        campaign_id="k1", updated_at=get_time(hours), campaign_name=name, campaign_activities=(activity,), **said
    )


async def test_campaign_has_attributes_of_latest_update(store: Store) -> None:
    await record(store, make_open("c1", 0))
    assert await store.campaigns.get("a", "k1") is None
    assert (
        await store.campaigns.upsert("a", [make_campaign(5, "Later", "Spring", current_status=CampaignStatus.DONE)])
        == 1
    )
    assert await store.campaigns.upsert("a", [make_campaign(3, "Earlier", "Winter", type="CARD")]) == 1
    assert await store.campaigns.upsert("a", [make_campaign(3, "Earlier", "Winter", type="CARD")]) == 0
    known = await store.campaigns.get("a", "k1")
    assert known is not None
    facts = {field: value for field, (value, _) in known.attributes.items()}
    assert facts == {"campaign_id": "k1", "campaign_name": "Spring", "current_status": "Done", "type": "CARD"}
    assert (known.updated_at, known.is_sent) == (get_time(5), False)
    (activity,) = known.campaign_activities
    assert (activity.campaign_activity_name, activity.attributes["subject"][0]) == ("Spring", "Later")
    assert await store.campaigns.get_activity("a", "m1") == activity
    assert await store.campaigns.get_activity("b", "m1") is None
    links = await list_links(store, "a", "m1")
    assert links == [("https://example.com/", "7", 0)]


async def test_copy_keeps_all_attributes(store: Store, tmp_path: Path) -> None:
    await record(store, make_open("c1", 0))
    await store.contacts.upsert(
        "a",
        [
            make_contact(first_name="Ada"),
            make_contact(hours=2, last_name="L", deleted_at=get_time(1)),
            make_contact("c2", hours=3),
        ],
    )
    await store.campaigns.upsert(
        "a", [make_campaign(5, "Later", "Spring"), make_campaign(3, "Earlier", "Old", type="CARD")]
    )
    async with open_store(Settings(data=str(tmp_path / "copy"))) as target:
        await copy(store, target, lambda _: None)
        for contact_id in ("c1", "c2"):
            assert await target.contacts.get("a", contact_id) == await store.contacts.get("a", contact_id)
        assert await target.contacts.list_attributes("a", "", 9) == await store.contacts.list_attributes("a", "", 9)
        assert await target.campaigns.list_attributes("a") == await store.campaigns.list_attributes("a")
        assert (
            await list_links(target, "a", "m1")
            == await list_links(store, "a", "m1")
            == [("https://example.com/", "7", 0)]
        )
