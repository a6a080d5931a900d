"""SQLite's write-ahead log: requests that fill the disk, erasures that block writers, and a full disk."""

import contextlib
import resource
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import apsw
import httpx
import pytest

from tests.helpers.api import ApiClient, make_line
from tests.helpers.attacks import LARGE
from tests.helpers.command import run_rapport_process
from tests.helpers.cost import measure_cost
from tests.helpers.server import Server

pytestmark = pytest.mark.slow

MAX_LOG = 40_000_000
"""Bytes. The log is truncated at 16 MB, and grows until that is done."""


@pytest.fixture
def location(tmp_path: Path) -> str:
    return str(tmp_path / "data")


@dataclass
class Writes:
    """Writes of another client: the longest wait in seconds, and counts."""

    longest_wait: float = 0.0
    accepted: int = 0
    refused: int = 0

    def __str__(self) -> str:
        return (
            f"another client's write waited {self.longest_wait:.2f} s at most"
            f" ({self.accepted} accepted, {self.refused} refused)"
        )


@contextlib.contextmanager
def measure_writes(server: Server) -> Iterator[Writes]:
    """Record activities repeatedly during an attack, and print the longest wait."""
    writes, stop = Writes(), threading.Event()

    def write() -> None:
        with server.client("other") as client:
            while not stop.wait(0.02):
                began = time.monotonic()
                response = client.post(
                    "/track/v1/activities", json=[make_line(time=1_767_225_600_000 + writes.accepted)]
                )
                writes.longest_wait = max(writes.longest_wait, time.monotonic() - began)
                if response.status_code == httpx.codes.OK:
                    writes.accepted += 1
                else:
                    writes.refused += 1

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield writes
    finally:
        stop.set()
        thread.join()
        print(writes)


@contextlib.contextmanager
def watch_log(location: str) -> Iterator[list[int]]:
    """Sample the size of the log; the last item of the list is the largest."""
    sizes, stop = [0], threading.Event()

    def watch() -> None:
        while not stop.wait(0.01):
            sizes.append(max(sizes[-1], get_log_size(location)))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield sizes
    finally:
        stop.set()
        thread.join()
        print(f"the log had {sizes[-1] / 1e6:.1f} MB at most, {get_log_size(location) / 1e6:.1f} MB in the end")


def get_log_size(location: str) -> int:
    return (Path(location) / "rapport.db-wal").stat().st_size


def wait_until_empty(location: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while get_log_size(location) > 0:
        assert time.monotonic() < deadline, "the log is not emptied"
        time.sleep(0.02)


@contextlib.contextmanager
def open_reader(location: str) -> Iterator[None]:
    """Keep a read transaction open, as a backup or an SQL shell does."""
    connection = apsw.Connection(str(Path(location) / "rapport.db"))
    connection.execute("BEGIN")
    connection.execute("SELECT count(*) FROM contact").fetchall()
    try:
        yield
    finally:
        connection.close()


def make_personal_line(contact_id: str) -> dict[str, object]:
    return make_line(contact_id, email_address=f"zz{contact_id}@example.com", first_name=f"Zz{contact_id}")


def files_contain(location: str, text: bytes) -> list[str]:
    return [file.name for file in Path(location).iterdir() if text in file.read_bytes()]


@pytest.mark.parametrize("requests", [6_000, 40_000] if LARGE else [6_000])
def test_throttled_client_does_not_fill_disk(location: str, requests: int) -> None:
    with Server(location, environment={"RAPPORT_LIMITS": "constant-contact"}) as server:
        token = server.token("default", client="attacker")

        def ask(_: int) -> None:
            with ApiClient(server.url, token) as client:
                for _ in range(requests // 8):
                    client.get("/v3/account/user/privileges")

        with measure_cost(server), watch_log(location) as sizes, ThreadPoolExecutor(8) as threads:
            list(threads.map(ask, range(8)))
        assert sizes[-1] < MAX_LOG
        wait_until_empty(location)


@pytest.mark.parametrize("activity_type", ["contacts", "campaigns"])
def test_contact_updates_do_not_fill_disk(location: str, activity_type: str) -> None:
    with Server(location) as server, server.client("default") as client:
        with measure_cost(server), watch_log(location) as sizes:
            for batch in range(16 if LARGE else 8):
                ids = range(batch * 2_000, (batch + 1) * 2_000)
                if activity_type == "contacts":
                    lines = [{"contact_id": f"c{number}", "email_address": f"c{number}@example.com"} for number in ids]
                else:
                    lines = [{"campaign_id": f"k{number}", "campaign_name": "x" * 200} for number in ids]
                assert client.post(f"/track/v1/{activity_type}", json=lines).status_code == httpx.codes.OK
        assert sizes[-1] < MAX_LOG
        wait_until_empty(location)


def test_erasures_do_not_fill_disk(location: str) -> None:
    with Server(location) as server, server.client("default") as client:
        for first in range(0, 20_000, 5_000):
            client.record(
                *(
                    make_line(f"c{number % 40}", time=1_767_225_600_000 + number)
                    for number in range(first, first + 5_000)
                )
            )
        with watch_log(location) as sizes:
            for number in range(40):
                assert client.delete(f"/track/v1/contacts/c{number}").status_code == httpx.codes.NO_CONTENT
        assert sizes[-1] < MAX_LOG
        wait_until_empty(location)


def test_erasures_during_long_read_do_not_block_writers(location: str) -> None:
    with Server(location) as server, server.client("default") as client:
        client.record(*(make_personal_line(f"p{number}") for number in range(6)))
        with open_reader(location):
            with measure_cost(server), measure_writes(server) as writes:
                began = time.monotonic()
                with ThreadPoolExecutor(3) as threads:
                    deleted = threads.map(lambda number: client.delete(f"/track/v1/contacts/p{number}"), range(6))
                    assert [response.status_code for response in deleted] == [204] * 6
                print(f"6 erasures took {time.monotonic() - began:.1f} s")
                time.sleep(1)
            assert writes.refused == 0
            assert writes.longest_wait < 10
            assert files_contain(location, b"zzp3@")
        wait_until_empty(location)
        assert files_contain(location, b"zzp") == []


def test_erasure_by_command_is_finished_by_server(location: str) -> None:
    with Server(location) as server, server.client("default") as client:
        client.record(make_personal_line("p1"), make_personal_line("p2"))
        with open_reader(location):
            run_rapport_process("erase", "p1", "--yes", "--data", location)
            assert files_contain(location, b"zzp1@")
        wait_until_empty(location)
        assert files_contain(location, b"zzp1@") == []
        assert files_contain(location, b"zzp2@") != []


def test_erasures_on_full_disk_report_their_outcome(location: str) -> None:
    with Server(location) as server, server.client("default") as client:
        client.record(*(make_personal_line(f"p{number}") for number in range(40)))
        (worker,) = server.worker_pids()
        soft, hard = resource.prlimit(worker, resource.RLIMIT_FSIZE)
        with open_reader(location):
            # The log can grow a little, then neither it nor the database can.
            limit = max(get_log_size(location), (Path(location) / "rapport.db").stat().st_size) + 60_000
            resource.prlimit(worker, resource.RLIMIT_FSIZE, (limit, hard))
            statuses = [client.delete(f"/track/v1/contacts/p{number}").status_code for number in range(40)]
            assert set(statuses) == {204, 503}
            assert client.delete("/track/v1/contacts/nobody").status_code == 404
            # Each readiness check writes a page.
            assert 503 in [httpx.get(f"{server.url}/readyz").status_code for _ in range(40)]
            for number, status in enumerate(statuses):
                assert client.get(f"/v3/contacts/p{number}").status_code == (404 if status == 204 else 200)
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (soft, hard))
        wait_until_empty(location)
        assert httpx.get(f"{server.url}/readyz").status_code == 200
        for number, status in enumerate(statuses):
            assert client.delete(f"/track/v1/contacts/p{number}").status_code == (404 if status == 204 else 204)
        wait_until_empty(location)
        assert files_contain(location, b"zzp") == []
        assert "Traceback" not in server.log.read_text()


def test_erase_command_reports_full_disk(location: str) -> None:
    with Server(location) as server, server.client("default") as client:
        client.record(*(make_personal_line(f"p{number}") for number in range(3)))
        limit = get_log_size(location) + 1_000
        earlier, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most))
        try:
            error = run_rapport_process("erase", "p1", "--yes", "--data", location, code=1).stderr
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (earlier, most))
        assert "Traceback" not in error
        assert "Error: the database can't be used now" in error
        assert client.get("/v3/contacts/p1").status_code == httpx.codes.OK
