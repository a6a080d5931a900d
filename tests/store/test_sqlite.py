"""SQLite only: plans, failures of files, migrations."""

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
from rapport.sample import generate_sample
from rapport.settings import Settings
from rapport.store.batch import build_batch
from rapport.store.engines import create_store, open_store
from rapport.store.sqlite.activities import merge_ranges
from rapport.store.sqlite.connection import DATABASE, connect
from rapport.store.sqlite.migrations import MIGRATIONS, migrate
from rapport.store.sqlite.queries import SQL
from rapport.store.sqlite.reports import page_statement
from rapport.store.store import Store
from rapport.store.tracking import START_OF_REPORT, RowSelection, TrackingQuery
from tests.helpers.legacy import remove_contact_order, remove_rollups
from tests.helpers.loop import run_async
from tests.helpers.sql import fetch_all


@pytest.fixture(scope="module")
def sample_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a small sample."""
    data = tmp_path_factory.mktemp("sampled") / "data"

    async def fill() -> None:
        async with open_store(Settings(data=str(data))) as store:
            await store.ingest.record([build_batch("default", list(generate_sample(50, seed=1)))])

    run_async(fill())
    return data


@pytest.fixture
def folder(sample_directory: Path, tmp_path: Path) -> Path:
    """A copy of the sample directory for one test."""
    return shutil.copytree(sample_directory, tmp_path / "data")


def explain(connection: apsw.Connection, sql: str) -> list[str]:
    names = set(re.findall(r":(\w+)", sql))
    values: Any = (
        dict.fromkeys(names, 1)
        if names
        else (1,) * (max(map(int, re.findall(r"\?(\d)", sql)), default=0) or sql.count("?"))
    )
    return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]


@pytest.mark.parametrize("types", range(1, len(ActivityType) + 1))
@pytest.mark.parametrize("statement", ["list_newest_of_type", "list_with_details_of_type"])
def test_activity_page_plan_uses_primary_key_without_sort(folder: Path, statement: str, types: int) -> None:
    steps = explain(connect(folder, busy_timeout=1), merge_ranges(statement, types))
    ranges = [step for step in steps if "tracking_activity USING" in step]
    key = "PRIMARY KEY (contact=? AND type=? AND created_time>? AND (created_time,identity)<(?,?))"
    assert ranges == [f"SEARCH tracking_activity USING {key}"] * types
    assert not [step for step in steps if "TEMP B-TREE" in step or step.startswith("SCAN")]


CONTACT_REPORTS = ("count_by_type", "count_by_quarter_hour", "list_sent", "count_engagement")

PARTS_OF_PAGES = {"newest_first", "list_newest_of_type", "list_with_details_of_type"}

DELETIONS_OF_ACCOUNTS = {"delete_tombstones", "delete_feed"}
"""They read a whole table, once for an account that is deleted."""


@pytest.mark.parametrize(
    ("file", "name"),
    [
        (file, name)
        for file in ("accounts", "activities", "ingest", "rate_limits")
        for name in SQL[file]
        if name not in PARTS_OF_PAGES and name not in CONTACT_REPORTS and name not in DELETIONS_OF_ACCOUNTS
    ],
)
def test_no_plan_scans_table_or_sorts(folder: Path, file: str, name: str) -> None:
    sql = SQL[file][name]
    steps = explain(connect(folder, busy_timeout=1), sql)
    assert not [step for step in steps if "TEMP B-TREE" in step or re.match(r"SCAN \w+$", step)], steps


@pytest.mark.parametrize("name", SQL["permission"])
def test_permission_plans_use_primary_keys(folder: Path, name: str) -> None:
    connection = connect(folder, busy_timeout=1)
    steps = explain(connection, SQL["permission"][name])
    assert [step for step in steps if step.startswith("SEARCH contact USING INTEGER PRIMARY KEY")]
    assert not [step for step in steps if "TEMP B-TREE" in step or re.match(r"SCAN \w+$", step)], steps
    for step in steps:
        if "SEARCH activity" in step:
            assert "PRIMARY KEY (contact=? AND type=?)" in step


def test_link_count_plan_groups_in_index_order(folder: Path) -> None:
    connection = connect(folder, busy_timeout=1)
    steps = explain(connection, SQL["reports"]["group_links"])
    searches = [step for step in steps if step.startswith("SEARCH")]
    assert len(searches) == 2
    assert all("INDEX link_by_campaign_activity (campaign_activity=?" in step for step in searches), steps
    assert not [step for step in steps if "TEMP B-TREE" in step or re.match(r"SCAN \w+$", step)], steps
    values = {"links": apsw.carray(array("q", [1]))}
    named = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {SQL['reports']['name_links']}", values)]
    assert [step for step in named if "SEARCH link USING INTEGER PRIMARY KEY" in step], named


CONTACT_INDEXES = {
    "find_by_address": "contact_by_email_address (account=? AND email_address=?)",
    "count_by_address": "contact_by_email_address ",
    "find_by_update": "contact_by_update (account=? AND (updated_at,contact_id)>(?,?) AND updated_at<?)",
    "find": "contact_by_creation (account=? AND created_at>? AND (created_at,contact_id)<(?,?))",
    "find_by_opt_out": "contact_by_opt_out (account=? AND (opt_out_date,contact_id)>(?,?) AND opt_out_date<?)",
}


CONTACT_READS = ("get", "get_attributes", "count", "count_by_status", "list_ids", "find_any", "list_attributes")


@pytest.mark.parametrize("name", [*CONTACT_READS, *CONTACT_INDEXES])
def test_contact_list_plan_uses_index(folder: Path, name: str) -> None:
    steps = explain(connect(folder, busy_timeout=1), SQL["contacts"][name])
    index = CONTACT_INDEXES.get(name, "sqlite_autoindex_contact_1 ")
    if name in ("count_by_status", "find_by_address"):
        # Once over all ranges, in any order; and the few contacts with an address are sorted.
        steps = [step for step in steps if "TEMP B-TREE" not in step]
    used = re.compile(rf"SEARCH contact USING (COVERING )?INDEX {re.escape(index)}")
    assert [step for step in steps if used.match(step)], steps
    assert not [step for step in steps if "TEMP B-TREE" in step or step.startswith("SCAN")], steps


@pytest.mark.parametrize("name", ["find_members", "find_tagged_members"])
def test_member_page_plan_reads_range_without_sort(folder: Path, name: str) -> None:
    steps = explain(connect(folder, busy_timeout=1), SQL["contacts"][name])
    bounds = "(account=? AND type=? AND definition_id=? AND created_at>? AND (created_at,contact_id)<(?,?))"
    assert [step for step in steps if step == f"SEARCH membership USING PRIMARY KEY {bounds}"], steps
    assert [step for step in steps if step.startswith("SEARCH contact USING INTEGER PRIMARY KEY")], steps
    assert not [step for step in steps if "TEMP B-TREE" in step or step.startswith("SCAN membership")], steps
    if name == "find_tagged_members":
        index = "USING COVERING INDEX membership_by_contact (contact=? AND type=? AND definition_id=?)"
        assert [step for step in steps if step.startswith("SEARCH tagging") and step.endswith(index)], steps


@pytest.mark.parametrize("name", ["count_members", "count_tagged_members"])
def test_member_count_plan_reads_ranges(folder: Path, name: str) -> None:
    steps = explain(connect(folder, busy_timeout=1), SQL["contacts"][name])
    assert "SEARCH membership USING PRIMARY KEY (account=? AND type=? AND definition_id=?)" in steps


def test_definition_page_plan_reads_range_without_sort(folder: Path) -> None:
    steps = explain(connect(folder, busy_timeout=1), SQL["definitions"]["find"])
    bounds = "(account=? AND type=? AND (created_at,definition_id)<(?,?))"
    assert f"SEARCH definition USING INDEX definition_by_creation {bounds}" in steps
    assert not [step for step in steps if "TEMP B-TREE" in step], steps


@pytest.mark.parametrize("name", SQL["memberships"])
def test_membership_plans_use_keys(folder: Path, name: str) -> None:
    steps = explain(connect(folder, busy_timeout=1), SQL["memberships"][name])
    tables = ("contact", "membership", "tracking_activity")
    assert not [step for step in steps if re.match(rf"SCAN ({'|'.join(tables)})\b", step)], steps


WALKED_WHEN_ERASING = {"export_contacts", "list_unkeyed", "list_counted_links"}
"""Statements of copies and migrations, which look at every erased contact."""


@pytest.mark.parametrize("name", sorted(SQL["erasure"].keys() - WALKED_WHEN_ERASING))
def test_erasure_plans_use_indexes(folder: Path, name: str) -> None:
    steps = explain(connect(folder, busy_timeout=1), SQL["erasure"][name])
    walked = [step for step in steps if re.match(r"SCAN (?!requested|CONSTANT)", step)]
    assert not walked or name == "has_tombstones", steps


FOUND_BY = {
    "find_by_email_address_prefix": "contact_by_email_address",
    "find_by_first_name_prefix": "contact_by_name",
    "find_by_last_name_prefix": "contact_by_last_name",
    "find_by_full_name_prefix": "contact_by_name",
    "find_by_contact_id_prefix": "sqlite_autoindex_contact_1",
}


@pytest.mark.parametrize("name", FOUND_BY)
def test_contact_search_plan_uses_index_order(folder: Path, name: str) -> None:
    steps = explain(connect(folder, busy_timeout=1), SQL["contacts"][name])
    assert [step for step in steps if f"SEARCH contact USING INDEX {FOUND_BY[name]} " in step], steps
    assert not [step for step in steps if "TEMP B-TREE" in step or step.startswith("SCAN")], steps


@pytest.mark.parametrize("name", SQL["feed"])
def test_feed_plans_use_primary_key(folder: Path, name: str) -> None:
    sql = SQL["feed"][name].replace("carray(:account_ids)", "(:account_ids)")
    steps = explain(connect(folder, busy_timeout=1), sql)
    # The oldest is the first of a walk by the key, and whoever is erased is looked for in all that are held.
    walks = ("oldest", "find_by_contact")
    assert name in walks or not [step for step in steps if "TEMP B-TREE" in step or step.startswith("SCAN")], steps
    if name == "get_activity":
        key = "PRIMARY KEY (contact=? AND type=? AND created_time=? AND identity=?)"
        assert f"SEARCH tracking_activity USING {key}" in steps


@pytest.mark.parametrize("name", CONTACT_REPORTS)
def test_contact_report_plan_reads_primary_key_ranges(folder: Path, name: str) -> None:
    steps = explain(connect(folder, busy_timeout=1), SQL["activities"][name])
    read = [step for step in steps if "tracking_activity" in step]
    assert read
    assert all("tracking_activity USING PRIMARY KEY (contact=? AND type=?" in step for step in read), steps


@pytest.mark.parametrize("name", ["next_campaign_activities", "get_contact_id", "stored_stats", "clear_engagement"])
def test_recount_plan_walks_primary_keys(folder: Path, name: str) -> None:
    steps = explain(connect(folder, busy_timeout=1), SQL["verification"][name])
    assert not [step for step in steps if "TEMP B-TREE" in step or re.match(r"SCAN \w+$", step)], steps


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("differing_engagement", "type"),
        ("differing_bounced_contact", "bounce_code"),
        ("differing_clicked_link", "link"),
    ],
)
def test_recount_plan_compares_rows_by_primary_key(folder: Path, name: str, key: str) -> None:
    steps = explain(connect(folder, busy_timeout=1), SQL["verification"][name])
    assert f"SEARCH stored USING PRIMARY KEY (campaign_activity=? AND {key}=? AND contact=?) LEFT-JOIN" in steps, steps
    assert "SEARCH stored USING PRIMARY KEY (campaign_activity=?)" in steps
    assert "SEARCH activity USING PRIMARY KEY (contact=? AND type=?)" in steps


SELECTIONS = [
    (),
    ("by_link",),
    ("by_bounce_code",),
    ("by_contact",),
    *((each.value,) for each in RowSelection if each is not RowSelection.ALL),
]


@pytest.mark.parametrize("selections", SELECTIONS)
def test_tracking_page_plan_uses_index_without_sort(folder: Path, selections: tuple[str, ...]) -> None:
    steps = explain(connect(folder, busy_timeout=1), page_statement(selections))
    place = "(created_time,contact_order,contact,identity)<(?,?,?,?)"
    key = f"(campaign_activity=? AND type=? AND created_time>? AND {place})"
    # From the index alone, also what is selected by; what is shown is then looked up, row by row.
    assert f"SEARCH candidate USING COVERING INDEX tracking_activity_by_campaign_activity {key}" in steps
    assert "SEARCH activity USING PRIMARY KEY (contact=? AND type=? AND created_time=? AND identity=?)" in steps
    assert not [step for step in steps if "TEMP B-TREE" in step or re.match(r"SCAN (?!found|carray)", step)], steps
    # What each row is compared with is found by a primary key as well.
    compared = [step for step in steps if step.startswith(("SEARCH engagement", "SEARCH same_time", "SEARCH later"))]
    assert all("USING PRIMARY KEY (" in step for step in compared), steps
    assert bool(compared) is (selections in SELECTIONS[4:])


PARTS = {"tracking_page", *(part for selections in SELECTIONS for part in selections)}


STATS = (
    *("get_activity_stats", "get_campaign_stats", "list_sent_campaigns", "list_recent_sends"),
    *("count_activity_by_hour", "count_account_by_hour"),
)


@pytest.mark.parametrize("name", sorted(SQL["reports"].keys() - PARTS - set(STATS)))
def test_tracking_page_plan_looks_up_details_by_primary_key(folder: Path, name: str) -> None:
    connection = connect(folder, busy_timeout=1)
    sql = re.sub(r"carray\(:\w+\)", "carray(x'')", SQL["reports"][name])
    steps = explain(connection, sql.replace("carray(x'')", "(SELECT 1 AS value)"))
    assert not [step for step in steps if "B-TREE FOR ORDER" in step or "tracking_activity_by_campaign" in step], steps
    assert not [step for step in steps if re.match(r"SCAN (?!requested|CONSTANT|\()", step)], steps


@pytest.mark.parametrize("name", ["count_activity_by_hour", "count_account_by_hour", "list_recent_sends"])
def test_hourly_count_plan_reads_counter_ranges(folder: Path, name: str) -> None:
    steps = explain(connect(folder, busy_timeout=1), SQL["reports"][name])
    key = {
        "count_activity_by_hour": "campaign_activity_hour USING PRIMARY KEY (campaign_activity=?)",
        "count_account_by_hour": "campaign_activity_hour USING PRIMARY KEY (campaign_activity=? AND hour>? AND hour<?)",
        "list_recent_sends": "campaign_activity_stats USING PRIMARY KEY (campaign_activity=? AND type=? AND detail=?)",
    }[name]
    assert f"SEARCH {key}" in steps, steps
    assert not [step for step in steps if step.startswith("SCAN")], steps


def test_statement_is_prepared_once_for_all_values(folder: Path) -> None:
    connection = connect(folder, busy_timeout=1)
    params: list[int] = []

    def authorize(operation: int, *_: object) -> int:
        params.append(operation)
        return apsw.SQLITE_OK

    # SQLite calls the authorizer only while it prepares a statement.
    connection.set_authorizer(authorize)
    sql = merge_ranges("list_newest_of_type", 3)
    for contact in range(1, 20):
        values = {"type_0": 0, "type_1": 1, "type_2": 2, "contact": contact, "not_before": 0, "limit": 10}
        connection.execute(sql, {**values, "after_time": 2**62 + contact, "after_identity": contact}).fetchall()
        if contact == 1:
            assert params
            params.clear()
    assert not params


def test_views_name_all_stored_enum_values(folder: Path) -> None:
    connection = connect(folder, busy_timeout=1)
    views = {
        "activity_type": list(enumerate(TYPE_NAMES)),
        "device_type": [(int(device), name) for name, device in DEVICE_TYPES.items()],
    }
    for view, names in views.items():
        sql = f"SELECT number, name FROM {view} ORDER BY number"  # noqa: S608 - constant names
        assert connection.execute(sql).fetchall() == names
    codes = connection.execute("SELECT number, code FROM bounce_code ORDER BY number").fetchall()
    assert codes == [(int(code), name) for name, code in BOUNCE_CODES.items()]


async def test_first_profile_of_contact_has_no_profile_row(folder: Path) -> None:
    activities = list(generate_sample(50, seed=1))
    moved = replace(activities[0], event_id="moved", person=ContactProfile(email_address="moved@example.com"))
    activities.append(moved)
    people = {(activity.contact_id, activity.person) for activity in activities if activity.person is not None}
    firsts = {contact_id for contact_id, _ in people}

    async def histories() -> list[list[Activity]]:
        async with open_store(Settings(data=str(folder))) as store:
            await store.ingest.record([build_batch("default", activities)])
            return [
                [activity async for activity in store.activities.iterate("default", contact_id)]
                for contact_id in sorted(firsts)
            ]

    before = await histories()
    remove_rollups(str(folder))
    assert fetch_all(str(folder), "SELECT count(*) FROM person") == [(len(people),)]
    assert (await histories()) == before
    with_rows = fetch_all(str(folder), "SELECT contact_id FROM person JOIN contact ON contact.key = person.contact")
    assert set(with_rows) == {(moved.contact_id,)}


def test_recording_is_blocked_during_migration(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    remove_rollups(str(tmp_path))
    seen: set[object] = set()

    def look(*_: object) -> int:
        seen.update(fetch_all(str(tmp_path), "SELECT max(number) FROM schema_migration"))
        return apsw.SQLITE_OK

    connection = connect(tmp_path, busy_timeout=1)
    connection.set_wal_hook(look)
    migrate(connection)
    connection.close()
    assert seen <= {(3,), (MIGRATIONS[-1][0],)}


async def test_newer_schema_is_refused_with_instructions(folder: Path) -> None:
    connect(folder, busy_timeout=1).execute("INSERT INTO schema_migration (number, name) VALUES (9999, 'the_future')")
    with pytest.raises(SchemaTooNew, match=r"9999.*install"):
        await create_store(Settings(data=str(folder))).open()


async def test_concurrent_opens_of_empty_directory_create_one_schema(tmp_path: Path) -> None:
    async def _open_and_close(store: Store) -> None:
        await store.open()
        await store.close()

    stores = [create_store(Settings(data=str(tmp_path / "data"))) for _ in range(8)]
    await asyncio.gather(*(asyncio.to_thread(asyncio.run, _open_and_close(store)) for store in stores))
    steps = connect(tmp_path / "data", busy_timeout=1).execute("SELECT number FROM schema_migration").fetchall()
    assert steps == [(number,) for number, _, _ in MIGRATIONS]


async def test_unusable_directory_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    with pytest.raises(StoreUnavailable, match="data directory"):
        await create_store(Settings(data=str(tmp_path / "file" / "data"))).open()


async def test_file_that_is_not_a_database_is_reported(tmp_path: Path) -> None:
    (tmp_path / DATABASE).write_bytes(b"not a database at all" * 1_000)
    with pytest.raises(StoreUnavailable, match="database"):
        await create_store(Settings(data=str(tmp_path))).open()


async def test_reader_does_not_wait_for_writer(folder: Path) -> None:
    async with open_store(Settings(data=str(folder))) as store:
        with contextlib.closing(connect(folder, busy_timeout=1)) as writing:
            writing.execute("BEGIN IMMEDIATE")
            async with asyncio.timeout(0.5):
                assert await store.contacts.has_any("default")


async def test_migration_gives_equal_times_a_stable_order(tmp_path: Path) -> None:
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
            await store.ingest.record([build_batch("a", activities)])

    async def contact_ids(data: str) -> list[str]:
        async with open_store(Settings(data=data)) as store:
            rows = await store.reports.list_tracking("a", "m", query)
            assert rows is not None
            return [row.contact_id for row in rows]

    await record(old, together[::-1])
    remove_contact_order(old)
    await record(new, together)
    assert (await contact_ids(old)) == (await contact_ids(new))


@pytest.mark.parametrize(
    "question",
    [
        "SELECT type, count(*) FROM activity GROUP BY type",
        "SELECT campaign_activity_name, count(*) FROM activity WHERE type = 'em_opens' GROUP BY 1",
        "SELECT substr(created_time, 1, 10), count(*) FROM activity GROUP BY 1",
        "SELECT contact_id, count(*) FROM activity GROUP BY 1",
    ],
)
def test_questions_about_all_activities_are_covered_by_an_index(folder: Path, question: str) -> None:
    steps = explain(connect(folder, busy_timeout=1), question)
    (activities,) = [step for step in steps if "tracking_activity" in step]
    assert "USING COVERING INDEX" in activities


def test_columns_of_the_view_have_types(folder: Path) -> None:
    columns = list(connect(folder, busy_timeout=1).execute("SELECT name, type FROM pragma_table_info('activity')"))
    assert len(columns) == 16
    assert {column_type for _, column_type in columns} == {"TEXT"}


def test_search_plan_uses_trigram_index(folder: Path) -> None:
    steps = explain(connect(folder, busy_timeout=1), SQL["contacts"]["find_containing"])
    assert [step for step in steps if step.startswith("SCAN contact_search VIRTUAL TABLE INDEX 0:M")]
    assert [step for step in steps if step == "SEARCH contact USING INTEGER PRIMARY KEY (rowid=?)"]


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("has_merges", "merged_contact"),
        ("get_target", "PRIMARY KEY (account=? AND contact_id=?)"),
        ("list_old_ids", "merged_contact_by_target (account=? AND merged_into=?)"),
        ("list", "PRIMARY KEY (account=? AND contact_id>?)"),
        ("list_activities", "SEARCH tracking_activity USING PRIMARY KEY (contact=?)"),
        ("list_keys", "SEARCH tracking_activity USING PRIMARY KEY (contact=?)"),
        ("recount_last_time", "tracking_activity_by_campaign_activity (campaign_activity=? AND type=?)"),
    ],
)
def test_merge_plans_use_indexes(folder: Path, name: str, index: str) -> None:
    steps = explain(connect(folder, busy_timeout=1), SQL["merges"][name])
    assert [step for step in steps if index in step], steps
