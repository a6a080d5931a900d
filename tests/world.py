"""The people and things that tests are about: a real server, and callers with real tokens."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import httpx

from rapport.auth.keys import Keys, load_keys
from rapport.auth.register import new_token_id
from rapport.auth.scope import Role, Scope
from rapport.auth.token import Principal, make_token
from rapport.cli.command import now
from rapport.instant import HOUR, Instant
from rapport.settings import Settings, read_settings
from rapport.store.engines import open_store
from tests.network import free_port

RAPPORT = str(Path(sys.executable).with_name("rapport"))
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("RAPPORT_TEST_")}
"""What commands are run with: what is meant for the tests is no setting."""

EVERY_TYPE = (
    "em_sends,em_opens,em_clicks,em_bounces,em_optouts,em_forwards,"
    "p_contact_open,p_contact_click,p_contact_add,p_contact_update"
)
USUAL = frozenset({Scope.CONTACT_DATA, Scope.CAMPAIGN_DATA, Scope.ACTIVITY_WRITE})


def details(contact_id: str) -> str:
    """The path of the contact's activity details."""
    return f"/v3/reports/contact_reports/{contact_id}/activity_details"


def tracking(campaign_activity_id: str, report: str = "sends") -> str:
    """The path of a tracking report of the campaign activity."""
    return f"/v3/reports/email_reports/{campaign_activity_id}/tracking/{report}"


def landing_page(campaign_activity_id: str, report: str) -> str:
    """The path of a report on the landing page."""
    return f"/v3/reports/landing_pages/campaign_details/{campaign_activity_id}/{report}"


class Server:
    """`rapport serve`, as a process of its own."""

    def __init__(
        self, data: str, *, environment: Mapping[str, str] | None = None, workers: int = 1, command: str = RAPPORT
    ) -> None:
        self.data = data
        self._command = command
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = Path(tempfile.mkdtemp(prefix="rapport-")) / "log"
        self._workers = workers
        self._environment = {
            "RAPPORT_LIMITS": "off",
            "RAPPORT_SPOOL": str(self.log.parent / "spool"),
            **(environment or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._keys: Keys | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start, and return when it answers."""
        command = [
            self._command,
            "serve",
            "--data",
            self.data,
            "--port",
            str(self.port),
            "--workers",
            str(self._workers),
        ]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, env={**ENVIRONMENT, **self._environment}, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/readyz").status_code == httpx.codes.OK:
                    return
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise AssertionError(f"the server did not start:\n{self.log.read_text()}")
            time.sleep(0.02)

    def stop(self) -> int:
        """Ctrl-C, and its exit code."""
        process, self._process = self._process, None
        if process is None:
            return 0
        os.killpg(process.pid, signal.SIGINT)
        return process.wait(30)

    def kill(self) -> None:
        """`kill -9` of all its processes at once."""
        os.killpg(self.pid, signal.SIGKILL)
        self._gone()

    def kill_parent(self) -> None:
        """`kill -9` of its main process alone."""
        os.kill(self.pid, signal.SIGKILL)
        self._gone()

    def _gone(self) -> None:
        process, self._process = self._process, None
        assert process is not None
        process.wait(30)

    @property
    def pid(self) -> int:
        """Its main process."""
        assert self._process is not None
        return self._process.pid

    def worker_pids(self) -> list[int]:
        """The processes that serve."""
        found = subprocess.run(["pgrep", "-P", str(self.pid)], capture_output=True, text=True, check=False)
        return [int(pid) for pid in found.stdout.split()]

    def token(
        self, account: str, scopes: frozenset[Scope] = USUAL, role: Role = Role.OWNER, client: str | None = None
    ) -> str:
        """A token of the account, signed with the key that was current when the first was asked for."""
        if self._keys is None:
            self._keys = asyncio.run(_keys_of(read_settings(self._environment, data=self.data)))
        principal = Principal(account, client or account, "tests", role, scopes)
        return make_token(
            self._keys,
            principal,
            issuer="rapport",
            audience="rapport",
            now=now(),
            expires=Instant(now() + HOUR),
            token_id=new_token_id(),
        )

    @contextlib.contextmanager
    def caller(
        self, account: str, scopes: frozenset[Scope] = USUAL, role: Role = Role.OWNER, client: str | None = None
    ) -> Iterator["Caller"]:
        """Somebody with a token of the account."""
        with Caller(self.url, self.token(account, scopes, role, client)) as calling:
            yield calling


async def _keys_of(settings: Settings) -> Keys:
    async with open_store(settings) as store:
        return await load_keys(store.secrets)


async def create_store(data: str) -> None:
    """Create an empty store."""
    async with open_store(Settings(data=data)):
        pass


class Caller(httpx.Client):
    """An HTTP client with a token."""

    def __init__(self, url: str, token: str) -> None:
        super().__init__(base_url=url, headers={"authorization": f"Bearer {token}"}, timeout=60)
        self.bearer = token

    def record(self, *lines: Mapping[str, object]) -> dict[str, Any]:
        """Post the lines, and return the receipt."""
        body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        response = self.post("/track/v1/activities", content=body, headers={"content-type": "application/x-ndjson"})
        assert response.status_code == httpx.codes.OK, response.text
        receipt: dict[str, Any] = response.json()
        return receipt

    def page(self, contact_id: str, **parameters: str | int) -> httpx.Response:
        """Ask for a page."""
        return self.get(details(contact_id), params=parameters)

    def walk(self, contact_id: str, query: str) -> Iterator[list[dict[str, Any]]]:
        """The items of each page, following `_links.next.href` as clients do."""
        yield from self._walk(f"{details(contact_id)}?{query}")

    def walk_tracking(self, campaign_activity_id: str, report: str, query: str) -> Iterator[list[dict[str, Any]]]:
        """The same for a tracking report."""
        yield from self._walk(f"{tracking(campaign_activity_id, report)}?{query}")

    def walk_landing_page(self, campaign_activity_id: str, report: str, query: str) -> Iterator[list[dict[str, Any]]]:
        """The same for a report on a landing page."""
        yield from self._walk(f"{landing_page(campaign_activity_id, report)}?{query}")

    def _walk(self, href: str) -> Iterator[list[dict[str, Any]]]:
        while href:
            response = self.get(href)
            assert response.status_code == httpx.codes.OK, response.text
            page = response.json()
            yield page["tracking_activities"]
            href = page["_links"]["next"]["href"] if page["_links"] else ""


def line(
    contact_id: str = "c1",
    activity_type: str = "em_opens",
    time: str | int = "2026-03-01T10:00:00.000Z",
    **more: object,
) -> dict[str, object]:
    """A line as it comes in."""
    return {
        "contact_id": contact_id,
        "campaign_activity_id": "ca-1",
        "tracking_activity_type": activity_type,
        "created_time": time,
        **more,
    }
