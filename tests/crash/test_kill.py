"""SIGKILL under load: every acknowledged activity is stored once, and nothing else changes."""

import json
import random
import resource
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from rapport.settings import Settings
from rapport.store.engines import open_store
from tests.helpers.api import ApiClient, make_line
from tests.helpers.loop import run_async
from tests.helpers.server import Server

pytestmark = pytest.mark.slow

CONTACTS = [f"c{number}" for number in range(8)]
LIVES = 6


class Sender(threading.Thread):
    """Posts activities while there is a server, and remembers which were acknowledged."""

    def __init__(self, url: str, token: str, seed: str) -> None:
        super().__init__(daemon=True)
        self._rng = random.Random(seed)
        self._seed = seed
        self._number = 0
        self._caller = ApiClient(url, token)
        self.sent: dict[str, dict[str, Any]] = {}
        self.acknowledged: set[str] = set()

    def run(self) -> None:
        try:
            while True:
                batch = [self._line() for _ in range(self._rng.choice([1, 1, 1, 5, 50]))]
                self.sent.update((line["event_id"], line) for line in batch)
                response = self._caller.post("/track/v1/activities", json=batch)
                if response.status_code == httpx.codes.OK:
                    assert response.json()["accepted"] == len(batch)
                    self.acknowledged.update(line["event_id"] for line in batch)
        except httpx.TransportError:
            # The server has ended; requests on their way were not acknowledged.
            return

    def _line(self) -> dict[str, Any]:
        self._number += 1
        return {
            **make_line(
                self._rng.choice(CONTACTS),
                self._rng.choice(["em_opens", "em_sends", "p_contact_open"]),
                1_767_225_600_000 + self._rng.randrange(100_000),
            ),
            "event_id": f"{self._seed}-{self._number}",
            "email_address": "ada@example.com",
        }


def read_activities(location: str) -> list[tuple[str, str, str | None]]:
    async def read() -> list[tuple[str, str, str | None]]:
        async with open_store(Settings(data=location)) as store:
            return [
                (activity.contact_id, activity.type.name.lower(), activity.event_id)
                for contact in CONTACTS
                async for activity in store.activities.iterate("default", contact)
            ]

    return run_async(read())


def wait_for_acknowledgement(senders: list[Sender]) -> None:
    """Wait for the first acknowledgement; a cluster's first commit is slow."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and not any(sender.acknowledged for sender in senders):
        time.sleep(0.01)


def test_acknowledged_activities_survive_sigkill_once(location: str) -> None:
    rng = random.Random(7)
    sent: dict[str, dict[str, Any]] = {}
    acknowledged: set[str] = set()
    server = Server(location)
    for life in range(LIVES):
        server.start()
        senders = [Sender(server.url, server.token("default"), f"{life}-{number}") for number in range(6)]
        for sender in senders:
            sender.start()
        wait_for_acknowledgement(senders)
        time.sleep(rng.uniform(0.05, 0.6))
        server.kill()
        for sender in senders:
            sender.join(30)
            sent.update(sender.sent)
            acknowledged |= sender.acknowledged

        results = read_activities(location)
        times_found = Counter(event for _, _, event in results)
        assert acknowledged <= set(times_found), "an acknowledged activity is gone"
        assert set(times_found.values()) <= {1}, "an activity is there twice"
        for contact, activity_type, event in results:
            assert event is not None
            assert (sent[event]["contact_id"], sent[event]["tracking_activity_type"]) == (contact, activity_type)
    assert len(acknowledged) > LIVES


def test_full_disk_acknowledges_nothing_and_recovers(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    with Server(data) as server, server.client("default") as client:
        client.record(make_line())
        (worker,) = server.worker_pids()
        size = max(file.stat().st_size for file in Path(data).iterdir())
        soft, hard = resource.prlimit(worker, resource.RLIMIT_FSIZE)
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (size + 200_000, hard))
        acknowledged = 1
        refused = 0
        for number in range(1, 60):
            lines = [make_line(time=1_767_225_600_000 + number * 1_000 + item) for item in range(200)]
            response = client.post("/track/v1/activities", json=lines)
            if response.status_code == 200:
                assert not refused
                acknowledged += response.json()["accepted"]
                continue
            assert response.status_code == 503
            assert response.json()["error_key"] == "service_unavailable"
            assert int(response.headers["retry-after"]) > 0
            refused += 1
            if refused == 3:
                break
        assert refused == 3
        # Reads still work.
        assert client.page("c1", tracking_activity_type="em_opens").status_code == 200
        assert httpx.get(f"{server.url}/healthz").status_code == 200

        resource.prlimit(worker, resource.RLIMIT_FSIZE, (soft, hard))
        assert client.post("/track/v1/activities", json=lines).json() == {
            "accepted": 200,
            "duplicate": 0,
            "rejected": 0,
            "rejections": [],
        }
        walked = sum(len(page) for page in client.walk("c1", "tracking_activity_type=em_opens"))
        assert walked == acknowledged + 200


def test_wal_left_by_crash_is_recovered(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    with Server(data) as server:
        with server.client("default") as client:
            client.record(make_line())
        server.kill()
        assert (Path(data) / "rapport.db-wal").stat().st_size > 0
        server.start()
        with server.client("default") as client:
            assert json.loads(client.page("c1", tracking_activity_type="em_opens").content)["tracking_activities"]
