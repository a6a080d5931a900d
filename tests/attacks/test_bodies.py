"""Bodies that are cheap to send: small gzip that unpacks to much, bodies of millions of items, and half-sent ones."""

import contextlib
import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.attacks.attack import Cost, measure_cost
from tests.world import Server, line

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
def served(folder: Path) -> Iterator[Server]:
    """A server of its own, so that its memory is only that of the attack."""
    with Server(str(folder / "data")) as server:
        yield server


def send_at_once(server: Server, count: int, path: str, content: bytes, headers: dict[str, str]) -> list[int]:
    """Send a body from several clients at once; the statuses."""
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
    """Others are answered, and the memory stays below what a small machine has."""
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


@pytest.mark.slow
@pytest.mark.parametrize("path", ["activities", "contacts", "campaigns"])
@pytest.mark.parametrize("body", BODIES)
def test_sixteen_expensive_bodies_at_once_cost_others_little(tmp_path: Path, body: str, path: str) -> None:
    content, headers = BODIES[body]
    with served(tmp_path) as server:
        began = time.monotonic()
        with measure_cost(server) as cost:
            statuses = send_at_once(server, 16, f"/track/v1/{path}", content, headers)
        print(f"{body}, /{path}: {len(content):,} bytes, {time.monotonic() - began:.1f} s, {set(statuses)}")
        assert set(statuses) <= {200, 400, 413, 503}
        check_cost(cost)
