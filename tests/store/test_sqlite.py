"""What only the embedded store has: plans, the file's failures, its schema."""

import asyncio
import contextlib
import re
import shutil
from array import array
from pathlib import Path
from typing import Any

import apsw
import pytest
from msgspec.structs import replace

from rapport.activity import BOUNCE_CODES, DEVICE_TYPES, EARLIEST, TYPE_NAMES, Activity, ActivityType, ContactProfile
from rapport.errors import SchemaTooNew, StoreUnavailable
from rapport.instant import Instant
from rapport.sample import sample
from rapport.settings import Settings
from rapport.store.batch import build_batch
from rapport.store.engines import create_store, open_store
from rapport.store.protocol import Store
from rapport.store.sqlite import (
    campaign_reader,
    contact_reader,
    contact_reports,
    counter_reader,
    erasing,
    feed,
    finder,
    permission,
    reader,
    recount,
    write,
)
from rapport.store.sqlite.connection import DATABASE, connect
from rapport.store.sqlite.migrations import STEPS, migrate
from rapport.store.tracking import START_OF_REPORT, RowSelection, TrackingQuery
from tests.store.by_hand import params
from tests.store.earlier import without_contact_order, without_roll_ups


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a small sample in it."""
    data = tmp_path_factory.mktemp("sampled") / "data"

    async def fill() -> None:
        async with open_store(Settings(data=str(data))) as store:
            await store.record([build_batch("default", list(sample(50, seed=1)))])

    asyncio.run(fill())
    return data


@pytest.fixture
def folder(sampled: Path, tmp_path: Path) -> Path:
    """A copy of it, to do with as one likes."""
    return shutil.copytree(sampled, tmp_path / "data")


def plan(connection: apsw.Connection, sql: str) -> list[str]:
    names = set(re.findall(r":(\w+)", sql))
    values: Any = dict.fromkeys(names, 1) if names else (1,) * sql.count("?")
    return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]


@pytest.mark.parametrize("types", range(1, len(ActivityType) + 1))
@pytest.mark.parametrize("statement", ["activities_of_type", "whole_activities_of_type"])
def test_a_page_is_a_merge_of_ranges_of_the_clustered_key_without_a_sort(
    folder: Path, statement: str, types: int
) -> None:
    steps = plan(connect(folder, patience=1), reader.merged(statement, types))
    ranges = [step for step in steps if "tracking_activity USING" in step]
    key = "PRIMARY KEY (contact=? AND type=? AND created_time>? AND (created_time,identity)<(?,?))"
    assert ranges == [f"SEARCH tracking_activity USING {key}"] * types
    assert not [step for step in steps if "TEMP B-TREE" in step or step.startswith("SCAN")]


@pytest.mark.parametrize("name", [*write.SQL, *(name for name in reader.SQL if not name.endswith("_of_type"))])
def test_no_statement_scans_a_table_or_sorts(folder: Path, name: str) -> None:
    sql = {**reader.SQL, **write.SQL}[name]
    if name in {"newest_first", "readable"}:
        return
    steps = plan(connect(folder, patience=1), sql)
    assert not [step for step in steps if "TEMP B-TREE" in step or re.match(r"SCAN \w+$", step)], steps


@pytest.mark.parametrize("name", permission.SQL)
def test_permissions_are_read_and_written_by_the_primary_keys(folder: Path, name: str) -> None:
    connection = connect(folder, patience=1)
    steps = plan(connection, permission.SQL[name])
    assert [step for step in steps if step.startswith("SEARCH contact USING INTEGER PRIMARY KEY")]
    assert not [step for step in steps if "TEMP B-TREE" in step or re.match(r"SCAN \w+$", step)], steps
    for step in steps:
        if "did" in step:
            assert "PRIMARY KEY (contact=? AND type=?)" in step


def test_links_are_grouped_in_the_order_of_their_index_and_named_by_their_key(folder: Path) -> None:
    connection = connect(folder, patience=1)
    steps = plan(connection, campaign_reader.SQL["link_groups"])
    searches = [step for step in steps if step.startswith("SEARCH")]
    assert len(searches) == 2
    assert all("INDEX link_by_campaign_activity (campaign_activity=?" in step for step in searches), steps
    assert not [step for step in steps if "TEMP B-TREE" in step or re.match(r"SCAN \w+$", step)], steps
    values = {"links": apsw.carray(array("q", [1]))}
    named = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {campaign_reader.SQL['link_names']}", values)]
    assert [step for step in named if "SEARCH link USING INTEGER PRIMARY KEY" in step], named


CONTACT_INDEXES = {
    "contacts_of_address": "contact_by_email_address (account=? AND email_address=? AND contact_id>?)",
    "count_of_address": "contact_by_email_address ",
    "contacts_by_update": "contact_by_update (account=? AND (updated_at,contact_id)>(?,?) AND updated_at<?)",
    "contacts_by_creation": "contact_by_creation (account=? AND (created_at,contact_id)>(?,?) AND created_at<?)",
    "contacts_by_opt_out": "contact_by_opt_out (account=? AND (opt_out_date,contact_id)>(?,?) AND opt_out_date<?)",
}


@pytest.mark.parametrize("name", contact_reader.SQL)
def test_contacts_are_read_by_an_index(folder: Path, name: str) -> None:
    steps = plan(connect(folder, patience=1), contact_reader.SQL[name])
    index = CONTACT_INDEXES.get(name, "sqlite_autoindex_contact_1 ")
    if name == "count_by_status":
        # Once over all, whatever the order.
        steps = [step for step in steps if "TEMP B-TREE" not in step]
    used = re.compile(rf"SEARCH contact USING (COVERING )?INDEX {re.escape(index)}")
    assert [step for step in steps if used.match(step)], steps
    assert not [step for step in steps if "TEMP B-TREE" in step or step.startswith("SCAN")], steps


WALKED_WHEN_ERASING = {"erased_contacts", "every_erased", "counted_links"}
"""Statements of copies and migrations, which look at every erased contact."""


@pytest.mark.parametrize("name", sorted(erasing.SQL.keys() - WALKED_WHEN_ERASING))
def test_erasure_finds_what_it_changes_by_an_index(folder: Path, name: str) -> None:
    steps = plan(connect(folder, patience=1), erasing.SQL[name])
    walked = [step for step in steps if re.match(r"SCAN (?!wanted|CONSTANT)", step)]
    assert not walked or name == "are_any", steps


FOUND_BY = {
    "contacts_by_email_address": "contact_by_email_address",
    "contacts_by_first_name": "contact_by_name",
    "contacts_by_last_name": "contact_by_last_name",
    "contacts_by_both_names": "contact_by_name",
    "contacts_by_contact_id": "sqlite_autoindex_contact_1",
}


@pytest.mark.parametrize("name", FOUND_BY)
def test_contacts_are_found_by_an_index_in_its_order(folder: Path, name: str) -> None:
    steps = plan(connect(folder, patience=1), finder.SQL[name])
    assert [step for step in steps if f"SEARCH contact USING INDEX {FOUND_BY[name]} " in step], steps
    assert not [step for step in steps if "TEMP B-TREE" in step or step.startswith("SCAN")], steps


@pytest.mark.parametrize("name", feed.SQL)
def test_the_feed_is_written_and_read_by_its_keys(folder: Path, name: str) -> None:
    sql = feed.SQL[name].replace("carray(:account_ids)", "(:account_ids)")
    steps = plan(connect(folder, patience=1), sql)
    # The oldest is the first of a walk by the key, and whoever is erased is looked for in all that are held.
    walks = ("oldest", "of_contact")
    assert name in walks or not [step for step in steps if "TEMP B-TREE" in step or step.startswith("SCAN")], steps
    if name == "activity":
        key = "PRIMARY KEY (contact=? AND type=? AND created_time=? AND identity=?)"
        assert f"SEARCH tracking_activity USING {key}" in steps


@pytest.mark.parametrize("name", contact_reports.SQL)
def test_a_report_on_a_contact_reads_its_ranges_of_the_clustered_key_only(folder: Path, name: str) -> None:
    steps = plan(connect(folder, patience=1), contact_reports.SQL[name])
    read = [step for step in steps if "tracking_activity" in step]
    assert read
    assert all("tracking_activity USING PRIMARY KEY (contact=? AND type=?" in step for step in read), steps


@pytest.mark.parametrize("name", ["next_campaign_activities", "contact_id", "standing_stats", "clear_engagement"])
def test_a_recount_walks_by_the_keys(folder: Path, name: str) -> None:
    steps = plan(connect(folder, patience=1), recount.SQL[name])
    assert not [step for step in steps if "TEMP B-TREE" in step or re.match(r"SCAN \w+$", step)], steps


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("differing_engagement", "type"),
        ("differing_bounced_contact", "bounce_code"),
        ("differing_clicked_link", "link"),
    ],
)
def test_a_recount_compares_row_by_row_by_the_keys(folder: Path, name: str, key: str) -> None:
    steps = plan(connect(folder, patience=1), recount.SQL[name])
    assert f"SEARCH stands USING PRIMARY KEY (campaign_activity=? AND {key}=? AND contact=?) LEFT-JOIN" in steps, steps
    assert "SEARCH stands USING PRIMARY KEY (campaign_activity=?)" in steps
    assert "SEARCH did USING PRIMARY KEY (contact=? AND type=?)" in steps


SELECTIONS = [
    (),
    ("of_links",),
    ("of_bounce_codes",),
    ("of_contacts",),
    *((each.value,) for each in RowSelection if each is not RowSelection.EVERY),
]


@pytest.mark.parametrize("selections", SELECTIONS)
def test_a_page_of_a_campaign_activity_is_one_range_of_its_index_without_a_sort(
    folder: Path, selections: tuple[str, ...]
) -> None:
    steps = plan(connect(folder, patience=1), campaign_reader.page_of(selections))
    place = "(created_time,contact_order,contact,identity)<(?,?,?,?)"
    key = f"(campaign_activity=? AND type=? AND created_time>? AND {place})"
    # From the index alone, also what is selected by; what is shown is then looked up, row by row.
    assert f"SEARCH chosen USING COVERING INDEX tracking_activity_by_campaign_activity {key}" in steps
    assert "SEARCH did USING PRIMARY KEY (contact=? AND type=? AND created_time=? AND identity=?)" in steps
    assert not [step for step in steps if "TEMP B-TREE" in step or re.match(r"SCAN (?!found|carray)", step)], steps
    # What each row is compared with is found by a primary key as well.
    compared = [step for step in steps if step.startswith(("SEARCH engagement", "SEARCH tie", "SEARCH later"))]
    assert all("USING PRIMARY KEY (" in step for step in compared), steps
    assert bool(compared) is (selections in SELECTIONS[4:])


PARTS = {"tracking_page", *(part for selections in SELECTIONS for part in selections)}


@pytest.mark.parametrize("name", sorted(campaign_reader.SQL.keys() - PARTS))
def test_what_a_page_of_a_campaign_activity_needs_besides_is_looked_up(folder: Path, name: str) -> None:
    connection = connect(folder, patience=1)
    sql = re.sub(r"carray\(:\w+\)", "carray(x'')", campaign_reader.SQL[name])
    steps = plan(connection, sql.replace("carray(x'')", "(SELECT 1 AS value)"))
    assert not [step for step in steps if "B-TREE FOR ORDER" in step or "tracking_activity_by_campaign" in step], steps
    assert not [step for step in steps if re.match(r"SCAN (?!wanted|CONSTANT|\()", step)], steps


@pytest.mark.parametrize("name", ["hours_of_campaign_activity", "hours_of_account", "newest_sent"])
def test_what_happened_when_is_read_by_ranges_of_the_counts(folder: Path, name: str) -> None:
    steps = plan(connect(folder, patience=1), counter_reader.SQL[name])
    key = {
        "hours_of_campaign_activity": "campaign_activity_hour USING PRIMARY KEY (campaign_activity=?)",
        "hours_of_account": "campaign_activity_hour USING PRIMARY KEY (campaign_activity=? AND hour>? AND hour<?)",
        "newest_sent": "campaign_activity_stats USING PRIMARY KEY (campaign_activity=? AND type=? AND detail=?)",
    }[name]
    assert f"SEARCH {key}" in steps, steps
    assert not [step for step in steps if step.startswith("SCAN")], steps


def test_changed_values_do_not_prepare_a_statement_anew(folder: Path) -> None:
    connection = connect(folder, patience=1)
    params: list[int] = []

    def authorize(operation: int, *_: object) -> int:
        params.append(operation)
        return apsw.SQLITE_OK

    # SQLite asks the authorizer while it prepares a statement, and at no other time.
    connection.set_authorizer(authorize)
    sql = reader.merged("activities_of_type", 3)
    for contact in range(1, 20):
        values = {"type_0": 0, "type_1": 1, "type_2": 2, "contact": contact, "not_before": 0, "limit": 10}
        connection.execute(sql, {**values, "after_time": 2**62 + contact, "after_identity": contact}).fetchall()
        if contact == 1:
            assert params
            params.clear()
    assert not params


def test_the_views_name_the_numbers_that_are_stored(folder: Path) -> None:
    connection = connect(folder, patience=1)
    views = {
        "activity_type": list(enumerate(TYPE_NAMES)),
        "device_type": [(int(device), name) for name, device in DEVICE_TYPES.items()],
    }
    for view, names in views.items():
        sql = f"SELECT number, name FROM {view} ORDER BY number"  # noqa: S608 - the two names above
        assert connection.execute(sql).fetchall() == names
    codes = connection.execute("SELECT number, code FROM bounce_code ORDER BY number").fetchall()
    assert codes == [(int(code), name) for name, code in BOUNCE_CODES.items()]


def test_what_is_said_first_of_a_contact_has_no_row_of_its_own_nor_has_it_in_an_earlier_store(folder: Path) -> None:
    activities = list(sample(50, seed=1))
    moved = replace(activities[0], event_id="moved", person=ContactProfile(email_address="moved@example.com"))
    activities.append(moved)
    people = {(each.contact_id, each.person) for each in activities if each.person is not None}
    firsts = {contact_id for contact_id, _ in people}

    async def histories() -> list[list[Activity]]:
        async with open_store(Settings(data=str(folder))) as store:
            await store.record([build_batch("default", activities)])
            return [[each async for each in store.history("default", contact_id)] for contact_id in sorted(firsts)]

    before = asyncio.run(histories())
    without_roll_ups(str(folder))
    assert params(str(folder), "SELECT count(*) FROM person") == [(len(people),)]
    assert asyncio.run(histories()) == before
    with_rows = params(str(folder), "SELECT contact_id FROM person JOIN contact ON contact.key = person.contact")
    assert set(with_rows) == {(moved.contact_id,)}


def test_nobody_can_record_between_two_steps_to_the_next_schema(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    without_roll_ups(str(tmp_path))
    seen: set[object] = set()

    def look(*_: object) -> int:
        seen.update(params(str(tmp_path), "SELECT max(number) FROM schema_migration"))
        return apsw.SQLITE_OK

    connection = connect(tmp_path, patience=1)
    connection.set_wal_hook(look)
    migrate(connection)
    connection.close()
    assert seen <= {(3,), (STEPS[-1][0],)}


def test_a_newer_schema_is_refused_with_what_to_do(folder: Path) -> None:
    connect(folder, patience=1).execute("INSERT INTO schema_migration (number, name) VALUES (9999, 'the_future')")
    with pytest.raises(SchemaTooNew, match=r"9999.*install"):
        asyncio.run(create_store(Settings(data=str(folder))).open())


def test_many_who_open_an_empty_directory_at_once_make_one_schema(tmp_path: Path) -> None:
    async def open_all() -> None:
        stores = [create_store(Settings(data=str(tmp_path / "data"))) for _ in range(8)]
        await asyncio.gather(*(asyncio.to_thread(asyncio.run, _open_and_close(store)) for store in stores))

    async def _open_and_close(store: Store) -> None:
        await store.open()
        await store.close()

    asyncio.run(open_all())
    steps = connect(tmp_path / "data", patience=1).execute("SELECT number FROM schema_migration").fetchall()
    assert steps == [(number,) for number, _, _ in STEPS]


def test_a_directory_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    with pytest.raises(StoreUnavailable, match="data directory"):
        asyncio.run(create_store(Settings(data=str(tmp_path / "file" / "data"))).open())


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / DATABASE).write_bytes(b"not a database at all" * 1_000)
    with pytest.raises(StoreUnavailable, match="database"):
        asyncio.run(create_store(Settings(data=str(tmp_path))).open())


def test_a_reader_does_not_wait_for_a_writer(folder: Path) -> None:
    async def look() -> bool:
        async with open_store(Settings(data=str(folder))) as store:
            with contextlib.closing(connect(folder, patience=1)) as writing:
                writing.execute("BEGIN IMMEDIATE")
                async with asyncio.timeout(0.5):
                    return await store.has_contacts("default")

    assert asyncio.run(look())


def test_activities_with_equal_times_have_one_order_in_an_older_store(tmp_path: Path) -> None:
    new, old = str(tmp_path / "new"), str(tmp_path / "old")
    together = [
        Activity(
            contact_id=f"c{number}",
            campaign_activity_id="m",
            type=ActivityType.EM_SENDS,
            created_time=Instant(1_767_268_800_000 + number // 500),
        )
        for number in range(1_000)
    ]
    query = TrackingQuery(type=ActivityType.EM_SENDS, after=START_OF_REPORT, not_before=EARLIEST, limit=1_000)

    async def record(data: str, activities: list[Activity]) -> None:
        async with open_store(Settings(data=data)) as store:
            await store.record([build_batch("a", activities)])

    async def contact_ids(data: str) -> list[str]:
        async with open_store(Settings(data=data)) as store:
            rows = await store.tracking("a", "m", query)
            assert rows is not None
            return [row.contact_id for row in rows]

    asyncio.run(record(old, together[::-1]))
    without_contact_order(old)
    asyncio.run(record(new, together))
    assert asyncio.run(contact_ids(old)) == asyncio.run(contact_ids(new))
