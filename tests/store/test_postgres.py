"""What only PostgreSQL has: plans, own_postgress, several servers at one database."""

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
from rapport.store.contacts import ContactQuery
from rapport.store.engines import create_store, open_store
from rapport.store.postgres import reports
from rapport.store.postgres.activities import merge_ranges
from rapport.store.postgres.citus.queries import CLUSTER
from rapport.store.postgres.pool import Pool, TimedOut
from rapport.store.postgres.queries import PARAM_NAMES, SQL
from rapport.store.tracking import START_OF_REPORT, RowSelection, TrackingQuery
from tests.network import free_port
from tests.postgres import Databases, PostgresServer
from tests.store.earlier import APPLICATIONS, PERMISSION, execute
from tests.world import Server, line

# So large that to sort it would cost.
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
def place(postgresql: str) -> Iterator[str]:
    """The URL of an empty place."""
    with Databases(postgresql).fresh() as url:
        yield url


@pytest.fixture(scope="module")
def sampled(postgresql: str) -> Iterator[str]:
    """The URL of a place with a sample in it, and a feed of many transactions: for plans, which change nothing."""
    with Databases(postgresql).fresh() as url:
        asyncio.run(record(url, sample(2_000, seed=1)))
        execute(url, *["INSERT INTO feed (account_id, keys) SELECT 'a', '' FROM generate_series(1, 9)"] * 500)
        execute(url, "ANALYZE")
        yield url


@pytest.fixture(scope="module")
def large(postgresql: str) -> Iterator[str]:
    """The URL of a place with campaign activities so large that to sort one would cost."""
    with Databases(postgresql).fresh() as url:
        asyncio.run(record(url, []))
        execute(url, A_LARGE_CAMPAIGN_ACTIVITY, HOURS_OF_MANY, "ANALYZE")
        yield url


def nodes(plan: dict[str, object]) -> Iterator[dict[str, object]]:
    yield plan
    for child in plan.get("Plans", []):  # type: ignore[attr-defined]
        yield from nodes(child)


async def record(place: str, history: Iterable[Activity]) -> None:
    async with open_store(Settings(data=place)) as store:
        await store.ingest.record([build_batch("default", list(history))])


async def planned(place: str, statement: str, types: str, values: str) -> list[dict[str, object]]:
    """The nodes of the plan that is made without regard to the values."""
    connection = await asyncpg.connect(place)
    await connection.execute("SET plan_cache_mode = force_generic_plan")
    await connection.execute(f"PREPARE asked ({types}) AS {statement}")
    told = await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE asked ({values})")
    await connection.close()
    return list(nodes(json.loads(told)[0]["Plan"]))


PARAMS = {
    "account_id": ("text", "'default'"),
    "after": ("text", "''"),
    "after_id": ("text", "''"),
    "campaign_activity_id": ("text", "'m'"),
    "contact": ("bytea", "'x'"),
    "email_address": ("text", "'x'"),
    "first_name": ("text", "'Ada'"),
    "limit": ("int", "51"),
    "status_bits": ("int", "255"),
}
"""Types and values of parameters by name; all others are times."""


async def planned_query(place: str, query: str, **values: str) -> list[dict[str, object]]:
    """The nodes of the plan of a query with named parameters."""
    time = "timestamptz", "'2026-01-02'"
    params = [
        ("text", values[name]) if name in ("start", "end") and name in values else PARAMS.get(name, time)
        for name in PARAM_NAMES[query]
    ]
    given = [values.get(name, value) for name, (_, value) in zip(PARAM_NAMES[query], params, strict=True)]
    return await planned(place, query, ", ".join(kind for kind, _ in params), ", ".join(given))


@pytest.mark.parametrize("types", range(1, len(ActivityType) + 1))
def test_activity_page_plan_uses_primary_key_without_sort(sampled: str, types: int) -> None:
    parameters = ["bytea", "timestamptz", "timestamptz", "bigint", "bigint", *["smallint"] * types]
    values = ["'x'", "'2020-01-01'", "'2030-01-01'", "0", "101", *map(str, range(types))]
    plan = asyncio.run(planned(sampled, merge_ranges("list_newest", types), ", ".join(parameters), ", ".join(values)))
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
        ("find", {}, "contact_by_account"),
        ("find_by_address", {}, "contact_by_email_address"),
        ("find_by_update", {"email_address": "NULL", "created_after": "NULL"}, "contact_by_update"),
        ("find_by_creation", {"email_address": "NULL", "opted_out_after": "NULL"}, "contact_by_creation"),
        ("find_by_opt_out", {"email_address": "NULL"}, "contact_by_opt_out"),
        ("count_by_address", {}, "contact_by_email_address"),
    ],
)
def test_contact_list_plan_uses_index(sampled: str, name: str, values: dict[str, str], index: str) -> None:
    plan = asyncio.run(planned_query(sampled, SQL["contacts"][name], **values))
    assert index in {node.get("Index Name") for node in plan}


@pytest.mark.parametrize(
    ("name", "types", "values"),
    [
        ("get_permissions", "bytea", "'x'"),
        ("update_permissions", "bytea, smallint, timestamptz, smallint, text", "'x', 0, NULL, NULL, NULL"),
        ("lock_contacts", "bytea", "'x'"),
    ],
)
def test_cluster_permission_plans_use_primary_keys(sampled: str, name: str, types: str, values: str) -> None:
    plan = asyncio.run(planned(sampled, CLUSTER[name], types, values))
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
def test_permission_plans_use_primary_keys(sampled: str, name: str, types: str, values: str) -> None:
    plan = asyncio.run(planned(sampled, SQL["permission"][name], types, values))
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
def test_contact_search_plan_uses_index_order(sampled: str, name: str, index: str) -> None:
    plan = asyncio.run(planned_query(sampled, SQL["contacts"][name], start="'a'", end="'b'"))
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
def test_feed_plan_uses_its_index(sampled: str, name: str, types: str, values: str, indexes: set[str]) -> None:
    plan = asyncio.run(planned(sampled, SQL["feed"][name], types, values))
    assert indexes <= {str(node.get("Index Name")) for node in plan}
    if name == "get_activities":
        (condition,) = (str(each["Index Cond"]) for each in plan if each.get("Index Name") == "tracking_activity_pkey")
        assert all(column in condition for column in ("contact", "type", "created_time", "identity"))


@pytest.mark.parametrize("name", ["list_sent", "count_engagement", "count_by_type", "count_by_quarter_hour"])
def test_contact_report_plan_reads_primary_key_ranges(sampled: str, name: str) -> None:
    plan = asyncio.run(planned_query(sampled, SQL["activities"][name]))
    scans = [node for node in plan if "contact" in str(node.get("Index Cond"))]
    assert scans
    assert {node["Index Name"] for node in scans} == {"tracking_activity_pkey"}


@pytest.mark.parametrize("name", ["count_activity_by_hour", "count_account_by_hour"])
def test_hourly_count_plan_reads_counter_ranges(large: str, name: str) -> None:
    plan = asyncio.run(planned_query(large, SQL["reports"][name], account_id="'a7'"))
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
def test_tracking_page_plan_uses_index_without_sort(
    large: str, selections: tuple[str, ...], more: str, value: str
) -> None:
    types = f"bigint, smallint, timestamptz, timestamptz, bytea, bigint, bigint{more}"
    values = f"1, 0, '2020-01-01', '2030-01-01', 'x', 0, 501{value}"
    plan = asyncio.run(planned(large, reports.page_statement(selections), types, values))
    page = next(node for node in plan if node.get("Index Name") == "tracking_activity_by_campaign_activity")
    assert page["Scan Direction"] == "Backward"
    condition = str(page["Index Cond"])
    assert re.search(
        r"campaign_activity = .*type = .*created_time >= .*ROW\(created_time, contact, identity\) <", condition
    )
    assert not [node for node in plan if "Sort" in str(node["Node Type"]) or "Join" in str(node["Node Type"])]
    # What each row is compared with is found by a key of its contact.
    for node in plan:
        if node is not page and "Scan" in str(node["Node Type"]):
            assert re.search(r"(contact|key) = candidate\.contact", str(node["Index Cond"]))


def test_erasure_plan_uses_primary_key_of_clicked_links(sampled: str) -> None:
    sql = SQL["erasure"]["is_clicked_by_others"]
    plan = asyncio.run(planned(sampled, sql, "bigint, bigint, bytea", "1, 2, 'x'"))
    (scan,) = [node for node in plan if node.get("Relation Name") == "clicked_link"]
    assert scan["Index Name"] == "clicked_link_pkey"
    assert all(column in str(scan["Index Cond"]) for column in ("campaign_activity", "link"))


def test_concurrently_started_servers_migrate_once(place: str) -> None:
    async def work() -> None:
        stores = [create_store(Settings(data=place)) for _ in range(6)]
        await asyncio.gather(*(store.open() for store in stores))
        for store in stores:
            await store.close()

    asyncio.run(work())


AS_VERSION_11_LEFT_IT = (
    *APPLICATIONS,
    *PERMISSION,
    "DROP TABLE campaign_activity_hour, erased_hour, feed, feed_pruned",
    "DROP TABLE readiness, erased_contact",
    "CREATE TABLE erased_contact (key bytea PRIMARY KEY, account bigint NOT NULL, erased_time timestamptz NOT NULL)",
    "DROP INDEX contact_by_name, contact_by_last_name",
    "ALTER TABLE engagement ADD COLUMN first_time timestamptz",
    "DELETE FROM schema_migration WHERE number > 11",
)


def test_activities_recorded_during_migration_are_counted(place: str) -> None:
    history = list(sample(20, seed=1))
    asyncio.run(record(place, history))
    execute(place, *AS_VERSION_11_LEFT_IT)

    async def work() -> None:
        earlier = await asyncpg.connect(place)
        async with earlier.transaction():
            await earlier.execute("SELECT number FROM erasure")
            await earlier.execute("UPDATE tracking_activity SET created_time = created_time + interval '1 hour'")
            migrating = asyncio.create_task(record(place, []))
            while not await earlier.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                assert not migrating.done()
                await asyncio.sleep(0.01)
        await migrating
        told = await earlier.fetch("SELECT hour, sum(total)::bigint FROM campaign_activity_hour GROUP BY hour")
        should = await earlier.fetch(
            "SELECT date_trunc('hour', created_time, 'UTC'), count(*) FROM tracking_activity GROUP BY 1"
        )
        assert sorted(map(tuple, told)) == sorted(map(tuple, should))
        await earlier.close()

    asyncio.run(work())


def test_newer_schema_is_refused_unchanged(place: str) -> None:
    async def work() -> None:
        async with open_store(Settings(data=place)):
            pass
        connection = await asyncpg.connect(place)
        await connection.execute("INSERT INTO schema_migration (number, name) VALUES (999, 'of tomorrow')")
        await connection.close()
        with pytest.raises(SchemaTooNew, match="999"):
            await create_store(Settings(data=place)).open()

    asyncio.run(work())


def test_unreachable_database_is_reported() -> None:
    with pytest.raises(StoreUnavailable, match="can't be reached"):
        asyncio.run(create_store(Settings(data=f"postgresql://nobody@127.0.0.1:{free_port()}/none")).open())


def test_cluster_feed_query_returns_same_rows(place: str) -> None:
    async def work() -> None:
        async with open_store(Settings(data=place)) as store:
            start = await store.feed.head()
            await store.ingest.record([build_batch("default", list(sample(20, seed=1)))])
            rows = await store.feed.read(["default"], start, await store.feed.head())
            assert rows
            pool = Pool(place, 2, use_pgbouncer=False)
            await pool.open()
            columns = [list(column) for column in zip(*rows[0].keys, strict=True)]
            async with pool.acquire(3) as connection:
                queries = SQL["feed"]["get_activities"], CLUSTER["get_activities"]
                found = [await connection.fetch(query, list(range(len(columns[0]))), *columns) for query in queries]
            assert found[0]
            assert sorted(found[0]) == sorted(found[1])
            await pool.close()

    asyncio.run(work())


def test_concurrent_writers_record_each_activity_once(place: str) -> None:
    """Also those that bring it in another order, which the database may end by a deadlock."""
    history = list(sample(60, seed=3))

    async def work() -> None:
        async with open_store(Settings(data=place)) as one, open_store(Settings(data=place)) as other:
            batches = [build_batch("a", history[first::7]) for first in range(7)] + [build_batch("a", history)]
            outcomes = await asyncio.gather(
                *(store.ingest.record([batch]) for batch in batches for store in (one, other)),
                *(other.ingest.record([build_batch("a", reversed(history))]) for _ in range(3)),
            )
            assert sum(sum(outcome.accepted.values()) for (outcome,) in outcomes) == len(set(history))
            for contact_id in {activity.contact_id for activity in history}:
                found = [activity async for activity in one.activities.iterate("a", contact_id)]
                assert len(found) == len({each for each in history if each.contact_id == contact_id})

    asyncio.run(work())


def test_lock_timeout_is_reported_as_temporary(place: str) -> None:
    async def work() -> None:
        async with open_store(Settings(data=place)) as store:
            history = list(sample(1, seed=2))
            await store.ingest.record([build_batch("default", history)])
            connection = await asyncpg.connect(place)
            async with connection.transaction():
                await connection.execute("LOCK TABLE contact IN ACCESS EXCLUSIVE MODE")
                waited = await asyncio.gather(
                    store.ingest.record([build_batch("default", list(sample(2, seed=3)))]),
                    store.erasure.erase("default", history[0].contact_id),
                    return_exceptions=True,
                )
            assert [type(each) for each in waited] == [TimedOut, TimedOut]
            assert await store.erasure.erase("default", history[0].contact_id)
            await connection.close()

    asyncio.run(work())


@pytest.mark.parametrize("ahead", [False, True], ids=["at once", "made ready"])
def test_large_batch_is_counted_correctly(place: str, *, ahead: bool) -> None:
    """The three ways in: copied right into the table, staged after a duplicate was met, few as arrays."""
    history = list(sample(1_500, seed=2))[:12_000]

    async def work() -> None:
        async with open_store(Settings(data=place)) as store:
            seen = 0
            for first, last in ((0, 6_000), (3_000, 9_000), (0, 12_000), (0, 12_000)):
                batch = build_batch("a", history[first:last])
                (outcome,) = await store.ingest.record([await store.ingest.prepare(batch) if ahead else batch])
                assert sum(outcome.accepted.values()) == max(0, last - max(seen, first))
                assert outcome.duplicate == last - first - sum(outcome.accepted.values())
                seen = max(seen, last)
            assert [difference async for difference in store.verification.verify(repair=False)] == []

    asyncio.run(work())


def busy_history(seed: int, count: int) -> list[Activity]:
    """Activities of few contacts and campaign activities, who say several things, so that little is new for long."""
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


def latest_said(history: Iterable[Activity]) -> dict[str, tuple[str | None, ...]]:
    """What is known of each contact in the end, by brute force; of two at the same time, what came last."""
    said: dict[str, list[tuple[int, str | None]]] = {}
    for activity in history:
        latest = said.setdefault(activity.contact_id, [(0, None)] * 3)
        person = activity.person or ContactProfile()
        for place, value in enumerate((person.email_address, person.first_name, person.last_name)):
            if value is not None and activity.created_time >= latest[place][0]:
                latest[place] = activity.created_time, value
    return {contact_id: tuple(value for _, value in latest) for contact_id, latest in said.items()}


@pytest.mark.parametrize("seed", range(3))
def test_concurrently_prepared_chunks_are_counted_correctly(place: str, seed: int) -> None:
    history = busy_history(seed, 32_000)
    # Each event and each other activity once, as what a later delivery says doesn't count.
    history = list(
        {
            (each.contact_id, each.identity, None if each.event_id else (each.type, each.created_time)): each
            for each in reversed(history)
        }.values()
    )[::-1]

    async def work() -> None:
        async with open_store(Settings(data=place)) as store:
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
            found = {each.contact_id: each for each in await store.contacts.find("a", query)}
            for contact_id, said in latest_said(history).items():
                contact = found[contact_id]
                assert (contact.email_address, contact.first_name, contact.last_name) == said

    asyncio.run(work())


def test_engagement_added_after_lookup_is_counted_once(place: str) -> None:
    first, then = busy_history(8, 6_000), busy_history(9, 6_000)

    async def work() -> None:
        async with open_store(Settings(data=place)) as store, open_store(Settings(data=place)) as other:
            prepared = await store.ingest.prepare(build_batch("a", then))
            await other.ingest.record([build_batch("a", first)])
            await store.ingest.record([prepared])
            assert [difference async for difference in store.verification.verify(repair=False)] == []

    asyncio.run(work())


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
def test_large_batch_lookup_plan_uses_primary_key(large: str, name: str, types: str, values: str, index: str) -> None:
    plan = asyncio.run(planned(large, SQL["ingest"][name], types, values))
    assert index in {node.get("Index Name") for node in plan}
    assert "Seq Scan" not in {node["Node Type"] for node in plan}


def test_key_rotation_reaches_all_servers(place: str) -> None:
    with Server(place) as one, Server(place) as other, other.caller("default") as caller:
        caller.record(line())
        told = httpx.get(f"{one.url}/.well-known/jwks.json").json()
        assert told == httpx.get(f"{other.url}/.well-known/jwks.json").json()
        assert httpx.get(one.url + "/v3/reports/contact_reports/c1/activity_details").status_code == 401
        headers = {"authorization": f"Bearer {caller.bearer}"}
        parameters = {"tracking_activity_type": "em_opens"}
        path = "/v3/reports/contact_reports/c1/activity_details"
        assert httpx.get(one.url + path, params=parameters, headers=headers).status_code == 200


class Load(threading.Thread):
    """Posts an activity after the other, sending again what was not acknowledged, and reads between."""

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
        response = client.post("/track/v1/activities", json=[line(time=1_767_225_600_000 + number)])
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
        with server.caller("default") as caller:
            walked = [item for page in caller.walk("c1", "tracking_activity_type=em_opens") for item in page]
        times = [item["created_time"] for item in walked]
        assert len(times) == len(set(times))
        assert len(load.acknowledged) <= len(times) <= len(load.acknowledged) + 1


EVERY_SEND = TrackingQuery(type=ActivityType.EM_SENDS, after=START_OF_REPORT, not_before=EARLIEST, limit=3)


def sent_to(contact_id: str, email_address: str = "ada@example.com", time: int = 1_767_225_600_000) -> Activity:
    return Activity(
        contact_id=contact_id,
        campaign_activity_id="m",
        type=ActivityType.EM_SENDS,
        created_time=Instant(time),
        person=ContactProfile(email_address=email_address),
    )


def test_erasure_during_read_does_not_shorten_page(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read = reports._read_page  # noqa: SLF001 - between it and what follows there is no other way in

    async def work() -> None:
        async with open_store(Settings(data=place)) as store:
            await store.ingest.record([build_batch("a", [sent_to(f"c{number}") for number in range(5)])])
            every = await store.reports.list_tracking("a", "m", EVERY_SEND)
            assert every is not None
            gone = every[1].contact_id

            async def page(*params: Any) -> Sequence[Sequence[Any]]:  # noqa: ANN401 - whatever the page is asked by
                monkeypatch.setattr(reports, "_read_page", read)
                found = await read(*params)
                await store.erasure.erase("a", gone)
                await store.ingest.record([build_batch("a", [sent_to(gone, "later@example.com", 2_000_000_000_000)])])
                return found

            monkeypatch.setattr(reports, "_read_page", page)
            rows = await store.reports.list_tracking("a", "m", EVERY_SEND)
            assert rows is not None
            assert [row.contact_id for row in rows] == [gone, every[0].contact_id, every[2].contact_id]

    asyncio.run(work())
