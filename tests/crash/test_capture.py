"""Crashes while webhooks arrive, whatever state the store is in: what was answered with 200 is recorded once."""

import json
import resource
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import httpx
import pytest

from rapport.capture.captured import CapturedRequest, encode_request
from rapport.capture.spool import SpoolWriter
from rapport.capture.spool_reader import read_status
from rapport.instant import DAY, Instant
from rapport.recording.hook_registry import create_hook
from rapport.settings import Settings
from rapport.store.engines import open_store
from tests.helpers.loop import run_async
from tests.helpers.postgres import Databases, postgres_server
from tests.helpers.server import Server

pytestmark = pytest.mark.slow

NOW = Instant(1_772_000_000_000)
CONTACT = "c1"
SENDERS = 4


def make_payload(number: int) -> bytes:
    """Return the report of an open, as a custom source sends it."""
    return json.dumps({"type": "opened", "at": NOW + number, "id": str(number), "contact": CONTACT}).encode()


class Hook:
    """A hook of a server, and what was acknowledged of the requests that were sent to it."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.hook_id, self._path = run_async(_create(server.data))
        self.acknowledged: set[str] = set()
        self.sent: set[str] = set()
        self._numbers = iter(range(1_000_000))

    def send(self, padding: bytes = b"") -> int:
        """Send the next request, and return the status of the response. Raises TransportError."""
        number = next(self._numbers)
        self.sent.add(str(number))
        response = httpx.post(self._server.url + self._path, content=make_payload(number) + padding, timeout=30)
        if response.status_code == httpx.codes.OK:
            self.acknowledged.add(str(number))
        return response.status_code

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Send from several threads until the server is gone."""

        def send_all() -> None:
            try:
                while True:
                    self.send()
            except httpx.TransportError:
                return

        threads = [threading.Thread(target=send_all, daemon=True) for _ in range(SENDERS)]
        for thread in threads:
            thread.start()
        yield
        for thread in threads:
            thread.join(30)

    def wait_for_acknowledged(self, count: int) -> None:
        wait_for(lambda: len(self.acknowledged) >= count)

    def check_recorded(self) -> None:
        """Check that every acknowledged request is recorded, and none twice, when the spool is empty."""
        spool = Path(self._server.log.parent / "spool")
        wait_for(lambda: read_status(spool).waiting_bytes == 0)
        recorded = run_async(_read_event_ids(self._server.data))
        assert len(recorded) == len(set(recorded))
        assert self.acknowledged <= {event_id.partition(":")[2] for event_id in recorded} <= self.sent


async def _create(data: str) -> tuple[str, str]:
    settings = {
        "mapping": json.dumps(
            {
                "type": "type",
                "created_time": "at",
                "event_id": "id",
                "contact_id": "contact",
                "types": {"opened": "em_opens"},
            }
        ),
        "campaign_activity": "constant:spring",
    }
    async with open_store(Settings(data=data)) as store:
        await store.accounts.ensure("default")
        active, secret = await create_hook(
            store, "default", "generic", name="Crashes", settings=settings, keys=(), now=NOW
        )
    return active.hook.hook_id, f"/in/generic/{active.hook.hook_id}.{secret}"


async def _read_event_ids(data: str) -> list[str]:
    async with open_store(Settings(data=data)) as store:
        return [activity.event_id or "" async for activity in store.activities.iterate("default", CONTACT)]


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Server]:
    """A server on SQLite that may be killed."""
    with Server(str(tmp_path / "data")) as running:
        yield running


def test_acknowledged_requests_survive_sigkill_once(served: Server) -> None:
    hook = Hook(served)
    with hook.sending():
        hook.wait_for_acknowledged(100)
        served.kill()
    served.start()
    hook.check_recorded()


def test_requests_are_acknowledged_while_sqlite_file_is_locked(served: Server) -> None:
    hook = Hook(served)
    hook.send()
    lock = apsw.Connection(str(Path(served.data) / "rapport.db"))
    lock.set_busy_timeout(30_000)
    lock.execute("BEGIN EXCLUSIVE")
    with hook.sending():
        hook.wait_for_acknowledged(50)
        served.kill()
    lock.close()
    served.start()
    hook.check_recorded()


def test_requests_are_acknowledged_while_postgresql_is_stopped() -> None:
    with (
        postgres_server() as postgres,
        Databases(postgres.url).migrated_schema() as location,
        Server(location) as server,
    ):
        hook = Hook(server)
        assert hook.send() == httpx.codes.OK
        postgres.stop("immediate")
        with hook.sending():
            hook.wait_for_acknowledged(50)
            server.kill()
        postgres.start()
        server.start()
        hook.check_recorded()


def test_full_disk_refuses_requests_and_keeps_acknowledged_ones(served: Server) -> None:
    hook = Hook(served)
    hook.send()
    (worker,) = served.worker_pids()
    # Neither the store nor the spool can grow.
    limit = max(file.stat().st_size for file in Path(served.data).iterdir()) + 100_000
    resource.prlimit(worker, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    statuses: list[int] = []
    while statuses.count(503) < 3:
        assert len(statuses) < 1_000
        statuses.append(hook.send(padding=b" " * 100_000))
    assert set(statuses) == {200, 503}
    served.kill()
    served.start()
    hook.check_recorded()
    hook.send()
    hook.check_recorded()


def test_requests_from_before_the_clock_was_set_back_are_recorded(served: Server) -> None:
    hook = Hook(served)
    served.kill()

    async def append() -> None:
        """Append as a server does whose clock is set back by days, again and again."""
        writer = SpoolWriter(served.log.parent / "spool", 1 << 30)
        writer.start()
        for number in range(50):
            received = Instant(time.time_ns() // 1_000_000 - number * DAY)
            request = CapturedRequest(
                account_id="default",
                hook_id=hook.hook_id,
                provider="generic",
                received_time=received,
                headers={},
                body=make_payload(number),
            )
            await writer.append(encode_request(request), received)
        await writer.stop()

    run_async(append())
    hook.sent = hook.acknowledged = {str(number) for number in range(50)}
    served.start()
    hook.check_recorded()
