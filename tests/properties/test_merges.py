"""Merges of contacts in random histories: every number equals a recount, on both engines."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from rapport.activity import DEVICE_TYPES, TYPES, Activity, ActivityType, BounceCode, ContactProfile, DeviceType, Link
from rapport.catalog import ContactUpdate, PermissionToSend
from rapport.instant import HOUR, Instant
from rapport.settings import Settings
from rapport.store.batch import build_batch
from rapport.store.contacts import ContactRecord
from rapport.store.copying import copy
from rapport.store.engines import open_store
from rapport.store.store import Store
from tests.helpers.erasure import counters_match
from tests.helpers.recount import Line
from tests.helpers.rollup_oracle import START_TIME, expected_rollups, stored_rollups

pytestmark = pytest.mark.slow

CONTACTS = ["ada", "bob", "eve", "-5"]
CAMPAIGN_ACTIVITIES = ["m1", "m2"]


class Record(NamedTuple):
    """Activities that arrive in one batch."""

    activities: list[Activity]


class Update(NamedTuple):
    """An update of a contact."""

    update: ContactUpdate


class Merge(NamedTuple):
    """A merge of a contact into another one."""

    old_id: str
    new_id: str


Step = Record | Update | Merge


@st.composite
def draw_activity(draw: st.DrawFn) -> Activity:
    """Draw an activity with one of a few contacts, times and events, so that contacts have many in common."""
    activity_type = TYPES[draw(st.sampled_from(list(TYPES)))]
    hours = draw(st.sampled_from([0, 2, 4, 6]))
    link = device_type = bounce_code = None
    if activity_type in {ActivityType.EM_CLICKS, ActivityType.P_CONTACT_CLICK} and draw(st.booleans()):
        link = Link(link_url=draw(st.sampled_from(["https://a.example", "https://b.example"])))
    if activity_type in {ActivityType.EM_OPENS, ActivityType.EM_CLICKS} and draw(st.booleans()):
        device_type = DEVICE_TYPES[draw(st.sampled_from(list(DEVICE_TYPES)))]
    if activity_type is ActivityType.EM_BOUNCES:
        bounce_code = draw(st.sampled_from([BounceCode.B, BounceCode.V, None]))
    event_id = f"e{draw(st.integers(0, 2))}" if draw(st.booleans()) else None
    # Activities at the same time report the same, and so do duplicates: otherwise the order of arrival matters.
    person = ContactProfile(email_address=f"at-{hours}@example.com") if event_id is None and activity_type % 2 else None
    return Activity(
        contact_id=draw(st.sampled_from(CONTACTS)),
        campaign_activity_id=draw(st.sampled_from(CAMPAIGN_ACTIVITIES)),
        type=activity_type,
        created_time=Instant(START_TIME + hours * HOUR),
        event_id=event_id,
        person=person,
        link=link,
        device_type=device_type,
        bounce_code=bounce_code,
        opt_out_reason=draw(st.sampled_from([None, "complaint", "Too many"]))
        if activity_type is ActivityType.EM_OPTOUTS
        else None,
    )


@st.composite
def draw_steps(draw: st.DrawFn) -> list[Step]:
    """Draw batches, updates and merges in any order; updates have different times."""
    times = count(1, 4)
    steps: list[Step] = []
    for _ in range(draw(st.integers(1, 12))):
        kind = draw(st.integers(0, 4))
        if kind == 0:
            steps.append(Merge(*draw(st.lists(st.sampled_from(CONTACTS), min_size=2, max_size=2))))
        elif kind == 1:
            hours = next(times)
            update = ContactUpdate(
                contact_id=draw(st.sampled_from(CONTACTS)),
                updated_at=Instant(START_TIME + hours * HOUR),
                is_dated=True,
                person=ContactProfile(last_name=f"Name {hours}"),
                permission_to_send=draw(st.sampled_from([None, *PermissionToSend])),
                created_at=Instant(START_TIME + hours),
            )
            steps.append(Update(update))
        else:
            steps.append(Record(draw(st.lists(draw_activity(), min_size=1, max_size=8))))
    return steps


class Model:
    """The contacts after the steps, by brute force."""

    def __init__(self) -> None:
        self.targets = {contact_id: contact_id for contact_id in CONTACTS}
        self.histories: dict[str, list[Activity]] = {contact_id: [] for contact_id in CONTACTS}
        self.updates: dict[str, list[ContactUpdate]] = {contact_id: [] for contact_id in CONTACTS}

    def apply(self, step: Step) -> None:
        """Apply a step."""
        if isinstance(step, Record):
            for activity in step.activities:
                self._add(self.targets[activity.contact_id], [activity])
        elif isinstance(step, Update):
            self.updates[self.targets[step.update.contact_id]].append(step.update)
        else:
            self._merge(self.targets[step.old_id], self.targets[step.new_id])

    def _merge(self, old_id: str, new_id: str) -> None:
        if old_id == new_id:
            return
        self._add(new_id, self.histories[old_id])
        self.updates[new_id] += self.updates[old_id]
        self.histories[old_id], self.updates[old_id] = [], []
        for contact_id, target in self.targets.items():
            if target == old_id:
                self.targets[contact_id] = new_id

    def _add(self, contact_id: str, activities: list[Activity]) -> None:
        kept = self.histories[contact_id]
        known = set(map(_identity, kept))
        for activity in activities:
            if _identity(activity) not in known:
                known.add(_identity(activity))
                kept.append(replace(activity, contact_id=contact_id))

    def lines(self) -> Iterator[Line]:
        """Yield the activities as lines."""
        for history in self.histories.values():
            for activity in history:
                line: dict[str, Any] = {
                    "contact_id": activity.contact_id,
                    "campaign_activity_id": activity.campaign_activity_id,
                    "tracking_activity_type": activity.type.name.lower(),
                    "created_time": activity.created_time,
                }
                if activity.link is not None:
                    line["link_url"] = activity.link.link_url
                if activity.device_type is not None:
                    line["device_type"] = DeviceType(activity.device_type).name.lower()
                if activity.opt_out_reason is not None:
                    line["opt_out_reason"] = activity.opt_out_reason
                if activity.bounce_code is not None:
                    line["bounce_code"] = activity.bounce_code.name
                yield line


def _identity(activity: Activity) -> tuple[Any, ...]:
    same = activity.type, activity.campaign_activity_id
    if activity.event_id is not None:
        return (*same, activity.event_id)
    return (*same, activity.created_time, activity.link)


async def apply_steps(store: Store, account: str, steps: list[Step]) -> None:
    for step in steps:
        if isinstance(step, Record):
            await store.ingest.record([build_batch(account, step.activities)])
        elif isinstance(step, Update):
            await store.contacts.upsert(account, [step.update])
        else:
            result = await store.merges.merge(account, step.old_id, step.new_id)
            assert await store.merges.resolve(account, step.old_id) == result.contact_id
            assert await store.merges.resolve(account, step.new_id) == result.contact_id


async def read_contacts(store: Store, account: str) -> list[ContactRecord | None]:
    return [await store.contacts.get(account, contact_id) for contact_id in CONTACTS]


async def read_histories(store: Store, account: str) -> dict[str, list[Activity]]:
    return {
        contact_id: sorted([activity async for activity in store.activities.iterate(account, contact_id)], key=repr)
        for contact_id in CONTACTS
    }


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=draw_steps())
async def test_numbers_after_merges_equal_recount(store: Store, location: str, steps: list[Step]) -> None:
    account, recounted = f"merged-{uuid4().hex}", f"recounted-{uuid4().hex}"
    model = Model()
    for step in steps:
        model.apply(step)

    await apply_steps(store, account, steps)
    histories = await read_histories(store, account)
    assert histories == {contact_id: sorted(history, key=repr) for contact_id, history in model.histories.items()}
    # A store that never knew the old ids.
    for contact_id, history in model.histories.items():
        await store.ingest.record([build_batch(recounted, history)])
        updates = [replace(update, contact_id=contact_id) for update in model.updates[contact_id]]
        await store.contacts.upsert(recounted, updates)
    assert await read_contacts(store, account) == await read_contacts(store, recounted)
    for contact_id in CONTACTS:
        old_ids = sorted(
            other for other, target in model.targets.items() if target == contact_id and other != contact_id
        )
        assert await store.merges.list_old_ids(account, contact_id) == old_ids
    assert stored_rollups(location, account) == expected_rollups(list(model.lines()))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=draw_steps())
async def test_copy_of_merged_contacts_is_equal(
    store: Store, tmp_path_factory: pytest.TempPathFactory, steps: list[Step]
) -> None:
    """The copy goes to the other engine over a part of an earlier copy, and back."""
    account = f"copied-{uuid4().hex}"
    folder: Path = tmp_path_factory.mktemp("copies")
    async with (
        open_store(Settings(data=str(folder / "source"))) as source,
        open_store(Settings(data=str(folder / "back"))) as back,
    ):
        half = len(steps) // 2
        await apply_steps(source, account, steps[:half])
        await copy(source, store, lambda _: None)
        await apply_steps(source, account, steps[half:])
        await copy(source, store, lambda _: None)
        await copy(store, back, lambda _: None)
        merges = await source.merges.list(account, "", 100)
        contacts, histories = await read_contacts(source, account), await read_histories(source, account)
        for copied in (store, back):
            assert await copied.merges.list(account, "", 100) == merges
            assert await read_contacts(copied, account) == contacts
            assert await read_histories(copied, account) == histories
            assert await counters_match(copied)
