"""kill -9 under load, many times: every acknowledged activity is there once, and nothing else has changed."""

import asyncio
import json
import random
import resource
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from rapport.settings import Settings
from rapport.store.engines import open_store
from tests.world import Caller, Server, line

CONTACTS = [f"c{number}" for number in range(8)]
LIVES = 10


class Sender(threading.Thread):
    """Posts activities, one or several at a time, as long as there is a server; remembers what was acknowledged."""

    def __init__(self, url: str, token: str, seed: str) -> None:
        super().__init__(daemon=True)
        self._dice = random.Random(seed)
        self._seed = seed
        self._number = 0
        self._caller = Caller(url, token)
        self.sent: dict[str, dict[str, Any]] = {}
        self.acknowledged: set[str] = set()

    def run(self) -> None:
        try:
            while True:
                batch = [self._line() for _ in range(self._dice.choice([1, 1, 1, 5, 50]))]
                self.sent.update((each["event_id"], each) for each in batch)
                response = self._caller.post("/track/v1/activities", json=batch)
                if response.status_code == httpx.codes.OK:
                    assert response.json()["accepted"] == len(batch)
                    self.acknowledged.update(each["event_id"] for each in batch)
        except httpx.TransportError:
            # The server is gone; what is on its way now was not acknowledged.
            return

    def _line(self) -> dict[str, Any]:
        self._number += 1
        return {
            **line(
                self._dice.choice(CONTACTS),
                self._dice.choice(["em_opens", "em_sends", "p_contact_open"]),
                1_767_225_600_000 + self._dice.randrange(100_000),
            ),
            "event_id": f"{self._seed}-{self._number}",
            "email_address": "ada@example.com",
        }


def recorded(data: str) -> list[tuple[str, str, str | None]]:
    async def read() -> list[tuple[str, str, str | None]]:
        async with open_store(Settings(data=data)) as store:
            return [
                (activity.contact_id, activity.type.name.lower(), activity.event_id)
                for contact in CONTACTS
                async for activity in store.activities.iterate("default", contact)
            ]

    return asyncio.run(read())


def wait_for_the_first(senders: list[Sender]) -> None:
    """Until something is acknowledged: a cluster's first commit takes its time."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and not any(sender.acknowledged for sender in senders):
        time.sleep(0.01)


def test_acknowledged_activities_survive_sigkill_once(data: str) -> None:
    rng = random.Random(7)
    sent: dict[str, dict[str, Any]] = {}
    acknowledged: set[str] = set()
    server = Server(data)
    for life in range(LIVES):
        server.start()
        senders = [Sender(server.url, server.token("default"), f"{life}-{number}") for number in range(6)]
        for sender in senders:
            sender.start()
        wait_for_the_first(senders)
        time.sleep(rng.uniform(0.05, 0.6))
        server.kill()
        for sender in senders:
            sender.join(30)
            sent.update(sender.sent)
            acknowledged |= sender.acknowledged

        found = recorded(data)
        times_found = Counter(event for _, _, event in found)
        assert acknowledged <= set(times_found), "an acknowledged activity is gone"
        assert set(times_found.values()) <= {1}, "an activity is there twice"
        for contact, activity_type, event in found:
            assert event is not None
            assert (sent[event]["contact_id"], sent[event]["tracking_activity_type"]) == (contact, activity_type)
    assert len(acknowledged) > LIVES


def test_full_disk_acknowledges_nothing_and_recovers(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    with Server(data) as server, server.caller("default") as caller:
        caller.record(line())
        (worker,) = server.worker_pids()
        size = max(file.stat().st_size for file in Path(data).iterdir())
        soft, hard = resource.prlimit(worker, resource.RLIMIT_FSIZE)
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (size + 200_000, hard))
        acknowledged = 1
        refused = 0
        for number in range(1, 60):
            lines = [line(time=1_767_225_600_000 + number * 1_000 + each) for each in range(200)]
            response = caller.post("/track/v1/activities", json=lines)
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
        # Reading goes on meanwhile.
        assert caller.page("c1", tracking_activity_type="em_opens").status_code == 200
        assert httpx.get(f"{server.url}/healthz").status_code == 200

        resource.prlimit(worker, resource.RLIMIT_FSIZE, (soft, hard))
        assert caller.post("/track/v1/activities", json=lines).json() == {
            "accepted": 200,
            "duplicate": 0,
            "rejected": 0,
            "rejections": [],
        }
        walked = sum(len(page) for page in caller.walk("c1", "tracking_activity_type=em_opens"))
        assert walked == acknowledged + 200


def test_wal_left_by_crash_is_recovered(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    with Server(data) as server:
        with server.caller("default") as caller:
            caller.record(line())
        server.kill()
        assert (Path(data) / "rapport.db-wal").stat().st_size > 0
        server.start()
        with server.caller("default") as caller:
            assert json.loads(caller.page("c1", tracking_activity_type="em_opens").content)["tracking_activities"]
