"""Opt-outs, sign-ups and updates set a contact's permission, in whatever order they arrive."""

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from rapport.activity import Activity, ActivityType
from rapport.catalog import ContactUpdate, OptOutSource, PermissionToSend
from rapport.instant import HOUR, Instant, parse_instant
from rapport.recording.activity_codec import Context
from rapport.recording.catalog_codec import CONTACTS as CONTACT_FORM
from rapport.recording.decoding import ACTIVITIES as ACTIVITY_FORM
from rapport.recording.export import (
    ACTIVITY_COLUMNS,
    CONTACT_COLUMNS,
    export_contact,
    export_contact_activities,
)
from rapport.recording.export_formats import ExportFormat, make_writer
from rapport.settings import Settings
from rapport.store.contacts import ContactQuery, ContactStatus, InstantRange
from rapport.store.copying import copy
from rapport.store.engines import open_store
from rapport.store.last_write_wins import Attributes
from rapport.store.permission import PERMISSION_ATTRIBUTES, PermissionColumns
from rapport.store.store import Store
from rapport.store.verification import PermissionMismatch
from tests.helpers.activities import record
from tests.helpers.legacy import remove_derived_permissions
from tests.helpers.sql import execute_sql

START = parse_instant("2026-01-01T12:00:00Z")
NOW = parse_instant("2026-06-01T12:00:00Z")
CONTACTS = [f"c{number}" for number in range(6)]
STATED = [None, *PermissionToSend]
RESTRICTIONS = [
    PermissionToSend.EXPLICIT,
    PermissionToSend.IMPLICIT,
    PermissionToSend.PENDING_CONFIRMATION,
    PermissionToSend.NOT_SET,
    PermissionToSend.TEMP_HOLD,
    PermissionToSend.UNSUBSCRIBED,
]
UNSUBSCRIBED = PermissionToSend.UNSUBSCRIBED
NOTHING = PermissionColumns(None, None, None, None)


def get_time(hours: float) -> Instant:
    return Instant(START + int(hours * HOUR))


def make_opt_out(
    hours: float, contact_id: str = "c0", reason: str | None = None, event_id: str | None = None
) -> Activity:
    return Activity(
        contact_id=contact_id,
        campaign_activity_id="m1",
        type=ActivityType.EM_OPTOUTS,
        created_time=get_time(hours),
        opt_out_reason=reason,
        event_id=event_id,
    )


def make_sign_up(hours: float, contact_id: str = "c0") -> Activity:
    return Activity(
        contact_id=contact_id, campaign_activity_id="p1", type=ActivityType.P_CONTACT_ADD, created_time=get_time(hours)
    )


def make_update(
    hours: float,
    permission: PermissionToSend | None,
    contact_id: str = "c0",
    *,
    is_dated: bool = True,
    opt_out_date: Instant | None = None,
    opt_out_source: OptOutSource | None = None,
    opt_out_reason: str | None = None,
) -> ContactUpdate:
    return ContactUpdate(
        contact_id=contact_id,
        updated_at=get_time(hours),
        is_dated=is_dated,
        permission_to_send=permission,
        opt_out_date=opt_out_date,
        opt_out_source=opt_out_source,
        opt_out_reason=opt_out_reason,
    )


class Event(NamedTuple):
    """The part of an activity or a dated update that sets a permission."""

    time: int
    rank: int
    details: tuple[int, int, str | None] | None


def read_event(said: Activity | ContactUpdate) -> Event | None:
    if isinstance(said, Activity):
        if said.type is ActivityType.P_CONTACT_ADD:
            return Event(said.created_time, 0, None)
        if said.type is ActivityType.EM_OPTOUTS:
            details = said.created_time, int(OptOutSource.CONTACT), said.opt_out_reason
            return Event(said.created_time, RESTRICTIONS.index(UNSUBSCRIBED), details)
        return None
    permission = said.permission_to_send
    if permission is None or (permission is not UNSUBSCRIBED and not said.is_dated):
        return None
    details = None
    if (said.opt_out_date, said.opt_out_source, said.opt_out_reason) != (None, None, None):
        source = OptOutSource.ACCOUNT if said.opt_out_source is None else said.opt_out_source
        details = said.opt_out_date or said.updated_at, int(source), said.opt_out_reason
    return Event(said.updated_at, RESTRICTIONS.index(permission), details)


def get_detail_order(event: Event) -> tuple[int, int, int, str]:
    assert event.details is not None
    date, source, reason = event.details
    return event.time, source, date, reason or ""


def recount(history: Sequence[Activity | ContactUpdate], contact_id: str) -> PermissionColumns:
    """Compute the permission from the contact's complete history."""
    history = [said for said in history if said.contact_id == contact_id]
    events = [event for said in history if (event := read_event(said)) is not None]
    latest = max(events, key=lambda event: event[:2], default=None)
    if latest is not None and RESTRICTIONS[latest.rank] is UNSUBSCRIBED:
        subscribed = max((event.time for event in events if RESTRICTIONS[event.rank] is not UNSUBSCRIBED), default=0)
        detailed = [event for event in events if event.details is not None and event.time >= subscribed]
        details = max(detailed, key=get_detail_order).details if detailed else None
        date, source, reason = details or (latest.time, int(OptOutSource.ACCOUNT), None)
        return PermissionColumns(UNSUBSCRIBED, date, source, reason)
    undated = [
        (said.updated_at, RESTRICTIONS.index(said.permission_to_send))
        for said in history
        if isinstance(said, ContactUpdate) and not said.is_dated and said.permission_to_send not in {None, UNSUBSCRIBED}
    ]
    if undated and (latest is None or max(undated)[0] > latest.time):
        return PermissionColumns(RESTRICTIONS[max(undated)[1]], None, None, None)
    return NOTHING if latest is None else PermissionColumns(RESTRICTIONS[latest.rank], None, None, None)


def random_event(rng: random.Random) -> Activity | ContactUpdate:
    """Return an event at one of a few times, so that many have equal times or times within an hour."""
    contact_id, hours = rng.choice(CONTACTS), rng.randrange(24) / 2
    draw = rng.random()
    if draw < 0.3:
        reason = rng.choice([None, "Too many emails", "Boring"])
        # Repeated activities have equal values, because the first delivery counts.
        return make_opt_out(hours, contact_id, reason, event_id=f"{contact_id} {hours} {reason}")
    if draw < 0.5:
        return make_sign_up(hours, contact_id)
    if draw < 0.55:
        return Activity(
            contact_id=contact_id,
            campaign_activity_id="m1",
            type=ActivityType.EM_OPENS,
            created_time=get_time(hours),
        )
    permission = rng.choice(STATED)
    if permission is UNSUBSCRIBED and rng.random() < 0.5:
        return make_update(
            hours,
            permission,
            contact_id,
            opt_out_date=rng.choice([None, get_time(hours - 3)]),
            opt_out_source=rng.choice([None, *OptOutSource]),
            opt_out_reason=rng.choice([None, "Asked by phone"]),
        )
    return make_update(hours, permission, contact_id, is_dated=rng.random() < 0.8)


async def record_all(store: Store, said: Sequence[Activity | ContactUpdate]) -> None:
    await record(store, *(event for event in said if isinstance(event, Activity)))
    await store.contacts.upsert("a", [event for event in said if isinstance(event, ContactUpdate)])


async def read_permission(store: Store, contact_id: str = "c0") -> PermissionColumns:
    known = await store.contacts.get("a", contact_id)
    if known is None:
        return NOTHING
    return PermissionColumns(known.permission_to_send, known.opt_out_date, known.opt_out_source, known.opt_out_reason)


async def read_facts(store: Store) -> dict[str, Attributes]:
    updates = await store.contacts.list_attributes("a", "", 99)
    return {
        contact.contact_id: {name: value for name, value in contact.attributes.items() if name in PERMISSION_ATTRIBUTES}
        for contact in updates
    }


async def list_differences(store: Store, *, repair: bool = False) -> list[object]:
    return [difference async for difference in store.verification.verify(repair=repair)]


def resolve_ties(history: list[Activity | ContactUpdate]) -> list[Activity | ContactUpdate]:
    """Drop opt-outs with equal times, which the store orders by identity."""
    seen: set[tuple[str, int]] = set()
    kept: list[Activity | ContactUpdate] = []
    for said in history:
        if isinstance(said, Activity) and said.type is ActivityType.EM_OPTOUTS:
            if (said.contact_id, said.created_time) in seen:
                continue
            seen.add((said.contact_id, said.created_time))
        kept.append(said)
    return kept


@pytest.mark.parametrize("seed", range(8))
async def test_permissions_equal_recount_in_any_order_of_arrival(store: Store, tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    history = resolve_ties([random_event(rng) for _ in range(150)])

    # Some events are delivered twice, in batches of any size.
    arriving = [*history, *rng.sample(history, 20)]
    rng.shuffle(arriving)
    while arriving:
        size = rng.choice([1, 3, 10])
        await record_all(store, arriving[:size])
        del arriving[:size]
    expected = {contact_id: recount(history, contact_id) for contact_id in CONTACTS}
    assert {contact_id: await read_permission(store, contact_id) for contact_id in CONTACTS} == expected
    assert await list_differences(store) == []
    by_status = await store.contacts.count_by_status("a")
    unsubscribed = [contact_id for contact_id in CONTACTS if expected[contact_id].permission_to_send == 3]
    assert by_status.get(ContactStatus.UNSUBSCRIBED, 0) == len(unsubscribed)

    async with open_store(Settings(data=str(tmp_path / "copy"))) as target:
        await copy(store, target, lambda _: None)
        assert {contact_id: await read_permission(target, contact_id) for contact_id in CONTACTS} == expected
        assert await read_facts(target) == await read_facts(store)
        assert await list_differences(target) == []

    gone = rng.choice(CONTACTS)
    await store.erasure.erase("a", gone)
    await record_all(store, [said for said in history if said.contact_id == gone and isinstance(said, Activity)])
    assert await store.contacts.get("a", gone) is None
    assert await list_differences(store) == []
    rest = [contact_id for contact_id in CONTACTS if contact_id != gone]
    assert {contact_id: await read_permission(store, contact_id) for contact_id in rest} == {
        contact_id: expected[contact_id] for contact_id in rest
    }


@pytest.mark.parametrize("seed", range(4))
async def test_export_restores_permission_with_and_without_activities(store: Store, tmp_path: Path, seed: int) -> None:
    rng = random.Random(100 + seed)
    history = resolve_ties([random_event(rng) for _ in range(100)])

    await record_all(store, history)
    for with_activities in (True, False):
        folder = str(tmp_path / f"with activities {with_activities}")
        async with open_store(Settings(data=folder)) as target:
            for contact_id in CONTACTS:
                writer = make_writer(ExportFormat.NDJSON, CONTACT_COLUMNS)
                rows = [row async for batch in export_contact(store, "a", contact_id) for row in batch]
                lines = writer.encode(rows).splitlines()
                await target.contacts.upsert("a", [CONTACT_FORM.decode_json(line, Context(NOW)) for line in lines])
                if with_activities:
                    activities = export_contact_activities(store, "a", contact_id)
                    rows = [row async for batch in activities for row in batch]
                    exported = make_writer(ExportFormat.NDJSON, ACTIVITY_COLUMNS).encode(rows).splitlines()
                    await record(target, *(ACTIVITY_FORM.decode_json(line, Context(NOW)) for line in exported))
                assert await read_permission(target, contact_id) == await read_permission(store, contact_id)


@pytest.mark.parametrize("seed", range(4))
async def test_migration_sets_permission_from_existing_opt_outs(location: str, seed: int) -> None:
    rng = random.Random(200 + seed)
    history = resolve_ties([random_event(rng) for _ in range(150)])
    # Earlier versions stored one permission, without the details and dates of updates.
    history = [
        said if isinstance(said, Activity) else make_update((said.updated_at - START) / HOUR, said.permission_to_send)
        for said in history
        if isinstance(said, Activity) or said.permission_to_send is not None
    ]
    latest: dict[str, ContactUpdate] = {}
    for number, said in enumerate(history):
        if isinstance(said, ContactUpdate):
            moved = make_update(
                (said.updated_at - START) / HOUR, said.permission_to_send, CONTACTS[number % len(CONTACTS)]
            )
            known = latest.get(moved.contact_id)
            if known is None or moved.updated_at > known.updated_at:
                latest[moved.contact_id] = moved
    kept = [*(said for said in history if isinstance(said, Activity)), *latest.values()]
    async with open_store(Settings(data=location)) as store:
        await record_all(store, kept)
    remove_derived_permissions(location)

    async with open_store(Settings(data=location)) as store:
        expected = {contact_id: recount(kept, contact_id) for contact_id in CONTACTS}
        assert {contact_id: await read_permission(store, contact_id) for contact_id in CONTACTS} == expected
        assert await list_differences(store) == []
        await record_all(store, [make_opt_out(99, reason="Later")])
        assert await read_permission(store) == PermissionColumns(
            UNSUBSCRIBED, get_time(99), OptOutSource.CONTACT, "Later"
        )


async def test_opt_out_unsubscribes_until_later_sign_up_or_update(store: Store) -> None:
    await record_all(store, [make_update(0, PermissionToSend.IMPLICIT), make_opt_out(5, reason="Boring")])
    left = PermissionColumns(UNSUBSCRIBED, get_time(5), OptOutSource.CONTACT, "Boring")
    assert await read_permission(store) == left
    for no_change in (
        make_sign_up(4),
        make_update(5, PermissionToSend.EXPLICIT),
        make_sign_up(5),
        make_update(5.5, PermissionToSend.EXPLICIT, is_dated=False),
        make_update(6, UNSUBSCRIBED),
    ):
        await record_all(store, [no_change])
        assert await read_permission(store) == left
    await record_all(store, [make_sign_up(7)])
    assert await read_permission(store) == PermissionColumns(PermissionToSend.EXPLICIT, None, None, None)
    await record_all(store, [make_opt_out(8)])
    assert await read_permission(store) == PermissionColumns(UNSUBSCRIBED, get_time(8), OptOutSource.CONTACT, None)
    await record_all(store, [make_update(9, PermissionToSend.IMPLICIT)])
    assert await read_permission(store) == PermissionColumns(PermissionToSend.IMPLICIT, None, None, None)


async def test_repeated_update_within_hour_resubscribes_after_opt_out(store: Store) -> None:
    await record_all(store, [make_update(0, PermissionToSend.EXPLICIT), make_opt_out(0.25)])
    await record_all(store, [make_update(0.5, PermissionToSend.EXPLICIT)])
    assert await read_permission(store) == PermissionColumns(PermissionToSend.EXPLICIT, None, None, None)


async def test_undated_update_unsubscribes_but_does_not_subscribe(store: Store) -> None:
    await record_all(store, [make_update(3, PermissionToSend.EXPLICIT, is_dated=False)])
    assert (await read_permission(store)).permission_to_send == PermissionToSend.EXPLICIT
    # A late opt-out counts, although the list was recorded after it happened.
    await record_all(store, [make_opt_out(1)])
    assert await read_permission(store) == PermissionColumns(UNSUBSCRIBED, get_time(1), OptOutSource.CONTACT, None)
    await record_all(store, [make_sign_up(4), make_update(5, UNSUBSCRIBED, is_dated=False)])
    assert await read_permission(store) == PermissionColumns(UNSUBSCRIBED, get_time(5), OptOutSource.ACCOUNT, None)


async def test_contacts_are_filtered_by_opt_out_date(store: Store) -> None:
    await record_all(store, [make_opt_out(10 - number, f"c{number}") for number in range(6)])
    await record_all(store, [make_sign_up(20, "c2"), make_update(1, PermissionToSend.EXPLICIT, "c9")])

    async def find(**bounds: InstantRange) -> list[str]:
        query = ContactQuery(limit=99, **bounds)
        page = [known.contact_id for known in await store.contacts.find("a", query)]
        assert await store.contacts.count("a", query) == len(page)
        return page

    assert await find(opted_out=InstantRange(get_time(6), get_time(9))) == ["c4", "c3", "c1"]
    both = await find(opted_out=InstantRange(get_time(6), get_time(9)), updated=InstantRange(get_time(0), get_time(9)))
    assert both == ["c4", "c3", "c1"]
    await record_all(store, [make_update(2, None, "c3"), make_update(3, None, "c1")])
    assert await find(
        opted_out=InstantRange(get_time(6), get_time(9)), updated=InstantRange(get_time(0), get_time(9))
    ) == [
        "c3",
        "c1",
        "c4",
    ]
    created = await find(
        opted_out=InstantRange(get_time(6), get_time(9)), created=InstantRange(get_time(0), get_time(9))
    )
    assert created == ["c4", "c1", "c3"]


async def test_concurrent_opt_outs_and_sign_ups_are_all_counted(store: Store) -> None:
    rng = random.Random(7)
    history = resolve_ties([random_event(rng) for _ in range(240)])

    batches = [history[place::12] for place in range(12)]
    await asyncio.gather(*(record_all(store, batch) for batch in batches))
    assert {contact_id: await read_permission(store, contact_id) for contact_id in CONTACTS} == {
        contact_id: recount(history, contact_id) for contact_id in CONTACTS
    }
    assert await list_differences(store) == []


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE contact SET permission_to_send = 0, opt_out_date = NULL, opt_out_source = NULL, opt_out_reason = NULL",
        "UPDATE contact SET opt_out_reason = 'made up' WHERE opt_out_date IS NOT NULL",
        "UPDATE contact SET permission_to_send = NULL",
    ],
)
async def test_check_finds_and_repairs_permissions(location: str, tampering: str) -> None:
    history = [make_opt_out(number % 3, f"c{number}", "Boring") for number in range(1200)]
    history += [make_sign_up(1, f"c{number}") for number in range(0, 1200, 2)]
    async with open_store(Settings(data=location)) as store:
        await record_all(store, history)
    execute_sql(location, tampering)

    async with open_store(Settings(data=location)) as store:
        results = await list_differences(store)
        assert results
        for difference in results:
            assert isinstance(difference, PermissionMismatch)
            assert difference.expected == recount(history, difference.contact_id)
            assert difference.stored != difference.expected
        assert sorted(map(repr, await list_differences(store, repair=True))) == sorted(map(repr, results))
        assert await list_differences(store) == []
