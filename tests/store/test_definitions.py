"""Contact lists, tags and custom fields, and the pages of contacts, compared with a recount over random histories."""

import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from rapport.activity import Activity, ActivityType
from rapport.catalog import (
    Choice,
    ContactUpdate,
    CustomFieldValue,
    DefinitionType,
    DefinitionUpdate,
    PermissionToSend,
    PhoneNumber,
    StreetAddress,
)
from rapport.instant import HOUR, MAX_INSTANT, Instant
from rapport.settings import Settings
from rapport.store.attributes import get_value
from rapport.store.batch import build_batch
from rapport.store.contacts import (
    ContactCursor,
    ContactOrder,
    ContactQuery,
    ContactRecord,
    ContactStatus,
    InstantRange,
)
from rapport.store.copying import copy
from rapport.store.definitions import DefinitionCursor, DefinitionQuery, DefinitionRecord
from rapport.store.engines import open_store
from rapport.store.store import Store
from rapport.store.subresources import list_memberships, read_custom_fields, read_subresource
from rapport.store.verification import DerivedMismatch
from tests.helpers.activities import record
from tests.helpers.sql import execute_sql

START = Instant(1_767_268_800_000)
CONTACTS = [f"c{number}" for number in range(9)]
LISTS, TAGS, FIELDS = ("l1", "l2", "l3"), ("t1", "t2"), ("f1", "f2")


def get_time(hours: float) -> Instant:
    return Instant(START + int(hours * HOUR))


def pick(rng: random.Random, values: Sequence[str]) -> tuple[str, ...] | None:
    return None if rng.random() < 0.4 else tuple(value for value in values if rng.random() < 0.5)


def random_step(rng: random.Random, hours: int) -> ContactUpdate | Activity:
    """Return an activity or an update at an hour of its own."""
    contact_id = rng.choice(CONTACTS)
    if rng.random() < 0.4:
        types = [ActivityType.EM_SENDS, ActivityType.EM_OPENS, ActivityType.P_CONTACT_OPEN]
        return Activity(
            contact_id=contact_id,
            campaign_activity_id="m1",
            type=rng.choice(types),
            created_time=get_time(hours),
        )
    value = rng.choice([None, "red", "blue"])
    return ContactUpdate(
        contact_id=contact_id,
        updated_at=get_time(hours),
        is_dated=True,
        permission_to_send=rng.choice([None, None, PermissionToSend.EXPLICIT, PermissionToSend.TEMP_HOLD]),
        created_at=get_time(rng.randrange(-9, 80)) if rng.random() < 0.1 else None,
        deleted_at=get_time(hours) if rng.random() < 0.15 else None,
        job_title=rng.choice([None, "Engineer", "Poet"]),
        list_memberships=pick(rng, LISTS),
        taggings=pick(rng, TAGS),
        custom_fields=(CustomFieldValue(custom_field_id=rng.choice(FIELDS), value=value),),
        cleared=frozenset({"job_title"}) if rng.random() < 0.1 else frozenset(),
    )


class Model:
    """A recount of one contact."""

    def __init__(self) -> None:
        self.first = self.last_activity = None
        self.created: Instant | None = None
        self.updated: Instant | None = None
        self.deleted: Instant | None = None
        self.permission: int | None = None
        self.lists: set[str] = set()
        self.tags: set[str] = set()
        self.fields: dict[str, str | None] = {}
        self.job_title: str | None = None

    def apply(self, step: ContactUpdate | Activity) -> None:
        """Apply the next step in the order of time."""
        if isinstance(step, Activity):
            self.first = self.first or step.created_time
            self.last_activity = step.created_time
            return
        self.first = self.first or step.updated_at
        self.updated = step.updated_at
        self.created = step.created_at or self.created
        self.deleted = step.deleted_at
        self.permission = self.permission if step.permission_to_send is None else step.permission_to_send
        self.lists = self.lists if step.list_memberships is None else set(step.list_memberships)
        self.tags = self.tags if step.taggings is None else set(step.taggings)
        self.fields |= {field.custom_field_id: field.value for field in step.custom_fields}
        self.job_title = None if "job_title" in step.cleared else step.job_title or self.job_title

    @property
    def created_at(self) -> Instant:
        return self.created or self.first or Instant(0)

    @property
    def status(self) -> ContactStatus:
        if self.deleted is not None:
            return ContactStatus.DELETED
        return ContactStatus.UNKNOWN if self.permission is None else ContactStatus(self.permission)

    def matches(self, query: ContactQuery) -> bool:
        """Return True if the contact matches the filters."""
        updated = self.updated or self.created_at
        return (
            self.status in query.statuses
            and (query.created is None or query.created.start <= self.created_at <= query.created.end)
            and (query.updated is None or query.updated.start <= updated <= query.updated.end)
            and (query.lists is None or not self.lists.isdisjoint(query.lists))
            and (query.tags is None or not self.tags.isdisjoint(query.tags))
        )


def recount(steps: Iterable[ContactUpdate | Activity]) -> dict[str, Model]:
    models: dict[str, Model] = {}
    for step in sorted(steps, key=lambda step: step.created_time if isinstance(step, Activity) else step.updated_at):
        models.setdefault(step.contact_id, Model()).apply(step)
    return models


async def write(store: Store, steps: Sequence[ContactUpdate | Activity]) -> None:
    for first in range(0, len(steps), 5):
        some = steps[first : first + 5]
        await record(store, *(step for step in some if isinstance(step, Activity)))
        await store.contacts.upsert("a", [step for step in some if isinstance(step, ContactUpdate)])


async def find_all(store: Store, query: ContactQuery) -> list[str]:
    """Return all contacts page by page."""
    found: list[ContactRecord] = []
    after: ContactCursor | None = None
    while True:
        page = await store.contacts.find("a", ContactQuery(**{**get_filters(query), "after": after, "limit": 3}))
        found += page
        if len(page) < 3:
            return [contact.contact_id for contact in found]
        after = ContactCursor(getattr(page[-1], query.order.value), page[-1].contact_id)


def get_filters(query: ContactQuery) -> dict[str, Any]:
    return {field: getattr(query, field) for field in ContactQuery.__struct_fields__}


def expect_page(models: dict[str, Model], query: ContactQuery) -> list[str]:
    matching = [contact_id for contact_id, model in models.items() if model.matches(query)]
    if query.order is ContactOrder.UPDATE:
        return sorted(matching, key=lambda contact_id: (get_updated(models[contact_id]), contact_id))
    return sorted(matching, key=lambda contact_id: (models[contact_id].created_at, contact_id), reverse=True)


def get_updated(model: Model) -> Instant:
    return model.updated or model.created_at


def make_queries(rng: random.Random) -> list[ContactQuery]:
    period = InstantRange(get_time(10), get_time(70))
    return [
        ContactQuery(
            limit=3,
            statuses=rng.choice([frozenset(ContactStatus), frozenset(ContactStatus) - {ContactStatus.DELETED}]),
            created=rng.choice([None, period]),
            updated=rng.choice([None, None, period]),
            lists=rng.choice([None, ("l1",), ("l1", "l3"), ("none",), ()]),
            tags=rng.choice([None, None, ("t2",), ("t1", "t2")]),
        )
        for _ in range(30)
    ]


@pytest.mark.parametrize("seed", range(6))
async def test_pages_of_contacts_match_recount(store: Store, seed: int) -> None:
    rng = random.Random(seed)
    # Two hours apart, because a repetition within an hour changes nothing.
    steps = [random_step(rng, 2 * hours) for hours in range(50)]
    models = recount(steps)
    rng.shuffle(steps)

    await write(store, steps)
    for query in make_queries(rng):
        expected = expect_page(models, query)
        assert await find_all(store, query) == expected, query
        assert await store.contacts.count("a", query) == len(expected)
    attributes = await store.contacts.get_attributes_of("a", CONTACTS)
    for contact_id, model in models.items():
        contact = await store.contacts.get("a", contact_id)
        assert contact is not None
        assert contact.created_at == model.created_at
        assert contact.updated_at == get_updated(model)
        assert contact.last_activity == (model.last_activity if model.updated is None else None)
        of_contact = attributes.get(contact_id, {})
        memberships = {definition_id for _, definition_id in list_memberships(of_contact)}
        assert memberships == model.lists | model.tags
        fields = {field.custom_field_id: field.value for field in read_custom_fields(of_contact)}
        assert fields == {key: value for key, value in model.fields.items() if value is not None}
        assert get_value(of_contact, "job_title") == model.job_title
    for definition_type, ids, field in ((DefinitionType.LIST, LISTS, "lists"), (DefinitionType.TAG, TAGS, "tags")):
        for only_active in (False, True):
            counts = await store.definitions.count_contacts("a", definition_type, ids, only_active=only_active)
            active = {ContactStatus.EXPLICIT, ContactStatus.IMPLICIT, ContactStatus.UNKNOWN}
            counted = active if only_active else frozenset(ContactStatus) - {ContactStatus.DELETED}
            for definition_id in ids:
                members = [
                    model
                    for model in models.values()
                    if definition_id in getattr(model, field) and model.status in counted
                ]
                assert counts.get(definition_id, 0) == len(members)
    assert [mismatch async for mismatch in store.verification.verify(repair=False)] == []


@pytest.mark.parametrize("seed", range(2))
async def test_copy_has_same_pages(store: Store, tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    steps = [random_step(rng, 2 * hours) for hours in range(40)]
    rng.shuffle(steps)
    await write(store, steps)
    await store.definitions.upsert("a", [make_list(name="News", hours=3), make_list("other", hours=1)])
    async with open_store(Settings(data=str(tmp_path / "copy"))) as target:
        await copy(store, target, lambda _: None)
        for query in make_queries(rng):
            assert await find_all(target, query) == await find_all(store, query)
        assert await target.definitions.list_attributes("a") == await store.definitions.list_attributes("a")
        for contact_id in CONTACTS:
            assert await target.contacts.get("a", contact_id) == await store.contacts.get("a", contact_id)
        assert [mismatch async for mismatch in target.verification.verify(repair=False)] == []


def make_list(list_id: str = "l1", *, hours: int = 0, **values: object) -> DefinitionUpdate:
    return DefinitionUpdate(type=DefinitionType.LIST, definition_id=list_id, updated_at=get_time(hours), **values)


async def find_lists(store: Store, **filters: object) -> list[DefinitionRecord]:
    return await store.definitions.find("a", DefinitionQuery(type=DefinitionType.LIST, limit=99, **filters))


async def test_latest_update_of_definition_wins_in_any_order(store: Store) -> None:
    updates = [
        make_list(hours=2, name="News", favorite=True),
        make_list(hours=4, description="Monthly"),
        make_list(hours=6, name="Newsletter", favorite=False),
        make_list(hours=8, deleted_at=get_time(7)),
        make_list(hours=10, created_at=get_time(1)),
    ]
    for seed in range(4):
        shuffled = updates[:]
        random.Random(seed).shuffle(shuffled)
        account = f"a{seed}"
        for update in shuffled:
            await store.definitions.upsert(account, [update])
        newsletter = await store.definitions.get(account, DefinitionType.LIST, "l1")
        assert newsletter is not None
        assert (newsletter.name, newsletter.is_favorite, newsletter.deleted_at) == ("Newsletter", False, None)
        assert get_value(newsletter.attributes, "description") == "Monthly"
        assert (newsletter.created_at, newsletter.updated_at) == (get_time(1), get_time(10))
    assert await store.definitions.upsert("a0", updates) == 0


async def test_definitions_are_paginated_by_creation_and_filtered(store: Store) -> None:
    await store.definitions.upsert("a", [make_list(f"l{number}", hours=number // 2, name="x") for number in range(7)])
    await store.definitions.upsert("a", [make_list("gone", hours=9, name="gone", deleted_at=get_time(9))])
    await store.definitions.upsert("b", [make_list("foreign")])
    found: list[DefinitionRecord] = []
    after = DefinitionCursor(MAX_INSTANT, "")
    while page := await store.definitions.find("a", DefinitionQuery(type=DefinitionType.LIST, limit=2, after=after)):
        found += page
        after = DefinitionCursor(page[-1].created_at, page[-1].definition_id)
    assert [record.definition_id for record in found] == ["l6", "l5", "l4", "l3", "l2", "l1", "l0"]
    assert [record.definition_id for record in await find_lists(store, with_current=False, with_deleted=True)] == [
        "gone"
    ]
    assert [record.definition_id for record in await find_lists(store, with_deleted=True, name="gone")] == ["gone"]
    for query, count in (({}, 7), ({"with_deleted": True}, 8), ({"name": "y"}, 0)):
        assert await store.definitions.count("a", DefinitionQuery(type=DefinitionType.LIST, limit=1, **query)) == count


async def test_reference_creates_definition_that_keeps_earliest_time(store: Store) -> None:
    def refer(hours: int) -> ContactUpdate:
        return ContactUpdate(
            contact_id="c1", updated_at=get_time(hours), is_dated=True, list_memberships=("l1",), taggings=("t1",)
        )

    await store.contacts.upsert("a", [refer(5)])
    await store.contacts.upsert("a", [refer(2)])
    tag = await store.definitions.get("a", DefinitionType.TAG, "t1")
    assert tag is not None
    assert (tag.name, tag.created_at) == ("t1", get_time(2))
    await store.definitions.upsert("a", [make_list(hours=4, name="News")])
    (news,) = await find_lists(store)
    assert (news.name, news.created_at, news.updated_at) == ("News", get_time(2), get_time(4))


@pytest.mark.parametrize("batches", [1, 4])
async def test_duplicate_with_earlier_time_does_not_change_creation(store: Store, batches: int) -> None:
    def opened(hours: int, event_id: str | None) -> Activity:
        return Activity(
            contact_id="c1",
            campaign_activity_id="m1",
            type=ActivityType.EM_OPENS,
            created_time=get_time(hours),
            event_id=event_id,
        )

    deliveries = [opened(5, "e1"), opened(2, "e1"), opened(4, None), opened(3, "e1")]
    if batches == 1:
        await store.ingest.record([build_batch("a", [activity]) for activity in deliveries])
    else:
        for activity in deliveries:
            await record(store, activity)
    contact = await store.contacts.get("a", "c1")
    assert contact is not None
    assert contact.created_at == get_time(4)
    assert [mismatch async for mismatch in store.verification.verify(repair=False)] == []


async def test_added_lists_keep_others_and_newer_sets(store: Store) -> None:
    async def save(hours: int, **values: object) -> None:
        update = ContactUpdate(contact_id="c1", updated_at=get_time(hours), is_dated=True, **values)
        await store.contacts.upsert("a", [update])

    await save(4, list_memberships=("l1",))
    await save(2, added_lists=("l2", "l1"))
    await save(3, list_memberships=("l9",))
    attributes = (await store.contacts.get_attributes_of("a", ["c1"]))["c1"]
    assert {entry.definition_id for entry in list_memberships(attributes)} == {"l1", "l2"}


async def test_contact_keeps_numbers_and_addresses_in_order(store: Store) -> None:
    numbers = PhoneNumber(phone_number="2", kind="home"), PhoneNumber(phone_number="1")
    address = StreetAddress(kind="work", street="Main Street 1", city="Köln")
    update = ContactUpdate(
        contact_id="c1",
        updated_at=get_time(1),
        is_dated=True,
        phone_numbers=numbers,
        street_addresses=(address,),
        birthday_month=12,
        birthday_day=10,
    )
    await store.contacts.upsert("a", [update])
    attributes = (await store.contacts.get_attributes_of("a", ["c1"]))["c1"]
    assert read_subresource(attributes, "phone_numbers", tuple[PhoneNumber, ...]) == numbers
    assert read_subresource(attributes, "street_addresses", tuple[StreetAddress, ...]) == (address,)
    assert get_value(attributes, "birthday_month") == 12


async def test_erased_contact_leaves_lists(store: Store) -> None:
    update = ContactUpdate(contact_id="c1", updated_at=get_time(1), is_dated=True, list_memberships=("l1",))
    await store.contacts.upsert("a", [update])
    assert await store.erasure.erase("a", "c1")
    assert await store.contacts.find("a", ContactQuery(lists=("l1",), limit=9)) == []
    assert await store.definitions.count_contacts("a", DefinitionType.LIST, ["l1"], only_active=False) == {}


TAMPERING = [
    "DELETE FROM membership WHERE definition_id = 'l1'",
    "UPDATE membership SET definition_id = 'l9' WHERE definition_id = 'l1'",
    "UPDATE contact SET created_at = (SELECT max(created_time) FROM account)",
]


@pytest.mark.parametrize("tampering", TAMPERING)
async def test_recount_finds_and_repairs_tampered_memberships(location: str, tampering: str) -> None:
    rng = random.Random(1)
    steps = [random_step(rng, 2 * hours) for hours in range(40)]
    async with open_store(Settings(data=location)) as store:
        await write(store, steps)
    execute_sql(location, tampering)
    async with open_store(Settings(data=location)) as store:
        found = [mismatch async for mismatch in store.verification.verify(repair=False)]
        assert found
        assert all(isinstance(mismatch, DerivedMismatch) for mismatch in found)
        assert [mismatch async for mismatch in store.verification.verify(repair=True)] == found
        assert [mismatch async for mismatch in store.verification.verify(repair=False)] == []


async def test_choices_of_custom_field_are_stored(store: Store) -> None:
    choices = (Choice(choice_id=1, choice_label="Red"), Choice(choice_id=2, choice_label="Blue", display_order=1))
    update = DefinitionUpdate(
        type=DefinitionType.CUSTOM_FIELD,
        definition_id="f1",
        updated_at=get_time(1),
        name="Color",
        field_type="single_select",
        choices=choices,
    )
    await store.definitions.upsert("a", [update])
    field = await store.definitions.get("a", DefinitionType.CUSTOM_FIELD, "f1")
    assert field is not None
    assert (field.name, field.choices) == ("Color", choices)
