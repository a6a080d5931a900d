"""SQLite's write-ahead log: requests that fill the disk, erasures that block writers, and a disk that is full."""

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

from tests.attacks.attack import measure_cost
from tests.cli.command import rapport
from tests.world import Caller, Server, line

MAX_LOG = 40_000_000
"""Bytes. The log is emptied at 16 MB; what comes in meanwhile is added to it."""


@pytest.fixture
def data(tmp_path: Path) -> str:
    return str(tmp_path / "data")


@dataclass
class Writes:
    """What another client's writes cost: seconds, and how many there were."""

    longest_wait: float = 0.0
    accepted: int = 0
    refused: int = 0

    def __str__(self) -> str:
        return (
            f"another client's write waited {self.longest_wait:.2f} s at most"
            f" ({self.accepted} accepted, {self.refused} refused)"
        )


@contextlib.contextmanager
def other_writes(server: Server) -> Iterator[Writes]:
    """Record an activity again and again during an attack, and print how long each took at most."""
    writes, stop = Writes(), threading.Event()

    def write() -> None:
        with server.caller("other") as caller:
            while not stop.wait(0.02):
                began = time.monotonic()
                response = caller.post("/track/v1/activities", json=[line(time=1_767_225_600_000 + writes.accepted)])
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
def watch_log(data: str) -> Iterator[list[int]]:
    """Sample the size of the log; the largest is the last item of what is given."""
    sizes, stop = [0], threading.Event()

    def watch() -> None:
        while not stop.wait(0.01):
            sizes.append(max(sizes[-1], log_size(data)))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield sizes
    finally:
        stop.set()
        thread.join()
        print(f"the log had {sizes[-1] / 1e6:.1f} MB at most, {log_size(data) / 1e6:.1f} MB in the end")


def log_size(data: str) -> int:
    return (Path(data) / "rapport.db-wal").stat().st_size


def wait_until_empty(data: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while log_size(data) > 0:
        assert time.monotonic() < deadline, "the log is not emptied"
        time.sleep(0.02)


@contextlib.contextmanager
def open_reader(data: str) -> Iterator[None]:
    """Read from the database for as long as this is open, as a backup does, or somebody who looks with SQL."""
    connection = apsw.Connection(str(Path(data) / "rapport.db"))
    connection.execute("BEGIN")
    connection.execute("SELECT count(*) FROM contact").fetchall()
    try:
        yield
    finally:
        connection.close()


def personal(contact_id: str) -> dict[str, object]:
    return line(contact_id, email_address=f"zz{contact_id}@example.com", first_name=f"Zz{contact_id}")


def files_hold(data: str, text: bytes) -> list[str]:
    return [file.name for file in Path(data).iterdir() if text in file.read_bytes()]


@pytest.mark.parametrize("requests", [6_000, pytest.param(40_000, marks=pytest.mark.slow)])
def test_throttled_client_does_not_fill_disk(data: str, requests: int) -> None:
    with Server(data, environment={"RAPPORT_LIMITS": "constant-contact"}) as server:
        token = server.token("default", client="attacker")

        def ask(_: int) -> None:
            with Caller(server.url, token) as caller:
                for _ in range(requests // 8):
                    caller.get("/v3/account/user/privileges")

        with measure_cost(server), watch_log(data) as sizes, ThreadPoolExecutor(8) as threads:
            list(threads.map(ask, range(8)))
        assert sizes[-1] < MAX_LOG
        wait_until_empty(data)


@pytest.mark.parametrize("activity_type", ["contacts", "campaigns"])
def test_contact_updates_do_not_fill_disk(data: str, activity_type: str) -> None:
    with Server(data) as server, server.caller("default") as caller:
        with measure_cost(server), watch_log(data) as sizes:
            for batch in range(16):
                ids = range(batch * 2_000, (batch + 1) * 2_000)
                if activity_type == "contacts":
                    lines = [{"contact_id": f"c{number}", "email_address": f"c{number}@example.com"} for number in ids]
                else:
                    lines = [{"campaign_id": f"k{number}", "campaign_name": "x" * 200} for number in ids]
                assert caller.post(f"/track/v1/{activity_type}", json=lines).status_code == httpx.codes.OK
        assert sizes[-1] < MAX_LOG
        wait_until_empty(data)


def test_erasures_do_not_fill_disk(data: str) -> None:
    with Server(data) as server, server.caller("default") as caller:
        for first in range(0, 20_000, 5_000):
            caller.record(
                *(line(f"c{number % 40}", time=1_767_225_600_000 + number) for number in range(first, first + 5_000))
            )
        with watch_log(data) as sizes:
            for number in range(40):
                assert caller.delete(f"/track/v1/contacts/c{number}").status_code == httpx.codes.NO_CONTENT
        assert sizes[-1] < MAX_LOG
        wait_until_empty(data)


def test_erasures_during_long_read_do_not_block_writers(data: str) -> None:
    with Server(data) as server, server.caller("default") as caller:
        caller.record(*(personal(f"p{number}") for number in range(6)))
        with open_reader(data):
            with measure_cost(server), other_writes(server) as writes:
                began = time.monotonic()
                with ThreadPoolExecutor(3) as threads:
                    deleted = threads.map(lambda number: caller.delete(f"/track/v1/contacts/p{number}"), range(6))
                    assert [response.status_code for response in deleted] == [204] * 6
                print(f"6 erasures took {time.monotonic() - began:.1f} s")
                time.sleep(1)
            assert writes.refused == 0
            assert writes.longest_wait < 10
            assert files_hold(data, b"zzp3@")
        wait_until_empty(data)
        assert files_hold(data, b"zzp") == []


def test_erasure_by_command_is_finished_by_server(data: str) -> None:
    with Server(data) as server, server.caller("default") as caller:
        caller.record(personal("p1"), personal("p2"))
        with open_reader(data):
            rapport("erase", "p1", "--yes", "--data", data)
            assert files_hold(data, b"zzp1@")
        wait_until_empty(data)
        assert files_hold(data, b"zzp1@") == []
        assert files_hold(data, b"zzp2@") != []


def test_erasures_on_full_disk_report_their_outcome(data: str) -> None:
    with Server(data) as server, server.caller("default") as caller:
        caller.record(*(personal(f"p{number}") for number in range(40)))
        (worker,) = server.worker_pids()
        soft, hard = resource.prlimit(worker, resource.RLIMIT_FSIZE)
        with open_reader(data):
            # The log can grow a little, and neither it nor the database any further.
            limit = max(log_size(data), (Path(data) / "rapport.db").stat().st_size) + 60_000
            resource.prlimit(worker, resource.RLIMIT_FSIZE, (limit, hard))
            statuses = [caller.delete(f"/track/v1/contacts/p{number}").status_code for number in range(40)]
            assert set(statuses) == {204, 503}
            assert caller.delete("/track/v1/contacts/nobody").status_code == 404
            # Each look writes a page.
            assert 503 in [httpx.get(f"{server.url}/readyz").status_code for _ in range(40)]
            for number, status in enumerate(statuses):
                assert caller.get(f"/v3/contacts/p{number}").status_code == (404 if status == 204 else 200)
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (soft, hard))
        wait_until_empty(data)
        assert httpx.get(f"{server.url}/readyz").status_code == 200
        for number, status in enumerate(statuses):
            assert caller.delete(f"/track/v1/contacts/p{number}").status_code == (404 if status == 204 else 204)
        wait_until_empty(data)
        assert files_hold(data, b"zzp") == []
        assert "Traceback" not in server.log.read_text()


def test_erase_command_reports_full_disk(data: str) -> None:
    with Server(data) as server, server.caller("default") as caller:
        caller.record(*(personal(f"p{number}") for number in range(3)))
        limit = log_size(data) + 1_000
        earlier, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most))
        try:
            error = rapport("erase", "p1", "--yes", "--data", data, code=1).stderr
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (earlier, most))
        assert "Traceback" not in error
        assert "Error: the database can't be used now" in error
        assert caller.get("/v3/contacts/p1").status_code == httpx.codes.OK
