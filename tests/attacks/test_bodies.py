"""Bodies that are cheap to send: gzip bombs, bodies of millions of items, and incomplete ones."""

import contextlib
import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, product
from pathlib import Path

import httpx
import pytest

from tests.helpers.api import make_line
from tests.helpers.attacks import LARGE
from tests.helpers.cost import Cost, measure_cost
from tests.helpers.server import Server
from tests.helpers.waiting import wait_until

pytestmark = pytest.mark.slow

NDJSON = {"content-type": "application/x-ndjson"}
JSON = {"content-type": "application/json"}
GZIP = {"content-encoding": "gzip"}
MAX_BYTES = 16 * 1024 * 1024

ZEROS = b"[" + b"0," * (MAX_BYTES // 2 - 3) + b"0]"
LISTS = b"[[" + b"[]," * (MAX_BYTES // 3 - 3) + b"[]]]"
STRINGS = b'[["' + b'","' * (MAX_BYTES // 3 - 4) + b'"]]'
UNKNOWN_FIELD = b'[{"x":[' + b"{}," * 300_000 + b"{}]}]"
BLANK_LINES = b"\n" * MAX_BYTES
CAMPAIGN = b'[{"campaign_id":"c","campaign_activities":[' + b"{}," * 900_000 + b"{}]}]"
MEMBERS = gzip.compress(b"") * 700_000


@contextlib.contextmanager
def run_server(folder: Path) -> Iterator[Server]:
    """Run a server for one test, whose memory shows the attack only."""
    with Server(str(folder / "data")) as server:
        yield server


def send_at_once(server: Server, count: int, path: str, content: bytes, headers: dict[str, str]) -> list[int]:
    """Send a body from several clients at once and return the statuses."""
    statuses: list[int] = []
    token = server.token("attacker")

    def send() -> None:
        with httpx.Client(timeout=120) as client:
            response = client.post(
                f"{server.url}{path}", content=content, headers={**headers, "authorization": f"Bearer {token}"}
            )
            statuses.append(response.status_code)

    threads = [threading.Thread(target=send) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(statuses)


def check_cost(cost: Cost) -> None:
    """Check that other clients get responses, and that memory stays below that of a small machine."""
    assert cost.failures == 0
    assert cost.longest_wait < 20
    assert cost.peak_memory < 400


BODIES = {
    "gzip members": (MEMBERS, NDJSON | GZIP),
    "array of zeros": (gzip.compress(ZEROS), JSON | GZIP),
    "array of arrays": (gzip.compress(LISTS), JSON | GZIP),
    "array of strings": (gzip.compress(STRINGS), JSON | GZIP),
    "unknown field": (gzip.compress(UNKNOWN_FIELD), JSON | GZIP),
    "campaign activities": (gzip.compress(CAMPAIGN), JSON | GZIP),
    "blank lines": (gzip.compress(BLANK_LINES), NDJSON | GZIP),
    "plain array of zeros": (ZEROS, JSON),
    "plain blank lines": (BLANK_LINES, NDJSON),
}


PATHS = ("activities", "contacts", "campaigns")


@pytest.mark.parametrize(
    ("body", "path"),
    list(product(BODIES, PATHS)) if LARGE else list(zip(BODIES, cycle(PATHS), strict=False)),
)
def test_sixteen_expensive_bodies_barely_delay_other_clients(tmp_path: Path, body: str, path: str) -> None:
    content, headers = BODIES[body]
    with run_server(tmp_path) as server:
        began = time.monotonic()
        with measure_cost(server) as cost:
            statuses = send_at_once(server, 16, f"/track/v1/{path}", content, headers)
        print(f"{body}, /{path}: {len(content):,} bytes, {time.monotonic() - began:.1f} s, {set(statuses)}")
        assert set(statuses) <= {200, 400, 413, 503}
        check_cost(cost)


def test_requests_of_disconnected_clients_are_dropped(tmp_path: Path) -> None:
    content = gzip.compress(STRINGS)
    request = make_incomplete_request("/track/v1/activities", "{}", len(content)).removesuffix(b"t")
    request = request.replace(b"x-ndjson", b"json\r\nContent-Encoding: gzip")
    with run_server(tmp_path) as server:
        request = request.replace(b"{}", server.token("attacker").encode())
        with measure_cost(server) as cost:
            with open_connections(server, 16, request + content):
                time.sleep(0.2)
            began = time.monotonic()
            packed = gzip.compress(json.dumps(make_line()).encode())
            assert send_at_once(server, 1, "/track/v1/activities", packed, NDJSON | GZIP) == [200]
            print(f"another gzip body waited {time.monotonic() - began:.2f} s")
            began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 10
        assert server.log.read_text().count('"status":499') >= 8
        check_cost(cost)


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (gzip.compress(b"") * 240_000, NDJSON | GZIP, 413),
        (gzip.compress(b"") * 1_000, NDJSON | GZIP, 200),
        (gzip.compress(b"") * 1_001, NDJSON | GZIP, 413),
        (gzip.compress(b"[" + b"0," * 10_000 + b"0]"), JSON | GZIP, 413),
        (gzip.compress(ZEROS), JSON | GZIP, 413),
        (gzip.compress(LISTS), JSON | GZIP, 413),
        (gzip.compress(b'["' + b"x" * 300_000 + b'",' + b"0," * 200_000 + b"0]"), JSON | GZIP, 413),
        (gzip.compress(BLANK_LINES), NDJSON | GZIP, 200),
        (gzip.compress(BLANK_LINES + b"\n"), NDJSON | GZIP, 413),
        (gzip.compress(b"{}\n\n\n" * 10_001), NDJSON | GZIP, 413),
    ],
    ids=lambda each: str(each)[:12],
)
def test_bodies_with_too_many_parts_are_rejected(
    sqlite_server: Server, content: bytes, headers: dict[str, str], status: int
) -> None:
    for path in PATHS:
        assert send_at_once(sqlite_server, 1, f"/track/v1/{path}", content, headers) == [status]


def test_large_valid_bodies_are_recorded(server: Server, account: str) -> None:
    # Commas, brackets and quotation marks within strings, and more commas than there may be items.
    name = 'a, "b" [c] {d} \\ ' * 10
    lines = [make_line(f"c{number}", campaign_activity_name=name) for number in range(9_999)]
    with server.client(account) as client:
        for content, headers in (
            (json.dumps(lines, indent=1).encode(), JSON),
            (gzip.compress(json.dumps(lines, indent=1).encode()), JSON | GZIP),
            (gzip.compress(b"\n\n \n".join(json.dumps(line).encode() for line in lines)), NDJSON | GZIP),
        ):
            receipt = client.post("/track/v1/activities", content=content, headers=headers).json()
            assert (receipt["accepted"] + receipt["duplicate"], receipt["rejected"]) == (9_999, 0)
        assert client.page("c9998", tracking_activity_type="em_opens").json()["tracking_activities"]


def test_overlong_line_is_rejected_without_affecting_others(sqlite_server: Server, account: str) -> None:
    long = b'{"contact_id":"c1","x":[' + b"{}," * 60_000 + b"{}]}"
    with sqlite_server.client(account) as client:
        content = json.dumps(make_line()).encode() + b"\n" + long + b"\n"
        receipt = client.post("/track/v1/activities", content=content, headers=NDJSON).json()
        assert (receipt["accepted"], receipt["rejected"]) == (1, 1)
        assert receipt["rejections"][0]["reason"] == "must not be longer than 131072 bytes"
        receipt = client.post("/track/v1/campaigns", content=CAMPAIGN[1:-1] + b"\n", headers=NDJSON).json()
        assert receipt["rejections"][0]["reason"].startswith("must have at most 100 campaign activities")


def make_incomplete_request(path: str, token: str = "", length: int = 10_000) -> bytes:
    """Return a request whose body is incomplete."""
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    return (
        f"POST {path} HTTP/1.1\r\nHost: x\r\n{authorization}Content-Type: application/x-ndjson\r\n"
        f"Content-Length: {length}\r\n\r\nt"
    ).encode()


@contextlib.contextmanager
def open_connections(server: Server, count: int, request: bytes) -> Iterator[list[socket.socket]]:
    """Open connections that have each sent the beginning of a request."""
    opened: list[socket.socket] = []
    try:
        for _ in range(count):
            connection = socket.create_connection(("127.0.0.1", server.port), timeout=60)
            connection.sendall(request)
            opened.append(connection)
        yield opened
    finally:
        for connection in opened:
            connection.close()


def read_until_closed(connection: socket.socket) -> bytes:
    """Return everything the server sends until it closes the connection."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65_536):
            received += piece
    return received


def test_incomplete_forms_time_out_without_blocking_others(tmp_path: Path) -> None:
    with run_server(tmp_path) as server:
        with open_connections(server, 1_000, make_incomplete_request("/sign-in")) as opened:
            with measure_cost(server) as cost:
                began = time.monotonic()
                responses = [read_until_closed(connection) for connection in opened]
                print(f"1,000 half-sent forms given up after {time.monotonic() - began:.1f} s")
            assert all(response.startswith(b"HTTP/1.1 408 ") for response in responses)
            assert b"Request timed out" in responses[0]
            check_cost(cost)
        # Nothing is left of them: the next form is read as usual.
        form = httpx.post(f"{server.url}/sign-in", data={"token": "x"})
        assert form.status_code == 401


def test_disconnected_clients_are_logged_in_one_line_each(tmp_path: Path) -> None:
    with run_server(tmp_path) as server:
        token = server.token("default")
        for request in (make_incomplete_request("/sign-in"), make_incomplete_request("/track/v1/activities", token)):
            with open_connections(server, 20, request):
                pass
        wait_until(lambda: server.log.read_text().count('"status":499') == 40)
        log = server.log.read_text()
        assert "Traceback" not in log
        assert '"level":"error"' not in log


def test_incomplete_bodies_do_not_delay_shutdown(tmp_path: Path) -> None:
    with run_server(tmp_path) as server, contextlib.ExitStack() as stack:
        token = server.token("default")
        requests = [make_incomplete_request("/sign-in")]
        requests += [make_incomplete_request(f"/track/v1/{path}", token) for path in PATHS]
        opened = [stack.enter_context(open_connections(server, 50, request)) for request in requests]
        time.sleep(1)
        began = time.monotonic()
        assert server.stop() == 0
        taken = time.monotonic() - began
        print(f"stopped after {taken:.1f} s with 200 half-sent bodies")
        assert taken < 10
        for connections in opened:
            assert read_until_closed(connections[-1]).startswith(b"HTTP/1.1 408 ")


def send_slowly(connection: socket.socket) -> bytes:
    """Send a byte every half second until the connection is closed, and return the response."""
    connection.settimeout(0.5)
    received = b""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            connection.sendall(b" ")
            piece = connection.recv(65_536)
        except TimeoutError:
            continue
        except (ConnectionResetError, BrokenPipeError):
            break
        if not piece:
            break
        received += piece
    return received


def test_slow_activities_bodies_time_out(tmp_path: Path) -> None:
    """Those that arrive drop by drop, and those that don't arrive at all."""

    def measure(send: Callable[[socket.socket], bytes], connection: socket.socket) -> tuple[bytes, float]:
        began = time.monotonic()
        return send(connection), time.monotonic() - began

    with run_server(tmp_path) as server, ThreadPoolExecutor(2) as threads, contextlib.ExitStack() as stack:
        request = make_incomplete_request("/track/v1/activities", server.token("default"))
        connections = stack.enter_context(open_connections(server, 2, request))
        for response, seconds in threads.map(measure, (send_slowly, read_until_closed), connections):
            assert response.startswith(b"HTTP/1.1 408 ")
            assert 25 < seconds < 55


def test_body_in_pieces_is_read_while_it_arrives(sqlite_server: Server, account: str) -> None:
    content = json.dumps(make_line()).encode()
    with sqlite_server.client(account) as client:

        def pieces() -> Iterator[bytes]:
            for start in range(0, len(content), 20):
                time.sleep(0.1)
                yield content[start : start + 20]

        response = client.post("/track/v1/activities", content=pieces(), headers=NDJSON)
        assert response.json()["accepted"] == 1


def test_requests_without_body_do_not_wait_for_one(sqlite_server: Server) -> None:
    for method, path, status in (
        ("POST", "/nowhere", 404),
        ("POST", "/track/v1/activities", 401),
        ("GET", "/healthz", 200),
    ):
        request = make_incomplete_request(path).replace(b"POST", method.encode(), 1)
        with open_connections(sqlite_server, 1, request) as (connection,):
            assert read_until_closed(connection).startswith(f"HTTP/1.1 {status} ".encode())
