"""A worker hangs under load: contacts on the other workers are served as before."""

import asyncio
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count

import httpx
import pytest

from tests.helpers.api import details_path, make_line
from tests.helpers.cluster import contacts_by_port, control, count_recorded, find_differences
from tests.helpers.server import Server

HANG = 40
"""Seconds that the worker hangs, and over which each rate is measured."""

FIRST_TIME = 1_767_225_600_000


class Client(threading.Thread):
    """Sends requests one after the other, and waits as long as a 503 says."""

    def __init__(self, server: Server, is_over: threading.Event) -> None:
        super().__init__()
        self._is_over = is_over
        self._server = server
        self._token = server.token("default")
        self.responses: list[tuple[float, int]] = []
        """Time and status of each response."""
        self.refusals: list[tuple[float, str]] = []
        self.longest = 0.0

    def run(self) -> None:
        headers = {"authorization": f"Bearer {self._token}"}
        with httpx.Client(base_url=self._server.url, headers=headers, timeout=60) as client:
            for turn in count():
                if self._is_over.is_set():
                    return
                self.send(client, turn)

    def send(self, client: httpx.Client, turn: int) -> None:
        """Send the next request."""
        raise NotImplementedError

    def note(self, response: httpx.Response) -> int:
        """Store the response's status; after a 503, wait."""
        assert response.status_code in {200, 204, 404, 503}, response.text
        self.longest = max(self.longest, response.elapsed.total_seconds())
        self.responses.append((time.monotonic(), response.status_code))
        if response.status_code == 503:
            self.refusals.append((time.monotonic(), response.text))
        if response.status_code == 503:
            time.sleep(float(response.headers["retry-after"]))
        return response.status_code

    def count(self, since: float, until: float) -> Counter[int]:
        """Count the responses of each status within a period."""
        return Counter(status for at, status in self.responses if since < at < until)


class Writer(Client):
    """Records batches of a few contacts, and repeats each until it is acknowledged."""

    def __init__(
        self,
        server: Server,
        is_over: threading.Event,
        batches: Sequence[Sequence[str]],
        campaign_activity_of: Callable[[int], str] = lambda _: "ca-1",
    ) -> None:
        super().__init__(server, is_over)
        self._batches = batches
        self._campaign_activity_of = campaign_activity_of
        self.acknowledged: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()

    def send(self, client: httpx.Client, turn: int) -> None:
        contacts = self._batches[turn % len(self._batches)]
        lines = [
            make_line(
                contact_id,
                time=FIRST_TIME + self.acknowledged[contact_id],
                campaign_activity_id=self._campaign_activity_of(turn),
            )
            for contact_id in contacts
        ]
        for contact_id in contacts:
            self.sent[contact_id] = self.acknowledged[contact_id] + 1
        if self.note(client.post("/track/v1/activities", json=lines)) == 200:
            self.acknowledged.update(contacts)


class Reader(Client):
    """Reads pages of contacts."""

    def __init__(self, server: Server, is_over: threading.Event, contacts: Sequence[str]) -> None:
        super().__init__(server, is_over)
        self._contacts = contacts

    def send(self, client: httpx.Client, turn: int) -> None:
        contact_id = self._contacts[turn % len(self._contacts)]
        self.note(client.get(details_path(contact_id), params={"tracking_activity_type": "em_opens"}))
        time.sleep(0.02)


class Eraser(Client):
    """Records and erases a contact of its own every second."""

    def __init__(self, server: Server, is_over: threading.Event, contacts: Sequence[str]) -> None:
        super().__init__(server, is_over)
        self._contacts = contacts

    def send(self, client: httpx.Client, turn: int) -> None:
        contact_id = self._contacts[turn % len(self._contacts)]
        self.note(client.post("/track/v1/activities", json=[make_line(contact_id, time=FIRST_TIME + turn)]))
        self.note(client.delete(f"/track/v1/contacts/{contact_id}"))
        time.sleep(1)


class Clients:
    """All concurrent clients."""

    def __init__(self, server: Server, healthy: Sequence[str], hung: Sequence[str]) -> None:
        self._is_over = threading.Event()
        common = server, self._is_over
        self.healthy_writers = [
            Writer(*common, [[contact_id] for contact_id in healthy[at : at + 4]]) for at in (0, 4, 8)
        ]
        self.hung_writers = [Writer(*common, [[contact_id] for contact_id in hung[at : at + 4]]) for at in (0, 4, 8)]
        self.mixed_writers = [Writer(*common, [[*healthy[at : at + 5], *hung[at : at + 5]]]) for at in (20, 25)]
        # New names are written to every node.
        self.naming_writer = Writer(*common, [healthy[30:31]], lambda turn: f"ca-{turn}")
        self.healthy_readers = [Reader(*common, healthy[:12])]
        self.hung_readers = [Reader(*common, hung[:12]) for _ in range(4)]
        self.healthy_eraser = Eraser(*common, healthy[40:80])
        self.hung_eraser = Eraser(*common, hung[40:80])

    @property
    def writers(self) -> list[Writer]:
        return [*self.healthy_writers, *self.hung_writers, *self.mixed_writers, self.naming_writer]

    @property
    def all(self) -> list[Client]:
        readers = [*self.healthy_readers, *self.hung_readers]
        return [*self.writers, *readers, self.healthy_eraser, self.hung_eraser]

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run the clients, and wait for them to end."""
        for client in self.all:
            client.start()
        try:
            yield
        finally:
            self._is_over.set()
            for client in self.all:
                client.join(90)


def sum_counts(clients: Sequence[Client], since: float, until: float) -> Counter[int]:
    return sum((client.count(since, until) for client in clients), Counter[int]())


@pytest.mark.parametrize("worker", [0, 1])
def test_hung_worker_does_not_affect_contacts_on_others(database_url: str, worker: int) -> None:
    by_port = contacts_by_port(database_url)
    ports = sorted(by_port)
    hung, healthy = by_port[ports[worker]], by_port[ports[1 - worker]]
    with Server(database_url) as server:
        clients = Clients(server, healthy, hung)
        with clients.running():
            time.sleep(8)
            before = time.monotonic()
            time.sleep(HANG)
            control("pause", str(worker + 1))
            gone = time.monotonic()
            try:
                time.sleep(HANG)
            finally:
                back = time.monotonic()
                control("resume", str(worker + 1))
            time.sleep(10)
            again = time.monotonic()
            time.sleep(5)
        end = time.monotonic()
        usual = sum_counts(clients.healthy_writers, before, before + HANG)
        during = sum_counts(clients.healthy_writers, gone, gone + HANG)
        read = sum_counts(clients.healthy_readers, gone, back)
        erased = clients.healthy_eraser.count(gone, back)
        for name, group in (
            ("healthy writers", clients.healthy_writers),
            ("healthy readers", clients.healthy_readers),
            ("healthy eraser", [clients.healthy_eraser]),
            ("mixed writers", clients.mixed_writers),
            ("hung writers", clients.hung_writers),
            ("hung readers", clients.hung_readers),
            ("naming writer", [clients.naming_writer]),
        ):
            longest = max(client.longest for client in group)
            counts = sum_counts(group, before, before + HANG), sum_counts(group, gone, back)
            sys.stdout.write(f"{name}: before {dict(counts[0])}, during {dict(counts[1])}, longest {longest:.1f} s\n")
        assert set(during) == {200}, during
        assert during[200] >= 0.9 * usual[200], (during, usual)
        assert set(read) == {200}, read
        assert 503 not in erased, erased
        failing = [*clients.hung_writers, *clients.hung_readers, *clients.mixed_writers]
        assert set(sum_counts(failing, gone + 5, back)) == {503}, "what needs the hung worker fails"
        late = [text for client in clients.all for at, text in client.refusals if again < at < end]
        assert not late
        for writer in clients.writers:
            for contact_id, acknowledged in writer.acknowledged.items():
                assert acknowledged <= count_recorded(server, contact_id) <= writer.sent[contact_id]
    assert asyncio.run(find_differences(database_url)) == []
