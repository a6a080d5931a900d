"""PostgreSQL only: plans, outages, several servers on one database."""

import asyncio
import json
import random
import re
import signal
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import Any

import asyncpg
import httpx
import pytest

from rapport.activity import EARLIEST, Activity, ActivityType, ContactProfile, DeviceType, Link
from rapport.errors import SchemaTooNew, StoreUnavailable
from rapport.instant import Instant
from rapport.sample import generate_sample
from rapport.settings import Settings
from rapport.store.batch import build_batch
from rapport.store.contacts import ContactQuery
from rapport.store.engines import create_store, open_store
from rapport.store.postgres import reports
from rapport.store.postgres.activities import merge_ranges
from rapport.store.postgres.citus.queries import CLUSTER
from rapport.store.postgres.contact_search import get_search_query
from rapport.store.postgres.pool import Pool, TimedOut
from rapport.store.postgres.queries import PARAM_NAMES, SQL
from rapport.store.tracking import START_OF_REPORT, RowSelection, TrackingQuery
from tests.helpers.api import make_line
from tests.helpers.legacy import (
    APPLICATIONS,
    DEFINITIONS,
    HOOKS,
    MERGES,
    PERMISSION_MIGRATION,
    POSTGRESQL_SEARCH,
    USERS,
)
from tests.helpers.loop import run_async
from tests.helpers.network import find_free_port
from tests.helpers.postgres import Databases, PostgresServer
from tests.helpers.server import Server
from tests.helpers.sql import execute_sql
from tests.helpers.waiting import wait_until

# Large enough that sorting it is expensive.
A_LARGE_CAMPAIGN_ACTIVITY = """
INSERT INTO tracking_activity (created_time, identity, campaign_activity, link, type, bounce_code, contact)
SELECT '2026-01-01'::timestamptz + n * interval '1 s', n, n % 3, n % 20, n % 6, n % 7, decode(md5(n::text), 'hex')
FROM generate_series(1, 100000) AS numbered (n);
INSERT INTO engagement (campaign_activity, type, contact, activities, last_time)
SELECT campaign_activity, type, contact, 1, created_time FROM tracking_activity;
INSERT INTO account (account_id, created_time) VALUES ('of all', '2026-01-01');
INSERT INTO contact (key, account, contact_id)
SELECT contact, (SELECT key FROM account WHERE account_id = 'of all'), encode(contact, 'hex') FROM tracking_activity
"""

HOURS_OF_MANY = """
INSERT INTO account (account_id, created_time) SELECT 'a' || n, '2026-01-01' FROM generate_series(1, 50) AS made (n);
INSERT INTO campaign_activity (account, campaign_activity_id) SELECT key, 'm' FROM account;
INSERT INTO campaign_activity_hour (campaign_activity, hour, type, bucket, total)
SELECT key, '2026-01-01'::timestamptz + n * interval '1 hour', 1, 'x', 1
FROM campaign_activity, generate_series(1, 1000) AS made (n)
"""


@pytest.fixture
def database_url(postgres_url: str) -> Iterator[str]:
    """URL of an empty schema."""
    with Databases(postgres_url).migrated_schema() as url:
        yield url


@pytest.fixture(scope="module")
def sample_database_url(postgres_url: str) -> Iterator[str]:
    """URL of a store with a sample and a feed of many transactions, for tests of plans."""
    with Databases(postgres_url).migrated_schema() as url:
        run_async(record_history(url, generate_sample(2_000, seed=1)))
        execute_sql(url, *["INSERT INTO feed (account_id, keys) SELECT 'a', '' FROM generate_series(1, 9)"] * 500)
        execute_sql(url, "ANALYZE")
        yield url


@pytest.fixture(scope="module")
def large_database_url(postgres_url: str) -> Iterator[str]:
    """URL of a store with campaign activities that are expensive to sort."""
    with Databases(postgres_url).migrated_schema() as url:
        run_async(record_history(url, []))
        execute_sql(url, A_LARGE_CAMPAIGN_ACTIVITY, HOURS_OF_MANY, "ANALYZE")
        yield url


def walk_plan(plan: dict[str, object]) -> Iterator[dict[str, object]]:
    yield plan
    for child in plan.get("Plans", []):  # type: ignore[attr-defined]
        yield from walk_plan(child)


async def record_history(database_url: str, history: Iterable[Activity]) -> None:
    async with open_store(Settings(data=database_url)) as store:
        await store.ingest.record([build_batch("default", list(history))])


async def explain(database_url: str, statement: str, types: str, values: str) -> list[dict[str, object]]:
    """Return the nodes of the statement's generic plan."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("SET plan_cache_mode = force_generic_plan")
        await connection.execute(f"PREPARE explained ({types}) AS {statement}")
        plan = await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE explained ({values})")
    finally:
        await connection.close()
    return list(walk_plan(json.loads(plan)[0]["Plan"]))


PARAMS = {
    "account_id": ("text", "'default'"),
    "after": ("text", "''"),
    "after_id": ("text", "''"),
    "campaign_activity_id": ("text", "'m'"),
    "contact": ("bytea", "'x'"),
    "definition_id": ("text", "'l'"),
    "email_address": ("text", "'x'"),
    "first_name": ("text", "'Ada'"),
    "limit": ("int", "51"),
    "name": ("text", "NULL"),
    "status_bits": ("int", "255"),
    "tags": ("text[]", "ARRAY['t']"),
    "type": ("smallint", "0"),
    "with_current": ("int", "1"),
    "with_deleted": ("int", "1"),
}
"""Types and values of parameters by name; all others are times."""

NO_FILTERS = {"email_address": "NULL", "updated_after": "NULL", "opted_out_after": "NULL"}


async def explain_query(database_url: str, query: str, **values: str) -> list[dict[str, object]]:
    """Return the nodes of the generic plan of a query with named parameters."""
    time = "timestamptz", "'2026-01-02'"
    params = [
        ("text", values[name]) if name in ("start", "end") and name in values else PARAMS.get(name, time)
        for name in PARAM_NAMES[query]
    ]
    given = [values.get(name, value) for name, (_, value) in zip(PARAM_NAMES[query], params, strict=True)]
    return await explain(database_url, query, ", ".join(kind for kind, _ in params), ", ".join(given))


@pytest.mark.parametrize("types", range(1, len(ActivityType) + 1))
async def test_activity_page_plan_uses_primary_key_without_sort(sample_database_url: str, types: int) -> None:
    parameters = ["bytea", "timestamptz", "timestamptz", "bigint", "bigint", *["smallint"] * types]
    values = ["'x'", "'2020-01-01'", "'2030-01-01'", "0", "101", *map(str, range(types))]
    plan = await explain(
        sample_database_url, merge_ranges("list_newest", types), ", ".join(parameters), ", ".join(values)
    )
    scans = [node for node in plan if node.get("Relation Name") == "tracking_activity"]
    assert len(scans) == types
    for scan in scans:
        assert str(scan["Node Type"]).startswith("Index")
        assert scan["Index Name"] == "tracking_activity_pkey"
        condition = str(scan["Index Cond"])
        assert re.search(r"contact = .*type = .*created_time >= .*ROW\(created_time, identity\) <", condition)
    assert not [node for node in plan if "Sort" in str(node["Node Type"])]


@pytest.mark.parametrize(
    ("name", "values", "index"),
    [
        ("find", {"opted_out_after": "NULL"}, "contact_by_creation"),
        ("find_by_address", {}, "contact_by_email_address"),
        ("find_by_update", {"email_address": "NULL", "created_after": "NULL"}, "contact_by_update"),
        ("find_by_opt_out", {"email_address": "NULL"}, "contact_by_opt_out"),
        ("count_by_address", {}, "contact_by_email_address"),
    ],
)
async def test_contact_list_plan_uses_index(
    sample_database_url: str, name: str, values: dict[str, str], index: str
) -> None:
    plan = await explain_query(sample_database_url, SQL["contacts"][name], **values)
    assert index in {node.get("Index Name") for node in plan}


MANY_CONTACTS = """
INSERT INTO contact (key, account, contact_id, created_at, updated_at)
SELECT decode(md5(number::text), 'hex'), account.key, number, to_timestamp(number), to_timestamp(number)
FROM account, generate_series(1, 30000) AS numbers (number)
"""

MANY_MEMBERSHIPS = """
INSERT INTO membership
SELECT account, number % 2, number % 7, created_at, contact_id, key
FROM contact, generate_series(1, 4) AS numbers (number)
"""

MANY_DEFINITIONS = """
INSERT INTO definition
SELECT number % 9, number % 3, number, NULL, to_timestamp(number), NULL, '{}'
FROM generate_series(1, 30000) AS numbers (number)
"""


@pytest.fixture(scope="module")
def database_with_lists(postgres_url: str) -> Iterator[str]:
    """URL of a store with many lists and contacts on them, so that reading all of them is expensive."""
    with Databases(postgres_url).migrated_schema() as url:
        run_async(record_history(url, []))
        execute_sql(url, MANY_CONTACTS, MANY_MEMBERSHIPS, MANY_DEFINITIONS, "ANALYZE")
        yield url


@pytest.mark.parametrize("name", ["find_members", "find_tagged_members"])
async def test_member_page_plan_reads_range_without_sort(database_with_lists: str, name: str) -> None:
    plan = await explain_query(database_with_lists, SQL["contacts"][name], **NO_FILTERS)
    (scan,) = [node for node in plan if node.get("Alias") == "membership"]
    assert str(scan["Node Type"]).startswith("Index")
    assert re.search(r"definition_id = .*ROW\(created_at, contact_id\) < .*created_at >=", str(scan["Index Cond"]))
    assert not [node for node in plan if "Sort" in str(node["Node Type"])]


async def test_definition_page_plan_reads_range(database_with_lists: str) -> None:
    plan = await explain_query(database_with_lists, SQL["definitions"]["find"])
    assert "definition_by_creation" in {node.get("Index Name") for node in plan}
    assert not [node for node in plan if node["Node Type"] == "Seq Scan" and node["Relation Name"] == "definition"]


@pytest.mark.parametrize(
    ("name", "types", "values"),
    [
        ("get_permissions", "bytea", "'x'"),
        ("update_permissions", "bytea, smallint, timestamptz, smallint, text", "'x', 0, NULL, NULL, NULL"),
        ("lock_contacts", "bytea", "'x'"),
    ],
)
async def test_cluster_permission_plans_use_primary_keys(
    sample_database_url: str, name: str, types: str, values: str
) -> None:
    plan = await explain(sample_database_url, CLUSTER[name], types, values)
    assert {str(node["Index Name"]) for node in plan if "Index Name" in node} - {"account_pkey"} == (
        {"contact_pkey", "tracking_activity_pkey"} if name == "get_permissions" else {"contact_pkey"}
    )


@pytest.mark.parametrize(
    ("name", "types", "values"),
    [
        ("get_permissions", "bytea[]", "ARRAY['x'::bytea]"),
        ("lock_contacts", "bytea[]", "ARRAY['x'::bytea]"),
        ("list_contacts", "bytea, int", "'x', 500"),
    ],
)
async def test_permission_plans_use_primary_keys(sample_database_url: str, name: str, types: str, values: str) -> None:
    plan = await explain(sample_database_url, SQL["permission"][name], types, values)
    indexes = {str(node["Index Name"]) for node in plan if "Index Name" in node}
    assert indexes - {"account_pkey"} == (
        {"contact_pkey", "tracking_activity_pkey"} if name == "get_permissions" else {"contact_pkey"}
    )
    assert not [node for node in plan if node["Node Type"] == "Seq Scan" and node["Relation Name"] != "account"]
    for node in plan:
        if node.get("Index Name") == "tracking_activity_pkey":
            assert re.search(r"contact = .*type = ", str(node["Index Cond"]))


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("find_by_email_address_prefix", "contact_by_email_address"),
        ("find_by_first_name_prefix", "contact_by_name"),
        ("find_by_last_name_prefix", "contact_by_last_name"),
        ("find_by_full_name_prefix", "contact_by_name"),
        ("find_by_contact_id_prefix", "contact_by_account"),
    ],
)
async def test_contact_search_plan_uses_index_order(sample_database_url: str, name: str, index: str) -> None:
    plan = await explain_query(sample_database_url, SQL["contacts"][name], start="'a'", end="'b'")
    assert index in {node.get("Index Name") for node in plan}
    assert not [node for node in plan if "Sort" in str(node["Node Type"])]


@pytest.mark.parametrize(
    ("name", "types", "values", "indexes"),
    [
        ("list_rows", "text, text, text, bigint, text[], int", "'9:9:', '9:9:', '0', 0, '{a}', 20", {"feed_by_xid"}),
        (
            "get_activities",
            "int[], bytea[], smallint[], timestamptz[], bigint[]",
            "'{0}', '{x}', '{1}', '{2020-01-01}', '{5}'",
            {"tracking_activity_pkey", "contact_pkey", "person_pkey"},
        ),
    ],
)
async def test_feed_plan_uses_its_index(
    sample_database_url: str, name: str, types: str, values: str, indexes: set[str]
) -> None:
    plan = await explain(sample_database_url, SQL["feed"][name], types, values)
    assert indexes <= {str(node.get("Index Name")) for node in plan}
    if name == "get_activities":
        (condition,) = (str(each["Index Cond"]) for each in plan if each.get("Index Name") == "tracking_activity_pkey")
        assert all(column in condition for column in ("contact", "type", "created_time", "identity"))


@pytest.mark.parametrize("name", ["list_sent", "count_engagement", "count_by_type", "count_by_quarter_hour"])
async def test_contact_report_plan_reads_primary_key_ranges(sample_database_url: str, name: str) -> None:
    plan = await explain_query(sample_database_url, SQL["activities"][name])
    scans = [node for node in plan if "contact" in str(node.get("Index Cond"))]
    assert scans
    assert {node["Index Name"] for node in scans} == {"tracking_activity_pkey"}


@pytest.mark.parametrize("name", ["count_activity_by_hour", "count_account_by_hour"])
async def test_hourly_count_plan_reads_counter_ranges(large_database_url: str, name: str) -> None:
    plan = await explain_query(large_database_url, SQL["reports"][name], account_id="'a7'")
    (read,) = [node for node in plan if node.get("Index Name") == "campaign_activity_hour_pkey"]
    assert "campaign_activity = campaign_activity.key" in str(read["Index Cond"])
    assert ("hour >=" in str(read["Index Cond"])) is (name == "count_account_by_hour")


@pytest.mark.parametrize(
    ("selections", "more", "value"),
    [
        ((), "", ""),
        (("by_link",), ", bigint[]", ", '{1,2}'"),
        (("by_bounce_code",), ", integer", ", 3"),
        (("by_contact",), ", text", ", 'ada'"),
        *(((each.value,), "", "") for each in RowSelection if each is not RowSelection.ALL),
    ],
)
async def test_tracking_page_plan_uses_index_without_sort(
    large_database_url: str, selections: tuple[str, ...], more: str, value: str
) -> None:
    types = f"bigint, smallint, timestamptz, timestamptz, bytea, bigint, bigint{more}"
    values = f"1, 0, '2020-01-01', '2030-01-01', 'x', 0, 501{value}"
    plan = await explain(large_database_url, reports.page_statement(selections), types, values)
    page = next(node for node in plan if node.get("Index Name") == "tracking_activity_by_campaign_activity")
    assert page["Scan Direction"] == "Backward"
    condition = str(page["Index Cond"])
    assert re.search(
        r"campaign_activity = .*type = .*created_time >= .*ROW\(created_time, contact, identity\) <", condition
    )
    assert not [node for node in plan if "Sort" in str(node["Node Type"]) or "Join" in str(node["Node Type"])]
    # The row to compare with is found by a key of its contact.
    for node in plan:
        if node is not page and "Scan" in str(node["Node Type"]):
            assert re.search(r"(contact|key) = candidate\.contact", str(node["Index Cond"]))


async def test_erasure_plan_uses_primary_key_of_clicked_links(sample_database_url: str) -> None:
    sql = SQL["erasure"]["is_clicked_by_others"]
    plan = await explain(sample_database_url, sql, "bigint, bigint, bytea", "1, 2, 'x'")
    (scan,) = [node for node in plan if node.get("Relation Name") == "clicked_link"]
    assert scan["Index Name"] == "clicked_link_pkey"
    assert all(column in str(scan["Index Cond"]) for column in ("campaign_activity", "link"))


async def test_concurrently_started_servers_migrate_once(database_url: str) -> None:
    stores = [create_store(Settings(data=database_url)) for _ in range(6)]
    await asyncio.gather(*(store.open() for store in stores))
    for store in stores:
        await store.close()


AS_VERSION_11_LEFT_IT = (
    *DEFINITIONS,
    *MERGES,
    *POSTGRESQL_SEARCH,
    *USERS,
    *APPLICATIONS,
    *HOOKS,
    *PERMISSION_MIGRATION,
    "DROP TABLE campaign_activity_hour, erased_hour, feed, feed_pruned",
    "DROP TABLE readiness, erased_contact",
    "CREATE TABLE erased_contact (key bytea PRIMARY KEY, account bigint NOT NULL, erased_time timestamptz NOT NULL)",
    "DROP INDEX contact_by_name, contact_by_last_name",
    "ALTER TABLE engagement ADD COLUMN first_time timestamptz",
    "DELETE FROM schema_migration WHERE number > 11",
)


async def test_activities_recorded_during_migration_are_counted(database_url: str) -> None:
    history = list(generate_sample(20, seed=1))
    await record_history(database_url, history)
    execute_sql(database_url, *AS_VERSION_11_LEFT_IT)

    earlier = await asyncpg.connect(database_url)
    async with earlier.transaction():
        await earlier.execute("SELECT number FROM erasure")
        await earlier.execute("UPDATE tracking_activity SET created_time = created_time + interval '1 hour'")
        migrating = asyncio.create_task(record_history(database_url, []))
        while not await earlier.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            assert not migrating.done()
            await asyncio.sleep(0.01)
    await migrating
    received = await earlier.fetch("SELECT hour, sum(total)::bigint FROM campaign_activity_hour GROUP BY hour")
    should = await earlier.fetch(
        "SELECT date_trunc('hour', created_time, 'UTC'), count(*) FROM tracking_activity GROUP BY 1"
    )
    assert sorted(map(tuple, received)) == sorted(map(tuple, should))
    await earlier.close()


async def test_newer_schema_is_refused_unchanged(database_url: str) -> None:
    async with open_store(Settings(data=database_url)):
        pass
    connection = await asyncpg.connect(database_url)
    await connection.execute("INSERT INTO schema_migration (number, name) VALUES (999, 'of tomorrow')")
    await connection.close()
    with pytest.raises(SchemaTooNew, match="999"):
        await create_store(Settings(data=database_url)).open()


async def test_unreachable_database_is_reported() -> None:
    with pytest.raises(StoreUnavailable, match="can't be reached"):
        await create_store(Settings(data=f"postgresql://nobody@127.0.0.1:{find_free_port()}/none")).open()


async def test_cluster_feed_query_returns_same_rows(database_url: str) -> None:
    async with open_store(Settings(data=database_url)) as store:
        start = await store.feed.head()
        await store.ingest.record([build_batch("default", list(generate_sample(20, seed=1)))])
        rows = await store.feed.read(["default"], start, await store.feed.head())
        assert rows
        pool = Pool(database_url, 2, use_pgbouncer=False)
        await pool.open()
        columns = [list(column) for column in zip(*rows[0].keys, strict=True)]
        async with pool.acquire(3) as connection:
            queries = SQL["feed"]["get_activities"], CLUSTER["get_activities"]
            fetched = [await connection.fetch(query, list(range(len(columns[0]))), *columns) for query in queries]
        assert fetched[0]
        assert sorted(fetched[0]) == sorted(fetched[1])
        await pool.close()


async def test_concurrent_writers_record_each_activity_once(database_url: str) -> None:
    """Also in different orders, for which the database may report a deadlock."""
    history = list(generate_sample(60, seed=3))

    async with open_store(Settings(data=database_url)) as one, open_store(Settings(data=database_url)) as other:
        batches = [build_batch("a", history[first::7]) for first in range(7)] + [build_batch("a", history)]
        outcomes = await asyncio.gather(
            *(store.ingest.record([batch]) for batch in batches for store in (one, other)),
            *(other.ingest.record([build_batch("a", reversed(history))]) for _ in range(3)),
        )
        assert sum(sum(outcome.accepted.values()) for (outcome,) in outcomes) == len(set(history))
        for contact_id in {activity.contact_id for activity in history}:
            results = [activity async for activity in one.activities.iterate("a", contact_id)]
            assert len(results) == len({activity for activity in history if activity.contact_id == contact_id})


async def test_lock_timeout_is_reported_as_temporary(database_url: str) -> None:
    async with open_store(Settings(data=database_url)) as store:
        history = list(generate_sample(1, seed=2))
        await store.ingest.record([build_batch("default", history)])
        connection = await asyncpg.connect(database_url)
        async with connection.transaction():
            await connection.execute("LOCK TABLE contact IN ACCESS EXCLUSIVE MODE")
            waited = await asyncio.gather(
                store.ingest.record([build_batch("default", list(generate_sample(2, seed=3)))]),
                store.erasure.erase("default", history[0].contact_id),
                return_exceptions=True,
            )
        assert [type(wait) for wait in waited] == [TimedOut, TimedOut]
        assert await store.erasure.erase("default", history[0].contact_id)
        await connection.close()


@pytest.mark.parametrize("ahead", [False, True], ids=["at once", "made ready"])
async def test_large_batch_is_counted_correctly(database_url: str, *, ahead: bool) -> None:
    """The batches are copied into the table, staged because of duplicates, or inserted from arrays."""
    history = list(generate_sample(1_500, seed=2))[:12_000]

    async with open_store(Settings(data=database_url)) as store:
        seen = 0
        for first, last in ((0, 6_000), (3_000, 9_000), (0, 12_000), (0, 12_000)):
            batch = build_batch("a", history[first:last])
            (outcome,) = await store.ingest.record([await store.ingest.prepare(batch) if ahead else batch])
            assert sum(outcome.accepted.values()) == max(0, last - max(seen, first))
            assert outcome.duplicate == last - first - sum(outcome.accepted.values())
            seen = max(seen, last)
        assert [difference async for difference in store.verification.verify(repair=False)] == []


def busy_history(seed: int, count: int) -> list[Activity]:
    """Return activities of a few contacts and campaign activities, with several profiles."""
    rng = random.Random(seed)
    types = [ActivityType.EM_SENDS, ActivityType.EM_OPENS, ActivityType.EM_CLICKS, ActivityType.EM_OPTOUTS]
    names = [None, "Ada", "Änne", "O'Brien", "x y"]
    history = []
    for number in range(count):
        contact = rng.randrange(1_500)
        activity_type = rng.choice(types)
        history.append(
            Activity(
                contact_id=f"c{contact}",
                campaign_activity_id=f"m{rng.randrange(4)}",
                type=activity_type,
                created_time=Instant(1_767_268_800_000 + rng.randrange(count) * 1_000 + number % 1_000),
                event_id=f"e{rng.randrange(count)}" if number % 7 == 0 else None,
                person=ContactProfile(
                    email_address=f"a{rng.randrange(3)}@example.com" if rng.random() < 0.5 else None,
                    first_name=rng.choice(names),
                    last_name=rng.choice(names),
                ),
                link=Link(link_url=f"https://e.example/{rng.randrange(3)}")
                if activity_type is ActivityType.EM_CLICKS
                else None,
                device_type=DeviceType.MOBILE if activity_type is ActivityType.EM_OPENS and number % 2 else None,
            )
        )
    return history


def compute_latest_profiles(history: Iterable[Activity]) -> dict[str, tuple[str | None, ...]]:
    """Compute each contact's latest profile; of equal times, the last to arrive wins."""
    said: dict[str, list[tuple[int, str | None]]] = {}
    for activity in history:
        latest = said.setdefault(activity.contact_id, [(0, None)] * 3)
        person = activity.person or ContactProfile()
        for place, value in enumerate((person.email_address, person.first_name, person.last_name)):
            if value is not None and activity.created_time >= latest[place][0]:
                latest[place] = activity.created_time, value
    return {contact_id: tuple(value for _, value in latest) for contact_id, latest in said.items()}


@pytest.mark.parametrize("seed", range(3))
async def test_concurrently_prepared_chunks_are_counted_correctly(database_url: str, seed: int) -> None:
    history = busy_history(seed, 32_000)
    # Each event and each other activity once, because later deliveries change nothing.
    history = list(
        {
            (
                activity.contact_id,
                activity.identity,
                None if activity.event_id else (activity.type, activity.created_time),
            ): activity
            for activity in reversed(history)
        }.values()
    )[::-1]

    async with open_store(Settings(data=database_url)) as store:
        chunks = [build_batch("a", history[first : first + 6_000]) for first in range(0, len(history), 6_000)]
        upcoming = asyncio.create_task(store.ingest.prepare(chunks[0]))
        for following in [*chunks[1:], None]:
            chunk = await upcoming
            if following is not None:
                upcoming = asyncio.create_task(store.ingest.prepare(following))
            (outcome,) = await store.ingest.record([chunk])
            assert outcome.duplicate == 0
        assert [difference async for difference in store.verification.verify(repair=False)] == []
        query = ContactQuery(limit=2_000)
        results = {contact.contact_id: contact for contact in await store.contacts.find("a", query)}
        for contact_id, said in compute_latest_profiles(history).items():
            contact = results[contact_id]
            assert (contact.email_address, contact.first_name, contact.last_name) == said


async def test_engagement_added_after_lookup_is_counted_once(database_url: str) -> None:
    first, then = busy_history(8, 6_000), busy_history(9, 6_000)

    async with open_store(Settings(data=database_url)) as store, open_store(Settings(data=database_url)) as other:
        prepared = await store.ingest.prepare(build_batch("a", then))
        await other.ingest.record([build_batch("a", first)])
        await store.ingest.record([prepared])
        assert [difference async for difference in store.verification.verify(repair=False)] == []


@pytest.mark.parametrize(
    ("name", "types", "values", "index"),
    [
        (
            "find_engagement",
            "bigint[], smallint[], integer[], integer[], bytea",
            "'{1}', '{1}', '{0}', '{9}', 'x'",
            "engagement_pkey",
        ),
        ("find_differing_contacts", "bytea, text, text, text", "'x', 'x', NULL, NULL", "contact_pkey"),
    ],
)
async def test_large_batch_lookup_plan_uses_primary_key(
    large_database_url: str, name: str, types: str, values: str, index: str
) -> None:
    plan = await explain(large_database_url, SQL["ingest"][name], types, values)
    assert index in {node.get("Index Name") for node in plan}
    assert "Seq Scan" not in {node["Node Type"] for node in plan}


def test_key_rotation_reaches_all_servers(database_url: str) -> None:
    with Server(database_url) as one, Server(database_url) as other, other.client("default") as client:
        client.record(make_line())
        received = httpx.get(f"{one.url}/.well-known/jwks.json").json()
        assert received == httpx.get(f"{other.url}/.well-known/jwks.json").json()
        assert httpx.get(one.url + "/v3/reports/contact_reports/c1/activity_details").status_code == 401
        headers = {"authorization": f"Bearer {client.token}"}
        parameters = {"tracking_activity_type": "em_opens"}
        path = "/v3/reports/contact_reports/c1/activity_details"
        assert httpx.get(one.url + path, params=parameters, headers=headers).status_code == 200


class Load(threading.Thread):
    """Posts activities, repeats those that were not acknowledged, and reads in between."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self._server = server
        self._token = server.token("default")
        self.over = threading.Event()
        self.acknowledged: list[int] = []
        self.responses: list[tuple[float, int]] = []
        self.longest = 0.0

    def run(self) -> None:
        headers = {"authorization": f"Bearer {self._token}"}
        with httpx.Client(base_url=self._server.url, headers=headers, timeout=60) as client:
            for number in count():
                if self.over.is_set():
                    return
                while not self._recorded(client, number) and not self.over.is_set():
                    time.sleep(0.1)
                page = client.get(
                    "/v3/reports/contact_reports/c1/activity_details", params={"tracking_activity_type": "em_opens"}
                )
                self.longest = max(self.longest, page.elapsed.total_seconds())
                self.responses.append((time.monotonic(), page.status_code))
                assert page.status_code == 200 or (page.status_code == 503 and page.headers["retry-after"])

    def _recorded(self, client: httpx.Client, number: int) -> bool:
        response = client.post("/track/v1/activities", json=[make_line(time=1_767_225_600_000 + number)])
        self.longest = max(self.longest, response.elapsed.total_seconds())
        self.responses.append((time.monotonic(), response.status_code))
        assert response.status_code == 200 or (response.status_code == 503 and response.headers["retry-after"])
        if response.status_code == 200:
            self.acknowledged.append(number)
        return response.status_code == 200


@pytest.mark.parametrize("way", ["restarted", "crashed", "hung"])
def test_outage_loses_and_duplicates_nothing(own_postgres: PostgresServer, way: str) -> None:
    with Server(own_postgres.url) as server:
        load = Load(server)
        load.start()
        wait_until(lambda: len(load.acknowledged) > 20)
        if way == "hung":
            with httpx.Client(base_url=server.url, timeout=20) as person:
                person.post("/sign-in", data={"token": server.token("default")})
                own_postgres.signal_all(signal.SIGSTOP)
                stopped = time.monotonic()
                page = person.get("/")
                assert (page.status_code, "Temporarily unavailable" in page.text) == (503, True)
            time.sleep(max(0, stopped + 7 - time.monotonic()))
            own_postgres.signal_all(signal.SIGCONT)
        else:
            own_postgres.stop("fast" if way == "restarted" else "immediate")
            time.sleep(1)
            assert httpx.get(f"{server.url}/readyz").status_code == 503
            assert httpx.get(f"{server.url}/healthz").status_code == 200
            own_postgres.start()
        back = time.monotonic()
        wait_until(lambda: [status for at, status in load.responses if at > back][-20:] == [200] * 20)
        load.over.set()
        load.join(60)
        assert 503 in {status for _, status in load.responses}
        assert load.longest < 12
        with server.client("default") as client:
            walked = [item for page in client.walk("c1", "tracking_activity_type=em_opens") for item in page]
        times = [item["created_time"] for item in walked]
        assert len(times) == len(set(times))
        assert len(load.acknowledged) <= len(times) <= len(load.acknowledged) + 1


EVERY_SEND = TrackingQuery(type=ActivityType.EM_SENDS, after=START_OF_REPORT, not_before=EARLIEST, limit=3)


def make_send(contact_id: str, email_address: str = "ada@example.com", time: int = 1_767_225_600_000) -> Activity:
    return Activity(
        contact_id=contact_id,
        campaign_activity_id="m",
        type=ActivityType.EM_SENDS,
        created_time=Instant(time),
        person=ContactProfile(email_address=email_address),
    )


async def test_erasure_during_read_does_not_shorten_page(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read = reports._read_page  # noqa: SLF001 - the only point between the two reads

    async with open_store(Settings(data=database_url)) as store:
        await store.ingest.record([build_batch("a", [make_send(f"c{number}") for number in range(5)])])
        all_items = await store.reports.list_tracking("a", "m", EVERY_SEND)
        assert all_items is not None
        gone = all_items[1].contact_id

        async def page(*params: Any) -> Sequence[Sequence[Any]]:  # noqa: ANN401 - arguments of the patched method
            monkeypatch.setattr(reports, "_read_page", read)
            results = await read(*params)
            await store.erasure.erase("a", gone)
            await store.ingest.record([build_batch("a", [make_send(gone, "later@example.com", 2_000_000_000_000)])])
            return results

        monkeypatch.setattr(reports, "_read_page", page)
        rows = await store.reports.list_tracking("a", "m", EVERY_SEND)
        assert rows is not None
        assert [row.contact_id for row in rows] == [gone, all_items[0].contact_id, all_items[2].contact_id]


MANY_ADDRESSES = """
INSERT INTO contact (key, account, contact_id, email_address)
SELECT decode(md5(number::text), 'hex'), 1, number::text, md5(number::text) || '@example.com'
FROM generate_series(1, 20000) AS number
"""


async def test_search_plan_uses_index_of_parts(database_url: str) -> None:
    async with open_store(Settings(data=database_url)) as store:
        await store.accounts.ensure("default")
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(MANY_ADDRESSES)
        await connection.execute("VACUUM ANALYZE contact")
        query = await get_search_query(connection)
    finally:
        await connection.close()
    plan = await explain(database_url, query, "text, text[], text, int", "'default', '{abc,bcd}', 'abcd', 8")
    assert [node["Node Type"] for node in plan if node.get("Relation Name") == "contact"] == ["Bitmap Heap Scan"]
    assert [node["Index Name"] for node in plan if node["Node Type"] == "Bitmap Index Scan"] == ["contact_by_part"]


@pytest.mark.parametrize(
    ("question", "unused"),
    [
        ("SELECT type, count(*) FROM activity GROUP BY type", {"contact", "person", "link", "campaign"}),
        ("SELECT campaign_activity_name, count(*) FROM activity GROUP BY 1", {"contact", "person", "link", "campaign"}),
        ("SELECT count(*) FROM activity WHERE account_id = 'default'", {"person", "link", "campaign"}),
    ],
)
async def test_questions_read_only_used_tables(sample_database_url: str, question: str, unused: set[str]) -> None:
    connection = await asyncpg.connect(sample_database_url)
    try:
        plan = json.loads(await connection.fetchval(f"EXPLAIN (FORMAT JSON) {question}"))
    finally:
        await connection.close()
    tables = {node.get("Relation Name") for node in walk_plan(plan[0]["Plan"])}
    assert "tracking_activity" in tables
    assert not tables & unused
