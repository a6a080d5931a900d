"""Migrations: any may be missing, and the data of earlier stores is kept."""

from collections.abc import Collection
from pathlib import Path
from struct import pack, unpack

import apsw
import asyncpg
import pytest

from rapport.activity import ActivityType, event_identity
from rapport.errors import SchemaIncomplete, SchemaTooNew
from rapport.sample import generate_sample
from rapport.settings import Settings
from rapport.store.engines import open_store
from rapport.store.event_identities import earlier_event_identity
from rapport.store.hashing import contact_key
from rapport.store.links import LinksQuery, link_digest
from rapport.store.postgres.migrations import MIGRATIONS as POSTGRESQL
from rapport.store.postgres.migrations import split_statements
from rapport.store.schema import find_missing_migrations
from rapport.store.sqlite.connection import DATABASE
from rapport.store.sqlite.migrations import MIGRATIONS as SQLITE
from rapport.store.sqlite.migrations import add_functions
from tests.helpers.activities import NOON, make_activity, record
from tests.helpers.loop import run_async
from tests.helpers.sql import execute_sql, fetch_all

EARLIER = {1, 2, 3, 4, 5, 6, 8, 10, 11, 12, 15, 17}
"""Migrations of commits from 9b0eeaa on, before 13 and 16 were added."""

STEP_TABLE = """
CREATE TABLE schema_migration (
    number integer PRIMARY KEY, name text NOT NULL, applied_time text NOT NULL DEFAULT ''
)
"""


def is_postgresql(location: str) -> bool:
    return location.startswith("postgresql:")


def build(location: str, numbers: Collection[int]) -> None:
    """Create a store with these migrations only."""
    if is_postgresql(location):
        run_async(_build_postgresql(location, numbers))
        return
    Path(location).mkdir(parents=True)
    connection = apsw.Connection(str(Path(location) / DATABASE))
    connection.pragma("journal_mode", "wal")
    connection.execute(STEP_TABLE)
    add_functions(connection)
    for number, name, sql in SQLITE:
        if number in numbers:
            connection.execute(sql)
            connection.execute("INSERT INTO schema_migration (number, name) VALUES (?, ?)", (number, name))
    connection.close()


async def _build_postgresql(url: str, numbers: Collection[int]) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(STEP_TABLE)
    for number, name, sql in POSTGRESQL:
        if number in numbers:
            for statement in split_statements(sql):
                await connection.execute(statement)
            await connection.execute("INSERT INTO schema_migration (number, name) VALUES ($1, $2)", number, name)
    await connection.close()


def open_and_close(location: str) -> None:
    async def run() -> None:
        async with open_store(Settings(data=location)):
            pass

    run_async(run())


@pytest.mark.parametrize("missing", [{13, 16}, {12, 13, 15, 16}, {13}, {16, 19}, {15, 20}])
async def test_missing_migrations_are_applied(missing_location: str, missing: set[int]) -> None:
    build(missing_location, {number for number, *_ in SQLITE if number < 21} - missing)

    async with open_store(Settings(data=missing_location)) as store:
        history = list(generate_sample(20, seed=1))
        recorded = await record(store, *history)
        assert sum(recorded.accepted.values()) == len(history)
        assert await store.erasure.erase("a", history[0].contact_id)
        assert [difference async for difference in store.verification.verify(repair=False)] == []
        await store.check()
    migrations = POSTGRESQL if is_postgresql(missing_location) else SQLITE
    applied = {
        (number, name) for number, name in fetch_all(missing_location, "SELECT number, name FROM schema_migration")
    }
    assert applied == {migration[:2] for migration in migrations}


def test_store_of_earlier_commit_keeps_its_data(missing_location: str) -> None:
    build(missing_location, EARLIER)
    contact, time = (
        ("'\\x01'", "to_timestamp(1767268800)") if is_postgresql(missing_location) else ("1", "1767268800000")
    )
    execute_sql(
        missing_location,
        f"INSERT INTO account (account_id, created_time) VALUES ('a', {time})",  # noqa: S608
        "INSERT INTO campaign_activity (account, campaign_activity_id) VALUES (1, 'm1')",
        f"INSERT INTO contact (account, contact_id, key) VALUES (1, 'ada', {contact})",  # noqa: S608
        "INSERT INTO tracking_activity (contact, type, created_time, identity, campaign_activity)"  # noqa: S608
        f" VALUES ({contact}, 1, {time}, 65536 * 7, 1)",
        "INSERT INTO engagement (campaign_activity, type, contact, activities, last_time)"  # noqa: S608
        f" VALUES (1, 1, {contact}, 1, {time})",
    )
    open_and_close(missing_location)
    assert fetch_all(missing_location, "SELECT identity FROM tracking_activity") == [(7,)]
    assert fetch_all(missing_location, "SELECT count(*) FROM feed") == [(0,)]


def test_migration_without_its_dependency_is_refused(missing_location: str) -> None:
    build(missing_location, {number for number, *_ in SQLITE} - {16})
    with pytest.raises(SchemaIncomplete, match="lacks the migrations 0016_"):
        open_and_close(missing_location)


@pytest.mark.parametrize("missing", [{3}, {4, 8}, {10}, {11}])
def test_store_that_cannot_be_migrated_is_refused_unchanged(missing_location: str, missing: set[int]) -> None:
    build(missing_location, EARLIER)
    execute_sql(missing_location, *(f"DELETE FROM schema_migration WHERE number = {number}" for number in missing))  # noqa: S608
    before = fetch_all(missing_location, "SELECT number, name FROM schema_migration")
    with pytest.raises(SchemaIncomplete, match=rf"lacks the migrations {min(missing):04}_\w+.*restore a backup"):
        open_and_close(missing_location)
    assert fetch_all(missing_location, "SELECT number, name FROM schema_migration") == before


def test_failed_migration_leaves_store_unchanged(missing_location: str) -> None:
    build(missing_location, EARLIER)
    execute_sql(missing_location, "CREATE TABLE feed (number integer)")
    before = fetch_all(missing_location, "SELECT number, name FROM schema_migration")
    with pytest.raises(SchemaIncomplete, match=r"0013_feed.*restore a backup"):
        open_and_close(missing_location)
    assert fetch_all(missing_location, "SELECT number, name FROM schema_migration") == before


@pytest.mark.parametrize("migration", [(9_999, "the_future"), (13, "another_thirteenth"), (18, "of_a_branch")])
def test_store_with_unknown_migration_is_refused(location: str, migration: tuple[int, str]) -> None:
    open_and_close(location)
    execute_sql(
        location,
        f"DELETE FROM schema_migration WHERE number = {migration[0]}",  # noqa: S608
        f"INSERT INTO schema_migration (number, name) VALUES ({migration[0]}, '{migration[1]}')",  # noqa: S608
    )
    with pytest.raises(SchemaTooNew, match=rf"{migration[0]:04}_{migration[1]}.*install"):
        open_and_close(location)


@pytest.mark.parametrize("migrations", [SQLITE, POSTGRESQL])
def test_later_migrations_apply_in_any_order(migrations: list[tuple[int, str, str]]) -> None:
    later = [migration for migration in migrations if migration[0] > 17]
    for migration in later:
        others = [other[:2] for other in migrations if other != migration]
        assert find_missing_migrations(migrations, others) == [migration]


PERSONAL = "https://shop.example.com/unsubscribe?email=ada@example.com"
LINKS = [(PERSONAL, "ada"), ("https://shop.example.com", "u-ada"), ("https://shop.example.com", "7")]


def erase_as_previous_version(location: str) -> None:
    """Leave what the previous version left of an erased contact who clicked the first two links."""
    digest = contact_key("a", "ada").hex()
    statements = ["INSERT INTO campaign_activity (account, campaign_activity_id) VALUES (1, 'm1')"]
    if is_postgresql(location):
        time, later = f"to_timestamp({NOON} / 1000)", f"to_timestamp({NOON} / 1000 + 60)"
        erased = f"(key, account, erased_time) VALUES ('\\x{digest}', 1, {later})"
        links = [
            f"(campaign_activity, digest, link_url, url_id) VALUES (1, '\\x{digest}', '{url}', '{url_id}')"
            for digest, url, url_id in ((link_digest(*link).hex(), *link) for link in LINKS)
        ]
        counts = [f"(campaign_activity, link, contacts, bucket) VALUES (1, {link}, 1, '\\x00')" for link in (1, 2)]
        clicked = "VALUES (1, 3, '\\x02')"
    else:
        time = str(NOON)
        erased = f"(digest, account, erased_time) VALUES (x'{digest}', 1, {NOON} + 60000)"
        links = [f"(campaign_activity, link_url, url_id) VALUES (1, '{link[0]}', '{link[1]}')" for link in LINKS]
        counts = [f"(campaign_activity, link, contacts) VALUES (1, {link}, 1)" for link in (1, 2)]
        clicked = "VALUES (1, 3, 2)"
    statements.insert(0, f"INSERT INTO account (account_id, created_time) VALUES ('a', {time})")  # noqa: S608
    statements.append(f"INSERT INTO erased_contact {erased}")
    statements += [f"INSERT INTO link {link}" for link in links]
    statements += [f"INSERT INTO erased_link {count}" for count in counts]
    statements.append(f"INSERT INTO clicked_link (campaign_activity, link, contact) {clicked}")
    execute_sql(location, *statements)


async def test_erasures_of_earlier_version_stay_effective_without_links(missing_location: str) -> None:
    build(missing_location, {number for number, *_ in SQLITE if number < 18})
    erase_as_previous_version(missing_location)

    async with open_store(Settings(data=missing_location)) as store:
        recorded = await record(store, make_activity("ada"), make_activity("ada", after=120_000))
        assert (sum(recorded.accepted.values()), recorded.duplicate) == (1, 1)
        links = await store.reports.list_links("a", "m1", LinksQuery(limit=1_000, with_unclicked=True))
        assert links is not None
        assert sorted((tuple(link[:3]) for link in links), key=repr) == [
            ("https://shop.example.com", "7", 2),
            (None, "0", 1),
        ]
    assert contact_key("a", "ada") not in {
        row[0] for row in fetch_all(missing_location, "SELECT digest FROM erased_contact")
    }
    assert "ada" not in repr(fetch_all(missing_location, "SELECT * FROM link"))
    if not is_postgresql(missing_location):
        for file in Path(missing_location).iterdir():
            assert b"email=ada@" not in file.read_bytes(), file


async def test_events_of_earlier_stores_stay_duplicates_and_gain_their_type(missing_location: str) -> None:
    build(missing_location, {number for number, *_ in SQLITE if number < 22})
    time = f"to_timestamp({NOON}::numeric / 1000)" if is_postgresql(missing_location) else str(NOON)
    key = contact_key("a", "ada")
    contact = f"'\\x{key.hex()}'" if is_postgresql(missing_location) else "1"
    identity = earlier_event_identity("1")
    packed = (
        pack(">16sBqq", key, 1, NOON, identity)
        if is_postgresql(missing_location)
        else pack(">qBqq", 1, 1, NOON, identity)
    )
    keys = f"'\\x{packed.hex()}'" if is_postgresql(missing_location) else f"x'{packed.hex()}'"
    execute_sql(
        missing_location,
        f"INSERT INTO account (account_id, created_time) VALUES ('a', {time})",  # noqa: S608
        "INSERT INTO campaign_activity (account, campaign_activity_id) VALUES (1, 'm1')",
        f"INSERT INTO contact (account, contact_id, key) VALUES (1, 'ada', {contact})",  # noqa: S608
        "INSERT INTO tracking_activity (contact, type, created_time, identity, campaign_activity, event_id)"  # noqa: S608
        f" VALUES ({contact}, 1, {time}, {identity}, 1, '1')",
        f"INSERT INTO feed (account_id, keys) VALUES ('a', {keys})",  # noqa: S608
    )

    async with open_store(Settings(data=missing_location)) as store:
        events = [
            make_activity("ada", event_id="1"),
            make_activity("ada", event_id="1", after=1_000),
            make_activity("ada", ActivityType.EM_CLICKS, event_id="1"),
            make_activity("ada", event_id="1", campaign_activity_id="m2"),
        ]
        recorded = await record(store, *events)
        assert (sum(recorded.accepted.values()), recorded.duplicate) == (2, 2)
        assert (
            sum(did.event_id == "1" for did in [activity async for activity in store.activities.iterate("a", "ada")])
            == 3
        )
    ((stored,),) = fetch_all(missing_location, "SELECT keys FROM feed ORDER BY number LIMIT 1")
    ((migrated,),) = fetch_all(
        missing_location, "SELECT identity FROM tracking_activity WHERE type = 1 AND campaign_activity = 1"
    )
    assert migrated == event_identity("em_opens", "m1", "1")
    assert unpack(">q", bytes(stored)[-8:]) == (migrated,)


def test_addresses_of_earlier_stores_get_their_normal_form(missing_location: str) -> None:
    build(missing_location, {number for number, *_ in SQLITE if number < 23})
    time = f"to_timestamp({NOON}::numeric / 1000)" if is_postgresql(missing_location) else str(NOON)
    addresses = ["sud@xn--bcher-kva.example", "süd@BÜCHER.example", "Ada@Example.com"]
    keys = [f"'\\x0{number}'" if is_postgresql(missing_location) else str(number) for number in (1, 2, 3)]
    execute_sql(
        missing_location,
        f"INSERT INTO account (account_id, created_time) VALUES ('a', {time})",  # noqa: S608
        *(
            "INSERT INTO contact (account, contact_id, key, email_address)"  # noqa: S608
            f" VALUES (1, 'c{number}', {key}, '{address}')"
            for number, (key, address) in enumerate(zip(keys, addresses, strict=True))
        ),
    )
    open_and_close(missing_location)
    results = {address for (address,) in fetch_all(missing_location, "SELECT email_address FROM contact")}
    assert results == {"sud@bücher.example", "süd@bücher.example", "Ada@Example.com"}


def test_contacts_of_earlier_stores_are_found_by_any_part(missing_location: str) -> None:
    build(missing_location, {number for number, *_ in SQLITE if number < 24})
    time = f"to_timestamp({NOON}::numeric / 1000)" if is_postgresql(missing_location) else str(NOON)
    key = "'\\x01'" if is_postgresql(missing_location) else "1"
    execute_sql(
        missing_location,
        f"INSERT INTO account (account_id, created_time) VALUES ('a', {time})",  # noqa: S608
        "INSERT INTO contact (account, contact_id, key, email_address, last_name)"  # noqa: S608
        f" VALUES (1, 'c1', {key}, 'Ada.MÜLLER@Example.com', 'x')",
    )

    async def search() -> list[list[str]]:
        async with open_store(Settings(data=missing_location)) as store:
            return [
                [contact.contact_id for contact in await store.contacts.find_containing("a", text, 10)]
                for text in ("@example", "üll", "nobody")
            ]

    assert run_async(search()) == [["c1"], ["c1"], []]
