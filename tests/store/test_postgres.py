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
from rapport.sample import sample
from rapport.settings import Settings
from rapport.store.batch import build_batch
from rapport.store.engines import create_store, open_store
from rapport.store.known import ContactQuery
from rapport.store.postgres import (
    campaign_reader,
    contact_reader,
    contact_reports,
    counter_reader,
    erasing,
    feed,
    finder,
    permission,
    write,
)
from rapport.store.postgres.citus.feed import ClusterFeedReader
from rapport.store.postgres.citus.statements import SQL as CLUSTER
from rapport.store.postgres.pool import Pool, TimedOut
from rapport.store.postgres.reader import merged
from rapport.store.tracking import START_OF_REPORT, RowSelection, TrackingQuery
from tests.helpers.api import make_line
from tests.helpers.legacy import APPLICATIONS, PERMISSION_MIGRATION
from tests.helpers.loop import run_async
from tests.helpers.network import find_free_port
from tests.helpers.postgres import Databases, PostgresServer
from tests.helpers.server import Server
from tests.helpers.sql import execute_sql

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
        run_async(record_history(url, sample(2_000, seed=1)))
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
        await store.record([build_batch("default", list(history))])


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


@pytest.mark.parametrize("types", range(1, len(ActivityType) + 1))
async def test_activity_page_plan_uses_primary_key_without_sort(sample_database_url: str, types: int) -> None:
    parameters = ["bytea", "timestamptz", "timestamptz", "bigint", "bigint", *["smallint"] * types]
    values = ["'x'", "'2020-01-01'", "'2030-01-01'", "0", "101", *map(str, range(types))]
    plan = await explain(sample_database_url, merged("page", types), ", ".join(parameters), ", ".join(values))
    scans = [node for node in plan if node.get("Relation Name") == "tracking_activity"]
    assert len(scans) == types
    for scan in scans:
        assert str(scan["Node Type"]).startswith("Index")
        assert scan["Index Name"] == "tracking_activity_pkey"
        condition = str(scan["Index Cond"])
        assert re.search(r"contact = .*type = .*created_time >= .*ROW\(created_time, identity\) <", condition)
    assert not [node for node in plan if "Sort" in str(node["Node Type"])]


@pytest.mark.parametrize(
    ("name", "types", "values", "index"),
    [
        ("contacts", "text, int, text, int", "'default', 51, '', 255", "contact_by_account"),
        (
            "contacts_of_address",
            "text, int, text, int, text",
            "'default', 51, '', 255, 'x'",
            "contact_by_email_address",
        ),
        (
            "contacts_by_update",
            "text, int, text, int, text" + ", timestamptz" * 7,
            "'default', 51, '', 255, NULL, '2026-01-01', '2026-01-02', '1970-01-01', NULL, NULL, NULL, NULL",
            "contact_by_update",
        ),
        (
            "contacts_by_creation",
            "text, int, text, int, text, timestamptz, timestamptz, timestamptz, timestamptz, timestamptz",
            "'default', 51, '', 255, NULL, '2026-01-01', '2026-01-02', '1970-01-01', NULL, NULL",
            "contact_by_creation",
        ),
        (
            "contacts_by_opt_out",
            "text, int, text, int, text, timestamptz, timestamptz, timestamptz",
            "'default', 51, '', 255, NULL, '2026-01-01', '2026-01-02', '1970-01-01'",
            "contact_by_opt_out",
        ),
        (
            "count_of_address",
            "text, text, int, timestamptz, timestamptz, timestamptz, timestamptz, timestamptz, timestamptz",
            "'default', 'x', 255, NULL, NULL, NULL, NULL, NULL, NULL",
            "contact_by_email_address",
        ),
    ],
)
async def test_contact_list_plan_uses_index(
    sample_database_url: str, name: str, types: str, values: str, index: str
) -> None:
    plan = await explain(sample_database_url, contact_reader.SQL[name], types, values)
    assert index in {node.get("Index Name") for node in plan}


@pytest.mark.parametrize(
    ("name", "types", "values"),
    [
        ("permissions", "bytea", "'x'"),
        ("update_permissions", "bytea, smallint, timestamptz, smallint, text", "'x', 0, NULL, NULL, NULL"),
        ("lock_contacts", "bytea", "'x'"),
    ],
)
async def test_cluster_permission_plans_use_primary_keys(
    sample_database_url: str, name: str, types: str, values: str
) -> None:
    plan = await explain(sample_database_url, CLUSTER[name], types, values)
    assert {str(node["Index Name"]) for node in plan if "Index Name" in node} - {"account_pkey"} == (
        {"contact_pkey", "tracking_activity_pkey"} if name == "permissions" else {"contact_pkey"}
    )


@pytest.mark.parametrize(
    ("name", "types", "values"),
    [
        ("permissions", "bytea[]", "ARRAY['x'::bytea]"),
        ("lock_contacts", "bytea[]", "ARRAY['x'::bytea]"),
        ("next_contacts", "bytea, int", "'x', 500"),
    ],
)
async def test_permission_plans_use_primary_keys(sample_database_url: str, name: str, types: str, values: str) -> None:
    plan = await explain(sample_database_url, permission.SQL[name], types, values)
    indexes = {str(node["Index Name"]) for node in plan if "Index Name" in node}
    assert indexes - {"account_pkey"} == (
        {"contact_pkey", "tracking_activity_pkey"} if name == "permissions" else {"contact_pkey"}
    )
    assert not [node for node in plan if node["Node Type"] == "Seq Scan" and node["Relation Name"] != "account"]
    for node in plan:
        if node.get("Index Name") == "tracking_activity_pkey":
            assert re.search(r"contact = .*type = ", str(node["Index Cond"]))


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("contacts_by_email_address", "contact_by_email_address"),
        ("contacts_by_first_name", "contact_by_name"),
        ("contacts_by_last_name", "contact_by_last_name"),
        ("contacts_by_both_names", "contact_by_name"),
        ("contacts_by_contact_id", "contact_by_account"),
    ],
)
async def test_contact_search_plan_uses_index_order(sample_database_url: str, name: str, index: str) -> None:
    types, values = ["text", "text", "text", "int"], ["'default'", "'a'", "'b'", "8"]
    if name == "contacts_by_both_names":
        types.append("text")
        values.append("'Ada'")
    plan = await explain(sample_database_url, finder.SQL[name], ", ".join(types), ", ".join(values))
    assert index in {node.get("Index Name") for node in plan}
    assert not [node for node in plan if "Sort" in str(node["Node Type"])]


@pytest.mark.parametrize(
    ("name", "types", "values", "indexes"),
    [
        ("rows", "text, text, text, bigint, text[], int", "'9:9:', '9:9:', '0', 0, '{a}', 20", {"feed_by_xid"}),
        (
            "activities",
            "int[], bytea[], smallint[], timestamptz[], bigint[]",
            "'{0}', '{x}', '{1}', '{2020-01-01}', '{5}'",
            {"tracking_activity_pkey", "contact_pkey", "person_pkey"},
        ),
    ],
)
async def test_feed_plan_uses_its_index(
    sample_database_url: str, name: str, types: str, values: str, indexes: set[str]
) -> None:
    plan = await explain(sample_database_url, feed.SQL[name], types, values)
    assert indexes <= {str(node.get("Index Name")) for node in plan}
    if name == "activities":
        (condition,) = (str(node["Index Cond"]) for node in plan if node.get("Index Name") == "tracking_activity_pkey")
        assert all(column in condition for column in ("contact", "type", "created_time", "identity"))


@pytest.mark.parametrize(
    ("name", "types", "values"),
    [
        (
            "sent_campaign_activities",
            "bytea, timestamptz, timestamptz, text, int",
            "'x', '2020-01-01', '2030-01-01', '', 9",
        ),
        *(
            (name, "bytea, timestamptz, timestamptz", "'x', '2020-01-01', '2030-01-01'")
            for name in ("reached", "activity_counts", "activity_quarters")
        ),
    ],
)
async def test_contact_report_plan_reads_primary_key_ranges(
    sample_database_url: str, name: str, types: str, values: str
) -> None:
    plan = await explain(sample_database_url, contact_reports.SQL[name], types, values)
    scans = [node for node in plan if "contact" in str(node.get("Index Cond"))]
    assert scans
    assert {node["Index Name"] for node in scans} == {"tracking_activity_pkey"}


@pytest.mark.parametrize(
    ("name", "types", "values"),
    [
        ("hours_of_campaign_activity", "text, text", "'a7', 'm'"),
        ("hours_of_account", "text, timestamptz, timestamptz", "'a7', '2026-01-02', '2026-01-03'"),
    ],
)
async def test_hourly_count_plan_reads_counter_ranges(
    large_database_url: str, name: str, types: str, values: str
) -> None:
    plan = await explain(large_database_url, counter_reader.SQL[name], types, values)
    (read,) = [node for node in plan if node.get("Index Name") == "campaign_activity_hour_pkey"]
    assert "campaign_activity = campaign_activity.key" in str(read["Index Cond"])
    assert ("hour >=" in str(read["Index Cond"])) is (name == "hours_of_account")


@pytest.mark.parametrize(
    ("selections", "more", "value"),
    [
        ((), "", ""),
        (("of_links",), ", bigint[]", ", '{1,2}'"),
        (("of_bounce_codes",), ", integer", ", 3"),
        (("of_contacts",), ", text", ", 'ada'"),
        *(((selection.value,), "", "") for selection in RowSelection if selection is not RowSelection.EVERY),
    ],
)
async def test_tracking_page_plan_uses_index_without_sort(
    large_database_url: str, selections: tuple[str, ...], more: str, value: str
) -> None:
    types = f"bigint, smallint, timestamptz, timestamptz, bytea, bigint, bigint{more}"
    values = f"1, 0, '2020-01-01', '2030-01-01', 'x', 0, 501{value}"
    plan = await explain(large_database_url, campaign_reader.page_of(selections), types, values)
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
            assert re.search(r"(contact|key) = chosen\.contact", str(node["Index Cond"]))


async def test_erasure_plan_uses_primary_key_of_clicked_links(sample_database_url: str) -> None:
    sql = erasing.SQL["clicked_by_another"]
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
    *APPLICATIONS,
    *PERMISSION_MIGRATION,
    "DROP TABLE campaign_activity_hour, erased_hour, feed, feed_pruned",
    "DROP TABLE readiness, erased_contact",
    "CREATE TABLE erased_contact (key bytea PRIMARY KEY, account bigint NOT NULL, erased_time timestamptz NOT NULL)",
    "DROP INDEX contact_by_name, contact_by_last_name",
    "ALTER TABLE engagement ADD COLUMN first_time timestamptz",
    "DELETE FROM schema_migration WHERE number > 11",
)


async def test_activities_recorded_during_migration_are_counted(database_url: str) -> None:
    history = list(sample(20, seed=1))
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
        start = await store.feed_head()
        await store.record([build_batch("default", list(sample(20, seed=1)))])
        rows = await store.feed(["default"], start, await store.feed_head())
        assert rows
        pool = Pool(database_url, 2, by_pgbouncer=False)
        await pool.open()
        keys = rows[0].keys
        assert await ClusterFeedReader(pool).activities("default", keys) == await store.feed_activities("default", keys)
        await pool.close()


async def test_concurrent_writers_record_each_activity_once(database_url: str) -> None:
    """Also in different orders, for which the database may report a deadlock."""
    history = list(sample(60, seed=3))

    async with open_store(Settings(data=database_url)) as one, open_store(Settings(data=database_url)) as other:
        batches = [build_batch("a", history[first::7]) for first in range(7)] + [build_batch("a", history)]
        outcomes = await asyncio.gather(
            *(store.record([batch]) for batch in batches for store in (one, other)),
            *(other.record([build_batch("a", reversed(history))]) for _ in range(3)),
        )
        assert sum(sum(outcome.accepted.values()) for (outcome,) in outcomes) == len(set(history))
        for contact_id in {activity.contact_id for activity in history}:
            results = [activity async for activity in one.history("a", contact_id)]
            assert len(results) == len({activity for activity in history if activity.contact_id == contact_id})


async def test_lock_timeout_is_reported_as_temporary(database_url: str) -> None:
    async with open_store(Settings(data=database_url)) as store:
        history = list(sample(1, seed=2))
        await store.record([build_batch("default", history)])
        connection = await asyncpg.connect(database_url)
        async with connection.transaction():
            await connection.execute("LOCK TABLE contact IN ACCESS EXCLUSIVE MODE")
            waited = await asyncio.gather(
                store.record([build_batch("default", list(sample(2, seed=3)))]),
                store.erase("default", history[0].contact_id),
                return_exceptions=True,
            )
        assert [type(wait) for wait in waited] == [TimedOut, TimedOut]
        assert await store.erase("default", history[0].contact_id)
        await connection.close()


@pytest.mark.parametrize("ahead", [False, True], ids=["at once", "made ready"])
async def test_large_batch_is_counted_correctly(database_url: str, *, ahead: bool) -> None:
    """The batches are copied into the table, staged because of duplicates, or inserted from arrays."""
    history = list(sample(1_500, seed=2))[:12_000]

    async with open_store(Settings(data=database_url)) as store:
        seen = 0
        for first, last in ((0, 6_000), (3_000, 9_000), (0, 12_000), (0, 12_000)):
            batch = build_batch("a", history[first:last])
            (outcome,) = await store.record([await store.prepare(batch) if ahead else batch])
            assert sum(outcome.accepted.values()) == max(0, last - max(seen, first))
            assert outcome.duplicate == last - first - sum(outcome.accepted.values())
            seen = max(seen, last)
        assert [difference async for difference in store.recount(repair=False)] == []


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
        upcoming = asyncio.create_task(store.prepare(chunks[0]))
        for following in [*chunks[1:], None]:
            chunk = await upcoming
            if following is not None:
                upcoming = asyncio.create_task(store.prepare(following))
            (outcome,) = await store.record([chunk])
            assert outcome.duplicate == 0
        assert [difference async for difference in store.recount(repair=False)] == []
        query = ContactQuery(limit=2_000)
        results = {contact.contact_id: contact for contact in await store.contacts("a", query)}
        for contact_id, said in compute_latest_profiles(history).items():
            contact = results[contact_id]
            assert (contact.email_address, contact.first_name, contact.last_name) == said


async def test_engagement_added_after_lookup_is_counted_once(database_url: str) -> None:
    first, then = busy_history(8, 6_000), busy_history(9, 6_000)

    async with open_store(Settings(data=database_url)) as store, open_store(Settings(data=database_url)) as other:
        prepared = await store.prepare(build_batch("a", then))
        await other.record([build_batch("a", first)])
        await store.record([prepared])
        assert [difference async for difference in store.recount(repair=False)] == []


@pytest.mark.parametrize(
    ("name", "types", "values", "index"),
    [
        (
            "known_engagement",
            "bigint[], smallint[], integer[], integer[], bytea",
            "'{1}', '{1}', '{0}', '{9}', 'x'",
            "engagement_pkey",
        ),
        ("differing_contacts", "bytea, text, text, text", "'x', 'x', NULL, NULL", "contact_pkey"),
    ],
)
async def test_large_batch_lookup_plan_uses_primary_key(
    large_database_url: str, name: str, types: str, values: str, index: str
) -> None:
    plan = await explain(large_database_url, write.SQL[name], types, values)
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
        time.sleep(1)
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
            time.sleep(2)
            assert httpx.get(f"{server.url}/readyz").status_code == 503
            assert httpx.get(f"{server.url}/healthz").status_code == 200
            own_postgres.start()
        back = time.monotonic()
        time.sleep(4)
        load.over.set()
        load.join(60)
        assert [status for at, status in load.responses if at > back + 3][-1] == 200
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
    read = campaign_reader._page  # noqa: SLF001 - the only point between the two reads

    async with open_store(Settings(data=database_url)) as store:
        await store.record([build_batch("a", [make_send(f"c{number}") for number in range(5)])])
        all_items = await store.tracking("a", "m", EVERY_SEND)
        assert all_items is not None
        gone = all_items[1].contact_id

        async def page(*params: Any) -> Sequence[Sequence[Any]]:  # noqa: ANN401 - arguments of the patched method
            monkeypatch.setattr(campaign_reader, "_page", read)
            results = await read(*params)
            await store.erase("a", gone)
            await store.record([build_batch("a", [make_send(gone, "later@example.com", 2_000_000_000_000)])])
            return results

        monkeypatch.setattr(campaign_reader, "_page", page)
        rows = await store.tracking("a", "m", EVERY_SEND)
        assert rows is not None
        assert [row.contact_id for row in rows] == [gone, all_items[0].contact_id, all_items[2].contact_id]
