"""Opt-outs, sign-ups and statements set a contact's permission, the same in whatever order they arrive."""

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from rapport.activity import Activity, ActivityType
from rapport.catalogue import ContactUpdate, OptOutSource, PermissionToSend
from rapport.instant import HOUR, Instant, parse_instant
from rapport.recording.activity_codec import Context
from rapport.recording.catalog_codec import CONTACTS as CONTACT_FORM
from rapport.recording.decoding import ACTIVITIES as ACTIVITY_FORM
from rapport.recording.exporting import export_activities, export_contact
from rapport.settings import Settings
from rapport.store.contacts import ContactQuery, ContactStatus, InstantRange
from rapport.store.copying import copy
from rapport.store.engines import open_store
from rapport.store.merge import Attributes
from rapport.store.permission import PERMISSION_ATTRIBUTES, PermissionColumns
from rapport.store.store import Store
from rapport.store.verification import PermissionMismatch
from tests.store.earlier import execute, remove_derived_permissions
from tests.store.test_promises import on, record

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


def at(hours: float) -> Instant:
    return Instant(START + int(hours * HOUR))


def opt_out(hours: float, contact_id: str = "c0", reason: str | None = None, event_id: str | None = None) -> Activity:
    return Activity(
        contact_id=contact_id,
        campaign_activity_id="m1",
        type=ActivityType.EM_OPTOUTS,
        created_time=at(hours),
        opt_out_reason=reason,
        event_id=event_id,
    )


def sign_up(hours: float, contact_id: str = "c0") -> Activity:
    return Activity(
        contact_id=contact_id, campaign_activity_id="p1", type=ActivityType.P_CONTACT_ADD, created_time=at(hours)
    )


def stated(
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
        updated_at=at(hours),
        is_dated=is_dated,
        permission_to_send=permission,
        opt_out_date=opt_out_date,
        opt_out_source=opt_out_source,
        opt_out_reason=opt_out_reason,
    )


class Event(NamedTuple):
    """What an activity or a dated statement says of a permission."""

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


def order_of_details(event: Event) -> tuple[int, int, int, str]:
    assert event.details is not None
    date, source, reason = event.details
    return event.time, source, date, reason or ""


def recount(history: Sequence[Activity | ContactUpdate], contact_id: str) -> PermissionColumns:
    """By brute force, from the whole history of the contact."""
    history = [said for said in history if said.contact_id == contact_id]
    events = [event for said in history if (event := read_event(said)) is not None]
    latest = max(events, key=lambda event: event[:2], default=None)
    if latest is not None and RESTRICTIONS[latest.rank] is UNSUBSCRIBED:
        subscribed = max((event.time for event in events if RESTRICTIONS[event.rank] is not UNSUBSCRIBED), default=0)
        detailed = [event for event in events if event.details is not None and event.time >= subscribed]
        details = max(detailed, key=order_of_details).details if detailed else None
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


def make_up(rng: random.Random) -> Activity | ContactUpdate:
    """Something at one of a few times, so that many are at the same, or within an hour."""
    contact_id, hours = rng.choice(CONTACTS), rng.randrange(24) / 2
    draw = rng.random()
    if draw < 0.3:
        reason = rng.choice([None, "Too many emails", "Boring"])
        # The same activity always says the same, as the first delivery counts.
        return opt_out(hours, contact_id, reason, event_id=f"{contact_id} {hours} {reason}")
    if draw < 0.5:
        return sign_up(hours, contact_id)
    if draw < 0.55:
        return Activity(
            contact_id=contact_id,
            campaign_activity_id="m1",
            type=ActivityType.EM_OPENS,
            created_time=at(hours),
        )
    permission = rng.choice(STATED)
    if permission is UNSUBSCRIBED and rng.random() < 0.5:
        return stated(
            hours,
            permission,
            contact_id,
            opt_out_date=rng.choice([None, at(hours - 3)]),
            opt_out_source=rng.choice([None, *OptOutSource]),
            opt_out_reason=rng.choice([None, "Asked by phone"]),
        )
    return stated(hours, permission, contact_id, is_dated=rng.random() < 0.8)


async def take(store: Store, said: Sequence[Activity | ContactUpdate]) -> None:
    await record(store, *(each for each in said if isinstance(each, Activity)))
    await store.contacts.upsert("a", [each for each in said if isinstance(each, ContactUpdate)])


async def read(store: Store, contact_id: str = "c0") -> PermissionColumns:
    known = await store.contacts.get("a", contact_id)
    if known is None:
        return NOTHING
    return PermissionColumns(known.permission_to_send, known.opt_out_date, known.opt_out_source, known.opt_out_reason)


async def read_facts(store: Store) -> dict[str, Attributes]:
    stated = await store.contacts.list_attributes("a", "", 99)
    return {
        contact.contact_id: {
            field: fact for field, fact in contact.attributes.items() if field in PERMISSION_ATTRIBUTES
        }
        for contact in stated
    }


async def differences(store: Store, *, repair: bool = False) -> list[object]:
    return [difference async for difference in store.verification.verify(repair=repair)]


def resolve_ties(history: list[Activity | ContactUpdate]) -> list[Activity | ContactUpdate]:
    """Leave out opt-outs at the same time as another: which identity is greater is not for a recount to know."""
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
def test_permissions_equal_recount_in_any_order_of_arrival(data: str, tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    history = resolve_ties([make_up(rng) for _ in range(150)])

    async def work(store: Store) -> None:
        # Deliveries of some of it twice, and in batches of any size.
        arriving = [*history, *rng.sample(history, 20)]
        rng.shuffle(arriving)
        while arriving:
            size = rng.choice([1, 3, 10])
            await take(store, arriving[:size])
            del arriving[:size]
        expected = {contact_id: recount(history, contact_id) for contact_id in CONTACTS}
        assert {contact_id: await read(store, contact_id) for contact_id in CONTACTS} == expected
        assert await differences(store) == []
        by_status = await store.contacts.count_by_status("a")
        unsubscribed = [contact_id for contact_id in CONTACTS if expected[contact_id].permission_to_send == 3]
        assert by_status.get(ContactStatus.UNSUBSCRIBED, 0) == len(unsubscribed)

        async with open_store(Settings(data=str(tmp_path / "copy"))) as target:
            await copy(store, target, lambda _: None)
            assert {contact_id: await read(target, contact_id) for contact_id in CONTACTS} == expected
            assert await read_facts(target) == await read_facts(store)
            assert await differences(target) == []

        gone = rng.choice(CONTACTS)
        await store.erasure.erase("a", gone)
        await take(store, [said for said in history if said.contact_id == gone and isinstance(said, Activity)])
        assert await store.contacts.get("a", gone) is None
        assert await differences(store) == []
        rest = [contact_id for contact_id in CONTACTS if contact_id != gone]
        assert {contact_id: await read(store, contact_id) for contact_id in rest} == {
            contact_id: expected[contact_id] for contact_id in rest
        }

    on(data, work)


@pytest.mark.parametrize("seed", range(4))
def test_export_restores_permission_with_and_without_activities(data: str, tmp_path: Path, seed: int) -> None:
    rng = random.Random(100 + seed)
    history = resolve_ties([make_up(rng) for _ in range(100)])

    async def work(store: Store) -> None:
        await take(store, history)
        for with_activities in (True, False):
            folder = str(tmp_path / f"with activities {with_activities}")
            async with open_store(Settings(data=folder)) as target:
                for contact_id in CONTACTS:
                    lines = [line async for line in export_contact(store.contacts, store.activities, "a", contact_id)]
                    await target.contacts.upsert("a", [CONTACT_FORM.decode_json(line, Context(NOW)) for line in lines])
                    if with_activities:
                        exported = [line async for line in export_activities(store.activities, "a", contact_id)]
                        await record(target, *(ACTIVITY_FORM.decode_json(line, Context(NOW)) for line in exported))
                    assert await read(target, contact_id) == await read(store, contact_id)

    on(data, work)


@pytest.mark.parametrize("seed", range(4))
def test_migration_sets_permission_from_existing_opt_outs(data: str, seed: int) -> None:
    rng = random.Random(200 + seed)
    history = resolve_ties([make_up(rng) for _ in range(150)])
    # An earlier version knew neither the details of statements nor which of them had a date, and kept one permission.
    history = [
        said if isinstance(said, Activity) else stated((said.updated_at - START) / HOUR, said.permission_to_send)
        for said in history
        if isinstance(said, Activity) or said.permission_to_send is not None
    ]
    latest: dict[str, ContactUpdate] = {}
    for number, said in enumerate(history):
        if isinstance(said, ContactUpdate):
            moved = stated((said.updated_at - START) / HOUR, said.permission_to_send, CONTACTS[number % len(CONTACTS)])
            known = latest.get(moved.contact_id)
            if known is None or moved.updated_at > known.updated_at:
                latest[moved.contact_id] = moved
    kept = [*(said for said in history if isinstance(said, Activity)), *latest.values()]
    on(data, lambda store: take(store, kept))
    remove_derived_permissions(data)

    async def work(store: Store) -> None:
        expected = {contact_id: recount(kept, contact_id) for contact_id in CONTACTS}
        assert {contact_id: await read(store, contact_id) for contact_id in CONTACTS} == expected
        assert await differences(store) == []
        await take(store, [opt_out(99, reason="Later")])
        assert await read(store) == PermissionColumns(UNSUBSCRIBED, at(99), OptOutSource.CONTACT, "Later")

    on(data, work)


def test_opt_out_unsubscribes_until_later_sign_up_or_update(data: str) -> None:
    async def work(store: Store) -> None:
        await take(store, [stated(0, PermissionToSend.IMPLICIT), opt_out(5, reason="Boring")])
        left = PermissionColumns(UNSUBSCRIBED, at(5), OptOutSource.CONTACT, "Boring")
        assert await read(store) == left
        for no_change in (
            sign_up(4),
            stated(5, PermissionToSend.EXPLICIT),
            sign_up(5),
            stated(5.5, PermissionToSend.EXPLICIT, is_dated=False),
            stated(6, UNSUBSCRIBED),
        ):
            await take(store, [no_change])
            assert await read(store) == left
        await take(store, [sign_up(7)])
        assert await read(store) == PermissionColumns(PermissionToSend.EXPLICIT, None, None, None)
        await take(store, [opt_out(8)])
        assert await read(store) == PermissionColumns(UNSUBSCRIBED, at(8), OptOutSource.CONTACT, None)
        await take(store, [stated(9, PermissionToSend.IMPLICIT)])
        assert await read(store) == PermissionColumns(PermissionToSend.IMPLICIT, None, None, None)

    on(data, work)


def test_repeated_update_within_hour_resubscribes_after_opt_out(data: str) -> None:
    async def work(store: Store) -> None:
        await take(store, [stated(0, PermissionToSend.EXPLICIT), opt_out(0.25)])
        await take(store, [stated(0.5, PermissionToSend.EXPLICIT)])
        assert await read(store) == PermissionColumns(PermissionToSend.EXPLICIT, None, None, None)

    on(data, work)


def test_undated_update_unsubscribes_but_does_not_subscribe(data: str) -> None:
    async def work(store: Store) -> None:
        await take(store, [stated(3, PermissionToSend.EXPLICIT, is_dated=False)])
        assert (await read(store)).permission_to_send == PermissionToSend.EXPLICIT
        # An opt-out that arrives late counts, although the list came in after it.
        await take(store, [opt_out(1)])
        assert await read(store) == PermissionColumns(UNSUBSCRIBED, at(1), OptOutSource.CONTACT, None)
        await take(store, [sign_up(4), stated(5, UNSUBSCRIBED, is_dated=False)])
        assert await read(store) == PermissionColumns(UNSUBSCRIBED, at(5), OptOutSource.ACCOUNT, None)

    on(data, work)


def test_contacts_are_filtered_by_opt_out_date(data: str) -> None:
    async def work(store: Store) -> None:
        await take(store, [opt_out(10 - number, f"c{number}") for number in range(6)])
        await take(store, [sign_up(20, "c2"), stated(1, PermissionToSend.EXPLICIT, "c9")])

        async def find(**bounds: InstantRange) -> list[str]:
            query = ContactQuery(limit=99, **bounds)
            page = [known.contact_id for known in await store.contacts.find("a", query)]
            assert await store.contacts.count("a", query) == len(page)
            return page

        assert await find(opted_out=InstantRange(at(6), at(9))) == ["c4", "c3", "c1"]
        assert await find(opted_out=InstantRange(at(6), at(9)), updated=InstantRange(at(0), at(9))) == []
        await take(store, [stated(2, None, "c3"), stated(3, None, "c1")])
        assert await find(opted_out=InstantRange(at(6), at(9)), updated=InstantRange(at(0), at(9))) == ["c3", "c1"]
        assert await find(opted_out=InstantRange(at(6), at(9)), created=InstantRange(at(0), at(9))) == []

    on(data, work)


def test_concurrent_opt_outs_and_sign_ups_are_all_counted(data: str) -> None:
    rng = random.Random(7)
    history = resolve_ties([make_up(rng) for _ in range(240)])

    async def work(store: Store) -> None:
        batches = [history[place::12] for place in range(12)]
        await asyncio.gather(*(take(store, batch) for batch in batches))
        assert {contact_id: await read(store, contact_id) for contact_id in CONTACTS} == {
            contact_id: recount(history, contact_id) for contact_id in CONTACTS
        }
        assert await differences(store) == []

    on(data, work)


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE contact SET permission_to_send = 0, opt_out_date = NULL, opt_out_source = NULL, opt_out_reason = NULL",
        "UPDATE contact SET opt_out_reason = 'made up' WHERE opt_out_date IS NOT NULL",
        "UPDATE contact SET permission_to_send = NULL",
    ],
)
def test_check_finds_and_repairs_permissions(data: str, tampering: str) -> None:
    history = [opt_out(number % 3, f"c{number}", "Boring") for number in range(1200)]
    history += [sign_up(1, f"c{number}") for number in range(0, 1200, 2)]
    on(data, lambda store: take(store, history))
    execute(data, tampering)

    async def work(store: Store) -> None:
        found = await differences(store)
        assert found
        for difference in found:
            assert isinstance(difference, PermissionMismatch)
            assert difference.expected == recount(history, difference.contact_id)
            assert difference.stored != difference.expected
        assert sorted(map(repr, await differences(store, repair=True))) == sorted(map(repr, found))
        assert await differences(store) == []

    on(data, work)
