"""One account asks for more than its share; another one must hardly notice."""

import asyncio
import contextlib
import gzip
import itertools
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import apsw
import asyncpg
import httpx
import pytest

from rapport.settings import Settings
from rapport.store.engines import open_store
from tests.attacks.attack import Cost, measure_cost
from tests.world import Caller, Server, line

CONTACTS = 300_000
LONGEST_WAIT = 20.0
"""Seconds: not the goal, which is one second, but what a busy machine may take and a starved client would exceed."""


@pytest.fixture(scope="module")
def crowded(engine: str, databases: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server at which one account has so many contacts that counting them takes a while."""
    folder = tmp_path_factory.mktemp("crowded")
    with contextlib.ExitStack() as stack:
        data = str(folder / "data") if databases is None else stack.enter_context(databases.fresh())  # type: ignore[attr-defined]
        asyncio.run(open_once(data))
        if engine == "sqlite":
            add_contacts_to_file(Path(data) / "rapport.db")
        else:
            asyncio.run(add_contacts_to_database(data))
        yield stack.enter_context(Server(data))


async def open_once(data: str) -> None:
    async with open_store(Settings(data=data)) as store:
        await store.accounts.ensure("large")
        await store.accounts.ensure("small")


def add_contacts_to_file(file: Path) -> None:
    connection = apsw.Connection(str(file))
    connection.execute(
        "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?) "
        "INSERT INTO contact (account, contact_id, email_address) "
        "SELECT (SELECT key FROM account WHERE account_id = 'large'), 'c' || n, 'c' || n || '@example.com' FROM number",
        (CONTACTS,),
    )
    connection.close()


async def add_contacts_to_database(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(
        "INSERT INTO contact (key, account, contact_id, email_address) "
        "SELECT decode(md5('large' || n), 'hex'), (SELECT key FROM account WHERE account_id = 'large'), 'c' || n, "
        "'c' || n || '@example.com' FROM generate_series(1, $1::integer) AS n",
        CONTACTS,
    )
    await connection.close()


def request(server: Server, caller: Caller, path: str) -> socket.socket:
    """Send a request, and don't read what it is answered."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    connection.sendall(f"GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {caller.bearer}\r\n\r\n".encode())
    return connection


def check(cost: Cost) -> None:
    assert cost.requests > 1
    assert cost.failures == 0
    assert cost.longest_wait < LONGEST_WAIT
    assert cost.peak_memory < 400


@pytest.mark.slow
def test_abandoned_reports_do_not_delay_others(crowded: Server) -> None:
    with crowded.caller("large") as large, crowded.caller("small") as small:
        small.record(line())
        with measure_cost(crowded, "/v3/contacts?limit=1", small.bearer) as cost:
            for _ in range(6):
                for connection in [request(crowded, large, "/v3/contacts/counts") for _ in range(60)]:
                    connection.close()
                time.sleep(0.3)
            began = time.monotonic()
            assert large.get("/v3/contacts?limit=1").status_code == httpx.codes.OK
            print(f"the account's own next report waited {time.monotonic() - began:.2f} s")
        check(cost)
        began = time.monotonic()
        assert crowded.stop() == 0
        print(f"stopping took {time.monotonic() - began:.2f} s")
        assert time.monotonic() - began < 10
        crowded.start()


@pytest.mark.slow
def test_concurrent_reports_of_account_are_limited(crowded: Server) -> None:
    with crowded.caller("large") as large, crowded.caller("small") as small:
        small.record(line())
        with measure_cost(crowded, "/v3/contacts?limit=1", small.bearer) as cost:
            connections = [request(crowded, large, "/v3/contacts/counts") for _ in range(150)]
            responses = [connection.recv(12) for connection in connections]
            for connection in connections:
                connection.close()
        check(cost)
        assert set(responses) <= {b"HTTP/1.1 200", b"HTTP/1.1 503"}
        assert b"HTTP/1.1 200" in responses
        # A stop doesn't wait for reports in the queue.
        connections = [request(crowded, large, "/v3/contacts/counts") for _ in range(60)]
        began = time.monotonic()
        assert crowded.stop() == 0
        print(f"stopping took {time.monotonic() - began:.2f} s")
        assert time.monotonic() - began < 10
        for connection in connections:
            connection.close()
        crowded.start()


def large_campaigns(first: int) -> bytes:
    campaigns = [
        {
            "campaign_id": f"k{first + campaign}",
            "campaign_activities": [
                {
                    "campaign_activity_id": f"k{first + campaign}-{activity}",
                    "links": [{"link_url": f"https://example.com/{link}"} for link in range(1_000)],
                }
                for activity in range(100)
            ],
        }
        for campaign in range(4)
    ]
    return gzip.compress(b"\n".join(json.dumps(campaign).encode() for campaign in campaigns))


@pytest.mark.slow
def test_large_write_does_not_block_other_accounts(server: Server, account: str) -> None:
    headers = {"content-type": "application/x-ndjson", "content-encoding": "gzip"}
    contacts = gzip.compress(b"\n".join(json.dumps({"contact_id": f"c{n}"}).encode() for n in range(10_000)))
    with server.caller(account) as large, server.caller(f"{account}-small") as small:
        waits = []
        with measure_cost(server) as cost:
            process = asyncio.run(_write_beside(large, small, headers, [large_campaigns(0), contacts], waits))
            assert process == [200, 200]
        print(f"another account's write waited {max(waits):.2f} s at most, of {len(waits)}")
        assert len(waits) > 1
        check(cost)


async def _write_beside(
    large: Caller, small: Caller, headers: dict[str, str], bodies: list[bytes], waits: list[float]
) -> list[int]:
    base = str(large.base_url)
    async with (
        httpx.AsyncClient(base_url=base, headers=dict(large.headers), timeout=60) as attacker,
        httpx.AsyncClient(base_url=base, headers=dict(small.headers), timeout=60) as other,
    ):
        paths = ["/track/v1/campaigns", "/track/v1/contacts"]
        attacks = [
            asyncio.create_task(attacker.post(path, content=body, headers=headers))
            for path, body in zip(paths, bodies, strict=True)
        ]
        number = 0
        while not all(attack.done() for attack in attacks):
            began = time.monotonic()
            response = await other.post("/track/v1/activities", json=[line(time=1_767_225_600_000 + number)])
            assert response.status_code == httpx.codes.OK
            waits.append(time.monotonic() - began)
            number += 1
            await asyncio.sleep(0.02)
        return [(await attack).status_code for attack in attacks]


def test_account_uses_at_most_half_of_streams(data: str) -> None:
    with Server(data, environment={"RAPPORT_STREAMS": "8"}) as server, contextlib.ExitStack() as stack:
        large, small = (stack.enter_context(server.caller(account)) for account in ("large", "small"))

        def listen(caller: Caller) -> int:
            return stack.enter_context(caller.stream("GET", "/track/v1/stream")).status_code

        assert [listen(large) for _ in range(6)] == [200] * 4 + [503] * 2
        assert [listen(small) for _ in range(3)] == [200] * 2 + [503]


@pytest.mark.slow
def test_clients_that_do_not_read_are_disconnected(server: Server, account: str) -> None:
    with server.caller(account) as caller, server.caller(f"{account}-small") as small:
        small.record(line())
        url = "https://example.com/" + "\U0001f600" * 8_100
        for first in range(0, 500, 50):
            caller.record(
                *(
                    line("c1", "em_clicks", time=1_767_225_600_000 + number, link_url=f"{url}{number}")
                    for number in range(first, first + 50)
                )
            )
        path = "/v3/reports/email_reports/ca-1/tracking/clicks?limit=500"
        pages = list(caller.walk_tracking("ca-1", "clicks", "limit=500"))
        assert sum(map(len, pages)) == 500
        assert len(pages) > 1
        with measure_cost(server, "/v3/contacts?limit=1", small.bearer) as cost:
            connections = []
            for _ in range(100):
                connection = socket.socket()
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
                connection.connect(("127.0.0.1", server.port))
                text = f"GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {caller.bearer}\r\n\r\n"
                connection.sendall(text.encode())
                connections.append(connection)
            time.sleep(15)
        for connection in connections:
            connection.close()
        check(cost)


@pytest.mark.slow
def test_long_links_do_not_grow_memory(server: Server, account: str) -> None:
    with server.caller(account) as caller, server.caller(f"{account}-small") as small:
        small.record(line())
        text = "\U0001f600" * 8_000
        with measure_cost(server, "/v3/contacts?limit=1", small.bearer) as cost:
            for first in range(0, 18_000, 100):
                caller.record(
                    *(
                        line("c1", "em_clicks", time=1_767_225_600_000 + n, link_url=f"https://example.com/{n}{text}")
                        for n in range(first, first + 100)
                    )
                )
        check(cost)


@pytest.mark.slow
def test_invalid_tokens_do_not_delay_others(server: Server, account: str) -> None:
    with server.caller(account) as caller, server.caller(f"{account}-small") as small:
        small.record(line())
        head, claims, signature = caller.bearer.split(".")
        with measure_cost(server, "/v3/contacts?limit=1", small.bearer) as cost:
            refused = asyncio.run(_send_refused(server, head, claims, signature, seconds=8))
        print(f"{refused} tokens refused")
        check(cost)


async def _send_refused(server: Server, head: str, claims: str, signature: str, *, seconds: float) -> int:
    ends = time.monotonic() + seconds
    numbers = itertools.count()

    async def send(client: httpx.AsyncClient) -> None:
        while time.monotonic() < ends:
            token = f"{head}.{claims}.{next(numbers):08}{signature[8:]}"
            response = await client.get("/v3/contacts", headers={"authorization": f"Bearer {token}"})
            assert response.status_code == httpx.codes.UNAUTHORIZED

    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client, asyncio.TaskGroup() as group:
        for _ in range(100):
            group.create_task(send(client))
    return next(numbers)
