"""A cluster: a contact is on one shard, a lost node affects only its contacts, and adding a node affects none."""

import asyncio
import re
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import httpx
import pytest
from asyncpg.exceptions import PostgresLogMessage

from rapport.activity import ActivityType
from rapport.auth.scope import Scope
from rapport.sample import generate_sample
from rapport.settings import Settings
from rapport.store.batch import Batch, build_batch
from rapport.store.engines import open_store
from rapport.store.hashing import contact_key
from rapport.store.postgres.activities import merge_ranges
from rapport.store.postgres.citus.cluster import Cluster
from rapport.store.postgres.citus.layout import ClusterLayout
from rapport.store.postgres.pool import SHARED, Connection, Contacts, Pool
from rapport.store.postgres.queries import SQL
from rapport.store.postgres.reports import page_statement
from tests.helpers.activities import make_activity
from tests.helpers.api import details_path, make_line
from tests.helpers.cluster import (
    CONTACTS,
    SPARE,
    URL,
    contact_port,
    contact_ports,
    contacts_by_port,
    control,
    count_recorded,
    fetch_rows,
    find_differences,
)
from tests.helpers.server import Server
from tests.helpers.web import open_browser


@pytest.mark.parametrize("types", [1, 3, 10])
def test_activity_page_reads_one_shard(database_url: str, types: int) -> None:
    values = ["'x'", "'2020-01-01'", "'2030-01-01'", "0", "101", *map(str, range(types))]
    sql = re.sub(r"\$(\d+)", lambda found: values[int(found[1]) - 1], merge_ranges("list_newest", types))
    plan = "\n".join(row[0] for row in asyncio.run(fetch_rows(database_url, f"EXPLAIN {sql}")))
    assert "Task Count: 1\n" in plan


@pytest.mark.parametrize(
    ("selections", "value"),
    [
        ((), ""),
        (("by_link",), "'{1}'"),
        (("by_bounce_code",), "1"),
        (("by_contact",), "'ada'"),
        (("latest_per_contact",), ""),
        (("not_opened",), ""),
        (("latest_per_contact_and_link",), ""),
    ],
)
def test_tracking_page_reads_at_most_its_limit_from_each_shard(
    database_url: str, selections: tuple[str, ...], value: str
) -> None:
    values = ["1", "0::smallint", "'2020-01-01'", "'2030-01-01'", "'x'", "0", "501", value]
    sql = re.sub(r"\$(\d+)", lambda found: values[int(found[1]) - 1], page_statement(selections))
    plan = "\n".join(row[0] for row in asyncio.run(fetch_rows(database_url, f"EXPLAIN {sql}")))
    assert re.search(r"->  Task\n.*\n +->  Limit ", plan), plan


@pytest.mark.parametrize("name", ["get_activity_stats", "get_campaign_stats"])
def test_counters_are_filtered_and_summed_on_shards(database_url: str, name: str) -> None:
    """They aren't fetched for all accounts and filtered on the coordinator."""
    sql = SQL["reports"][name].replace("$1", "'default'").replace("$2", "'{ca-1}'")
    plan = "\n".join(row[0] for row in asyncio.run(fetch_rows(database_url, f"EXPLAIN {sql}")))
    of_stats = plan.split("Distributed Subplan")[1]
    assert re.search("(Nested Loop|Join) .*\n", of_stats), plan
    assert re.search("(Group|Hash)Aggregate", of_stats), plan


class RecordingPool(Pool):
    """A pool that records the commands sent to the nodes."""

    def __init__(self, url: str) -> None:
        super().__init__(url, 1, use_pgbouncer=False)
        self.sent: list[str] = []

    @asynccontextmanager
    async def acquire(
        self,
        timeout: float,  # noqa: ASYNC109 - as the pool's own
        account_id: str = SHARED,
        contacts: Contacts = (),
    ) -> AsyncIterator[Connection]:
        async with super().acquire(timeout, account_id, contacts) as connection:

            def hear(_: object, message: PostgresLogMessage) -> None:
                self.sent.append(" ".join(message.as_dict().values()))

            connection.add_log_listener(hear)
            await connection.execute("SET citus.log_remote_commands = on; SET client_min_messages = log")
            yield connection
            connection.remove_log_listener(hear)


@pytest.mark.parametrize("count", [1, 40, 1_200])
def test_recording_one_contact_writes_one_shard_per_table(database_url: str, count: int) -> None:
    """Checked by the commands that the coordinator sends."""
    activity_types = list(ActivityType)

    def batch(first: int) -> Batch:
        return build_batch(
            "default",
            [make_activity("ada", activity_types[number % 10], number) for number in range(first, first + count)],
        )

    async def work() -> list[str]:
        cluster = Cluster(database_url, use_pgbouncer=False)
        pool = RecordingPool(database_url)
        await pool.open()
        writer = await cluster.open(pool, pool)
        await writer.record([batch(0)])
        pool.sent.clear()
        await writer.record([batch(count)])
        await cluster.close()
        await pool.close()
        return pool.sent

    sent = "\n".join(asyncio.run(work()))
    shards = {table: set(re.findall(rf"\b{table}_(\d+)", sent)) for table in ("tracking_activity", "engagement")}
    shards["stats"] = set(re.findall(r"\bcampaign_activity_stats_(\d+)", sent))
    assert {table: len(found) for table, found in shards.items()} == dict.fromkeys(shards, 1)
    assert len(set(re.findall(r"on server \S+@(\S+) connectionId", sent))) == 1


@pytest.mark.parametrize("ahead", [False, True], ids=["at once", "made ready"])
@pytest.mark.parametrize("step", [900, 6_000])
def test_batches_across_nodes_are_counted_correctly(database_url: str, step: int, *, ahead: bool) -> None:
    history = list(generate_sample(1_500, seed=2))[: 2 * step]
    half = step // 2

    async def work() -> None:
        async with open_store(Settings(data=database_url)) as store:
            seen = 0
            for first, last in ((0, step), (half, half + step), (0, 2 * step), (0, 2 * step)):
                batch = build_batch("a", history[first:last])
                (outcome,) = await store.ingest.record([await store.ingest.prepare(batch) if ahead else batch])
                assert sum(outcome.accepted.values()) == max(0, last - max(seen, first))
                assert outcome.duplicate == last - first - sum(outcome.accepted.values())
                seen = max(seen, last)
            for contact_id in {activity.contact_id for activity in history[:200]}:
                results = [activity async for activity in store.activities.iterate("a", contact_id)]
                assert len(results) == len({activity for activity in history if activity.contact_id == contact_id})

    asyncio.run(work())
    assert asyncio.run(find_differences(database_url)) == []


def test_erased_contact_is_removed_with_its_links(database_url: str) -> None:
    async def work() -> None:
        async with open_store(Settings(data=database_url)) as store:
            await store.ingest.record(
                [
                    build_batch(
                        "default", [make_activity(contact, ActivityType.EM_CLICKS, 1) for contact in CONTACTS[:20]]
                    )
                ]
            )
            assert all([await store.erasure.erase("default", contact) for contact in CONTACTS[:20]])
            assert not await store.erasure.erase("default", CONTACTS[0])
            again = [make_activity(contact, ActivityType.EM_CLICKS, 1) for contact in CONTACTS[:40]]
            (outcome,) = await store.ingest.record([build_batch("default", again)])
            assert (outcome.accepted, outcome.duplicate) == ({ActivityType.EM_CLICKS: 20}, 20)

    asyncio.run(work())
    assert asyncio.run(find_differences(database_url)) == []


def test_requests_about_one_contact_need_only_its_worker(database_url: str) -> None:
    hung, healthy = (contacts for _, contacts in sorted(contacts_by_port(database_url).items()))
    recorded, updated = healthy[:2]
    report = f"/v3/reports/contact_reports/{recorded}"
    include = "include=custom_fields,list_memberships,taggings"
    with Server(database_url) as server, server.client("default", frozenset(Scope)) as client:
        client.record(make_line(recorded), make_line(updated), make_line(hung[0]))
        update = {"contact_id": updated, "email_address": "ada@example.com", "list_memberships": ["news"]}
        assert client.post("/track/v1/contacts", json=[update]).json()["accepted"] == 1
        with open_browser(server, "default") as browser:
            control("pause", "1")
            try:
                # The circuit breaker hasn't noticed yet: whatever asks the hung worker waits.
                statuses = [
                    (method, path, http.request(method, path, json=content).status_code)
                    for http, method, path, content in (
                        (client, "GET", f"/v3/contacts/{recorded}?{include}", None),
                        (client, "GET", f"/v3/contacts/{updated}?{include}", None),
                        (client, "GET", f"{report}/activity_details?tracking_activity_type=em_opens", None),
                        (client, "GET", f"{report}/activity_summary?start=2025-12-01&end=2026-02-01", None),
                        (client, "GET", f"{report}/open_and_click_rates?start=2025-12-01&end=2026-02-01", None),
                        (client, "GET", f"/track/v1/export/activities?contact_id={recorded}", None),
                        (browser, "GET", f"/contacts/{recorded}", None),
                        (client, "POST", "/track/v1/activities", [make_line(recorded, time=1_767_225_600_001)]),
                        (client, "POST", "/track/v1/contacts", [{**update, "first_name": "Bob"}]),
                        (client, "PUT", f"/v3/contacts/{updated}", {"first_name": "Eve", "update_source": "Contact"}),
                        (client, "DELETE", f"/v3/contacts/{updated}", None),
                        (client, "DELETE", f"/track/v1/contacts/{recorded}", None),
                    )
                ]
            finally:
                control("resume", "1")
    assert [request for request in statuses if request[2] not in {200, 204}] == []


def test_contact_counters_are_colocated_with_contact(database_url: str) -> None:
    colocated = """
        SELECT DISTINCT nodeport FROM pg_dist_node JOIN pg_dist_placement USING (groupid)
        WHERE shardid IN (get_shard_id_for_distribution_column('engagement', $1::bytea),
                          get_shard_id_for_distribution_column('campaign_activity_stats', $2::bytea))
    """

    async def find_layout() -> ClusterLayout:
        cluster = Cluster(database_url, use_pgbouncer=False)
        pool = Pool(database_url, 1, use_pgbouncer=False)
        await cluster.open(pool, pool)
        shards = await cluster.placement.shards_of([contact_key("default", contact) for contact in CONTACTS[:24]])
        await cluster.close()
        return ClusterLayout(cluster.placement, shards)

    layout = asyncio.run(find_layout())
    for contact_id in CONTACTS[:24]:
        contact = contact_key("default", contact_id)
        ((port,),) = asyncio.run(fetch_rows(database_url, colocated, contact, layout.bucket_of(contact)))
        assert port == contact_port(database_url, contact_id)


class Load(threading.Thread):
    """Posts activities of contacts and reads them, repeatedly, retrying what was not acknowledged.

    Between the rounds it records and erases a contact on the same node.
    """

    def __init__(self, server: Server, contacts: list[str], going: list[str]) -> None:
        super().__init__()
        self._server = server
        self._token = server.token("default")
        self._contacts = contacts
        self._going = going
        self.over = threading.Event()
        self.may_erase = threading.Event()
        self.may_erase.set()
        self.acknowledged: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()
        self.statuses: list[tuple[float, str, int]] = []
        self.longest = 0.0

    def run(self) -> None:
        with httpx.Client(
            base_url=self._server.url, headers={"authorization": f"Bearer {self._token}"}, timeout=60
        ) as client:
            while not self.over.is_set():
                for contact_id in self._contacts:
                    self._one(client, contact_id)
                if self._going and self.may_erase.is_set():
                    self._erase(client, self._going.pop())

    def _erase(self, client: httpx.Client, contact_id: str) -> None:
        posted = client.post("/track/v1/activities", json=[make_line(contact_id=contact_id)])
        erased = client.delete(f"/track/v1/contacts/{contact_id}")
        for response in (posted, erased):
            assert response.status_code in {200, 204, 404} or (
                response.status_code == 503 and response.headers["retry-after"]
            )
            self.longest = max(self.longest, response.elapsed.total_seconds())

    def _one(self, client: httpx.Client, contact_id: str) -> None:
        number = self.acknowledged[contact_id]
        self.sent[contact_id] = max(self.sent[contact_id], number + 1)
        posted = client.post(
            "/track/v1/activities", json=[make_line(contact_id=contact_id, time=1_767_225_600_000 + number)]
        )
        if posted.status_code == 200:
            self.acknowledged[contact_id] += 1
        read = client.get(details_path(contact_id), params={"tracking_activity_type": "em_opens"})
        for response in (posted, read):
            assert response.status_code in {200, 404} or (
                response.status_code == 503 and response.headers["retry-after"]
            )
            self.longest = max(self.longest, response.elapsed.total_seconds())
            self.statuses.append((time.monotonic(), contact_id, response.status_code))

    def seen(self, since: float, until: float = float("inf")) -> dict[str, set[int]]:
        """Return the statuses for each contact within a period."""
        results: dict[str, set[int]] = {contact_id: set() for contact_id in self._contacts}
        for at, contact_id, status in self.statuses:
            if since < at < until:
                results[contact_id].add(status)
        return results


class Reports(threading.Thread):
    """Requests reports that read from every node, repeatedly."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self._caller = server.client("default")
        self.over = threading.Event()
        self.statuses: list[tuple[float, int]] = []
        self.longest = 0.0

    def run(self) -> None:
        paths = (
            "/v3/reports/stats/email_campaign_activities/ca-1",
            "/v3/reports/email_reports/ca-1/tracking/opens",
            "/v3/reports/email_reports/ca-1/tracking/unique_opens",
        )
        with self._caller as client:
            while not self.over.is_set():
                for path in paths:
                    response = client.get(path)
                    assert response.status_code in {200, 404} or (
                        response.status_code == 503 and response.headers["retry-after"]
                    )
                    self.longest = max(self.longest, response.elapsed.total_seconds())
                    self.statuses.append((time.monotonic(), response.status_code))
                time.sleep(0.2)

    def seen(self, since: float, until: float = float("inf")) -> set[int]:
        return {status for at, status in self.statuses if since < at < until}


class Running(NamedTuple):
    """A server and its clients."""

    server: Server
    by_port: dict[int, list[str]]
    loads: list[Load]
    reports: Reports

    def let_erase(self, may: bool) -> None:
        for load in self.loads:
            load.may_erase.set() if may else load.may_erase.clear()

    def end(self) -> None:
        for load in self.loads:
            load.over.set()
        self.reports.over.set()
        for thread in (*self.loads, self.reports):
            thread.join(60)


@pytest.fixture
def loads(database_url: str) -> Iterator[Running]:
    """A server under load, with a sender for the contacts of each worker."""
    by_port = contacts_by_port(database_url)
    with Server(database_url) as server:
        running = Running(
            server,
            by_port,
            [Load(server, contacts[:4], contacts[4:]) for contacts in by_port.values()],
            Reports(server),
        )
        for thread in (*running.loads, running.reports):
            thread.start()
        time.sleep(8)
        yield running
        running.end()


@pytest.mark.parametrize("how", ["killed", "hung"])
def test_lost_worker_affects_only_its_contacts(loads: Running, database_url: str, how: str) -> None:
    lost, other = loads.loads
    port = next(iter(loads.by_port))
    node = str(port - min(loads.by_port) + 1)
    # A node that starts to hang during an erasure blocks everybody (docs/scaling.md).
    loads.let_erase(False)
    time.sleep(1)
    control("kill9" if how == "killed" else "pause", node)
    gone = time.monotonic()
    loads.let_erase(True)
    time.sleep(25)
    back = time.monotonic()
    control("up" if how == "killed" else "resume", node)
    time.sleep(15)
    end = time.monotonic()
    time.sleep(5)
    loads.end()
    late = other.seen(gone + 10, back)
    assert all(200 in statuses for statuses in late.values()), "contacts of the other worker are served"
    assert all(503 in statuses for statuses in lost.seen(gone + 1, back).values() if statuses)
    assert 200 not in loads.reports.seen(gone + 1, back), "what every node has a part of waits for all"
    assert all(statuses == {200} for statuses in {**lost.seen(end), **other.seen(end)}.values() if statuses)
    assert loads.reports.seen(end) == {200}
    assert max(lost.longest, other.longest, loads.reports.longest) < 45
    for load in (lost, other):
        for contact_id, count in load.acknowledged.items():
            assert count <= count_recorded(loads.server, contact_id) <= load.sent[contact_id]
    assert asyncio.run(find_differences(database_url)) == []


def test_moving_shards_causes_no_client_errors(loads: Running, database_url: str) -> None:
    began = time.monotonic()
    asyncio.run(fetch_rows(URL, "SELECT citus_add_node('127.0.0.1', $1)", SPARE))
    try:
        asyncio.run(fetch_rows(database_url, "SELECT rebalance_table_shards('tracking_activity')"))
        moved = set(asyncio.run(contact_ports(database_url, CONTACTS[:24])))
        time.sleep(2)
        loads.end()
        assert SPARE in moved
        assert loads.reports.seen(began) == {200}
        for load in loads.loads:
            assert all(statuses == {200} for statuses in load.seen(began).values())
            for contact_id, count in load.acknowledged.items():
                assert count_recorded(loads.server, contact_id) == count
        assert asyncio.run(find_differences(database_url)) == []
    finally:
        # Shards that were moved away from a node are dropped later, and can't be moved back before.
        asyncio.run(fetch_rows(URL, "CALL citus_cleanup_orphaned_resources()"))
        asyncio.run(fetch_rows(URL, "SELECT citus_drain_node('127.0.0.1', $1)", SPARE))
        asyncio.run(fetch_rows(URL, "SELECT citus_remove_node('127.0.0.1', $1)", SPARE))
