"""A real server in a process of its own, and clients with real tokens."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

import httpx

from rapport.auth.keys import Keys, load_keys
from rapport.auth.scope import Role, Scope
from rapport.auth.token import Principal, sign_token
from rapport.auth.token_registry import create_token_id
from rapport.cli.command import now
from rapport.instant import HOUR, Instant
from rapport.settings import Settings, read_settings
from rapport.store.engines import open_store
from tests.helpers.api import ApiClient
from tests.helpers.loop import run_async
from tests.helpers.network import find_free_port

RAPPORT = str(Path(sys.executable).with_name("rapport"))
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("RAPPORT_TEST_")}
"""Environment of commands, without the variables that configure the tests."""

DEFAULT_SCOPES = frozenset({Scope.CONTACT_DATA, Scope.CAMPAIGN_DATA, Scope.ACTIVITY_WRITE})


class Server:
    """`rapport serve` in a process of its own."""

    def __init__(
        self, data: str, *, environment: Mapping[str, str] | None = None, workers: int = 1, command: str = RAPPORT
    ) -> None:
        self.data = data
        self._command = command
        self.port = find_free_port()
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
        """Start the server and wait until it is ready."""
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
        """Send Ctrl-C and return the exit code."""
        process, self._process = self._process, None
        if process is None:
            return 0
        os.killpg(process.pid, signal.SIGINT)
        return process.wait(30)

    def kill(self) -> None:
        """Send SIGKILL to all of its processes."""
        os.killpg(self.pid, signal.SIGKILL)
        self._wait()

    def kill_parent(self) -> None:
        """Send SIGKILL to its main process only."""
        os.kill(self.pid, signal.SIGKILL)
        self._wait()

    def _wait(self) -> None:
        process, self._process = self._process, None
        assert process is not None
        process.wait(30)

    @property
    def pid(self) -> int:
        """Process id of the main process."""
        assert self._process is not None
        return self._process.pid

    def worker_pids(self) -> list[int]:
        """Return the process ids of the workers."""
        listed = subprocess.run(["pgrep", "-P", str(self.pid)], capture_output=True, text=True, check=False)
        return [int(pid) for pid in listed.stdout.split()]

    def token(
        self,
        account: str,
        scopes: frozenset[Scope] = DEFAULT_SCOPES,
        role: Role = Role.OWNER,
        client: str | None = None,
    ) -> str:
        """Return a token of the account, signed with the key that was current at the first call."""
        if self._keys is None:
            self._keys = run_async(_load_keys(read_settings(self._environment, data=self.data)))
        principal = Principal(account, client or account, "tests", role, scopes)
        return sign_token(
            self._keys,
            principal,
            issuer="rapport",
            audience="rapport",
            now=now(),
            expires=Instant(now() + HOUR),
            token_id=create_token_id(),
        )

    @contextlib.contextmanager
    def client(
        self,
        account: str,
        scopes: frozenset[Scope] = DEFAULT_SCOPES,
        role: Role = Role.OWNER,
        client: str | None = None,
    ) -> Iterator[ApiClient]:
        """Open a client with a token of the account."""
        with ApiClient(self.url, self.token(account, scopes, role, client)) as api_client:
            yield api_client


async def _load_keys(settings: Settings) -> Keys:
    async with open_store(settings) as store:
        return await load_keys(store.secrets)


async def create_store(data: str) -> None:
    """Create an empty store."""
    async with open_store(Settings(data=data)):
        pass
