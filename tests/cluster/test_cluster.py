"""What a cluster promises: one contact is one shard, a lost node is its own contacts' loss only, a new one nobody's."""

import asyncio
import os
import re
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator

import asyncpg
import httpx
import pytest

from rapport.store.digests import contact_key
from rapport.store.postgres import campaign_reader
from rapport.store.postgres.buckets import bucket_of
from rapport.store.postgres.reader import merged
from rapport.store.postgres.write import SQL
from tests.postgres import Databases
from tests.world import Server, details, line

URL = os.environ["RAPPORT_TEST_CITUS_URL"]
SPARE = int(os.environ["RAPPORT_TEST_CITUS_SPARE"])
CONTACTS = [f"c{number}" for number in range(24)]
NODE_OF = """
SELECT nodeport FROM pg_dist_node JOIN pg_dist_placement USING (groupid)
WHERE shardid = get_shard_id_for_distribution_column('tracking_activity', $1::bytea)
"""


@pytest.fixture
def place() -> Iterator[str]:
    with Databases(URL, citus=True).fresh() as url:
        yield url


def control(*words: str) -> None:
    subprocess.run([os.environ["RAPPORT_TEST_CITUS_CONTROL"], *words], check=True, capture_output=True)


async def ask(url: str, sql: str, *values: object) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(url)
    try:
        found: list[asyncpg.Record] = await connection.fetch(sql, *values)
        return found
    finally:
        await connection.close()


def port_of(place: str, contact_id: str) -> int:
    ((port,),) = asyncio.run(ask(place, NODE_OF, contact_key("default", contact_id)))
    return int(port)


@pytest.mark.parametrize("types", [1, 3, 10])
def test_a_page_touches_one_shard(place: str, types: int) -> None:
    values = ["'x'", "'2020-01-01'", "'2030-01-01'", "0", "101", *map(str, range(types))]
    sql = re.sub(r"\$(\d+)", lambda found: values[int(found[1]) - 1], merged("page", types))
    plan = "\n".join(row[0] for row in asyncio.run(ask(place, f"EXPLAIN {sql}")))
    assert "Task Count: 1\n" in plan


@pytest.mark.parametrize(("selected", "value"), [(None, ""), ("of_links", "'{1}'"), ("of_bounce_codes", "1")])
def test_a_page_of_a_campaign_activity_takes_no_more_than_itself_from_each_shard(
    place: str, selected: str | None, value: str
) -> None:
    values = ["1", "0::smallint", "'2020-01-01'", "'2030-01-01'", "'x'", "0", "501", value]
    sql = re.sub(r"\$(\d+)", lambda found: values[int(found[1]) - 1], campaign_reader.page_of(selected))
    plan = "\n".join(row[0] for row in asyncio.run(ask(place, f"EXPLAIN {sql}")))
    assert re.search(r"->  Task\n.*\n +->  Limit ", plan), plan


def test_recording_one_contact_touches_one_shard(place: str) -> None:
    """By the commands that the coordinator really sends."""
    sent: list[str] = []

    async def work() -> None:
        connection = await asyncpg.connect(place)
        connection.add_log_listener(lambda _connection, message: sent.append(message.message))
        await connection.execute("SET citus.log_remote_commands = on; SET client_min_messages = log")
        now = await connection.fetchval("SELECT now()")
        rows = [(now, n, 1, None, None, 1, None, None, contact_key("a", "c"), None, None) for n in range(40)]
        await connection.execute(SQL["add_activities"], *map(list, zip(*rows, strict=True)))
        await asyncio.sleep(0.1)
        await connection.close()

    asyncio.run(work())
    assert len(set(re.findall(r"tracking_activity_(\d+)", "\n".join(sent)))) == 1


def test_the_counts_of_a_contact_lie_beside_it(place: str) -> None:
    beside = """
        SELECT DISTINCT nodeport FROM pg_dist_node JOIN pg_dist_placement USING (groupid)
        WHERE shardid IN (get_shard_id_for_distribution_column('engagement', $1::bytea),
                          get_shard_id_for_distribution_column('campaign_activity_stats', $2::bytea))
    """
    for contact_id in CONTACTS:
        contact = contact_key("default", contact_id)
        ((port,),) = asyncio.run(ask(place, beside, contact, bucket_of(contact)))
        assert port == port_of(place, contact_id)


class Load(threading.Thread):
    """Posts to and reads of one contact after the other, again and again, sending again what was not acknowledged."""

    def __init__(self, server: Server, contacts: list[str]) -> None:
        super().__init__()
        self._server = server
        self._token = server.token("default")
        self._contacts = contacts
        self.over = threading.Event()
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

    def _one(self, client: httpx.Client, contact_id: str) -> None:
        number = self.acknowledged[contact_id]
        self.sent[contact_id] = max(self.sent[contact_id], number + 1)
        posted = client.post(
            "/track/v1/activities", json=[line(contact_id=contact_id, time=1_767_225_600_000 + number)]
        )
        if posted.status_code == 200:
            self.acknowledged[contact_id] += 1
        read = client.get(details(contact_id), params={"tracking_activity_type": "em_opens"})
        for answer in (posted, read):
            assert answer.status_code in {200, 404} or (answer.status_code == 503 and answer.headers["retry-after"])
            self.longest = max(self.longest, answer.elapsed.total_seconds())
            self.statuses.append((time.monotonic(), contact_id, answer.status_code))

    def seen(self, since: float, until: float = float("inf")) -> dict[str, set[int]]:
        """The statuses of each contact in a time."""
        found: dict[str, set[int]] = {contact_id: set() for contact_id in self._contacts}
        for at, contact_id, status in self.statuses:
            if since < at < until:
                found[contact_id].add(status)
        return found


def recorded(server: Server, contact_id: str) -> int:
    with server.caller("default") as caller:
        times = [
            item["created_time"] for page in caller.walk(contact_id, "tracking_activity_type=em_opens") for item in page
        ]
    assert len(times) == len(set(times))
    return len(times)


@pytest.fixture
def loads(place: str) -> Iterator[tuple[Server, dict[int, list[str]], list[Load]]]:
    """A server under load, a sender for the contacts of each worker."""
    by_port: dict[int, list[str]] = {}
    for contact_id in CONTACTS:
        by_port.setdefault(port_of(place, contact_id), []).append(contact_id)
    assert len(by_port) == 2
    with Server(place) as server:
        running = [Load(server, contacts[:4]) for contacts in by_port.values()]
        for load in running:
            load.start()
        time.sleep(8)
        yield server, by_port, running
        for load in running:
            load.over.set()
            load.join(60)


@pytest.mark.parametrize("how", ["killed", "hung"])
def test_a_lost_worker_is_only_its_own_contacts_loss(
    loads: tuple[Server, dict[int, list[str]], list[Load]], how: str
) -> None:
    server, by_port, (lost, other) = loads
    port = next(iter(by_port))
    node = str(port - min(by_port) + 1)
    control("kill9" if how == "killed" else "pause", node)
    gone = time.monotonic()
    time.sleep(25)
    back = time.monotonic()
    control("up" if how == "killed" else "resume", node)
    time.sleep(15)
    end = time.monotonic()
    time.sleep(5)
    for load in (lost, other):
        load.over.set()
        load.join(60)
    late = other.seen(gone + 10, back)
    assert all(200 in statuses for statuses in late.values()), "contacts of the other worker are served"
    assert all(503 in statuses for statuses in lost.seen(gone + 1, back).values() if statuses)
    assert all(statuses == {200} for statuses in {**lost.seen(end), **other.seen(end)}.values() if statuses)
    assert max(lost.longest, other.longest) < 45
    for load in (lost, other):
        for contact_id, count in load.acknowledged.items():
            assert count <= recorded(server, contact_id) <= load.sent[contact_id]


def test_shards_are_moved_to_a_new_worker_without_an_error_that_a_client_sees(
    loads: tuple[Server, dict[int, list[str]], list[Load]], place: str
) -> None:
    server, _, running = loads
    began = time.monotonic()
    asyncio.run(ask(URL, "SELECT citus_add_node('127.0.0.1', $1)", SPARE))
    try:
        asyncio.run(ask(place, "SELECT rebalance_table_shards('tracking_activity')"))
        moved = {port_of(place, contact_id) for contact_id in CONTACTS}
        time.sleep(2)
        for load in running:
            load.over.set()
            load.join(60)
        assert SPARE in moved
        for load in running:
            assert all(statuses == {200} for statuses in load.seen(began).values())
            for contact_id, count in load.acknowledged.items():
                assert recorded(server, contact_id) == count
    finally:
        asyncio.run(ask(URL, "SELECT citus_drain_node('127.0.0.1', $1)", SPARE))
        asyncio.run(ask(URL, "SELECT citus_remove_node('127.0.0.1', $1)", SPARE))
