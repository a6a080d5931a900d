"""Constant Contact's SDK for TypeScript and the command `ctct`, from npm, with only the host changed."""

import fcntl
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from rapport.auth.scope import Scope
from tests.helpers.oauth import App, approve_device, create_app
from tests.helpers.sdk_operations import (
    ADA,
    CAMPAIGN,
    EMAIL,
    FIELD,
    LIST,
    READS,
    TAG,
    WRITES,
    fill_account,
    is_contained,
)
from tests.helpers.server import Server
from tests.helpers.web import open_browser_by_link

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("npm") is None, reason="npm isn't installed"),
]

SOURCE = Path(__file__).with_name("javascript")
COMMANDS: dict[str, Any] = {
    "account show --extra physical_address": {"physical_address": {"city": "Boston"}},
    "account emails --status CONFIRMED": [{"email_address": "ada@example.com"}],
    "account address": {"city": "Boston"},
    "list list --counts --status active": [{"list_id": LIST, "membership_count": 1}],
    "tag list": [{"tag_id": TAG}],
    "segment list --sort-by name": [],
    "custom-field list": [{"custom_field_id": FIELD}],
    "bulk list": [],
    f"contact list --lists {LIST}": [{"contact_id": ADA}],
    f"contact get {ADA} --include list_memberships,notes": {"list_memberships": [LIST]},
    "email list": [{"campaign_id": CAMPAIGN}],
    f"email preview {CAMPAIGN}": {"campaign_activity_id": EMAIL},
    f"email schedule-info {CAMPAIGN}": [],
    "report campaigns": {"bulk_email_campaign_summaries": [{"campaign_id": CAMPAIGN}]},
    f"report contact-rate {ADA} --start 2026-01-01 --end 2026-12-31": {"average_open_rate": 1},
}
"""Commands that read, and what they print."""


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the clients, which are installed once for all workers, from the lock file and its digests."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "javascript-clients"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "installed").exists():
            shutil.copytree(SOURCE, folder, dirs_exist_ok=True)
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=300)
            (folder / "installed").touch()
    return folder


class Client:
    """The clients, for one account of the server."""

    def __init__(self, folder: Path, home: Path, server: Server) -> None:
        self._folder = folder
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "RAPPORT_URL": server.url,
            "CTCT_CONFIG_DIR": str(home / "ctct"),
        }

    def start(self, script: str, *args: str, **environment: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            ["node", "--require", "./use-server.cjs", script, *args],
            cwd=self._folder,
            env={**self._environment, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def start_ctct(self, *args: str) -> "subprocess.Popen[str]":
        return self.start("node_modules/@mattmaynes/ctct-cli/dist/cli.js", *args)

    def run_ctct(self, command: str) -> Any:  # noqa: ANN401 - JSON
        """Run a command that succeeds, and return what it prints."""
        return finish(self.start_ctct(*command.split()))


def finish(process: "subprocess.Popen[str]", stdin: str = "") -> Any:  # noqa: ANN401 - JSON
    with process:
        stdout, stderr = process.communicate(stdin, timeout=60)
    assert process.returncode == 0, (process.args, stdout, stderr)
    return json.loads(stdout)


@pytest.fixture
def client(clients: Path, tmp_path: Path, sqlite_server: Server) -> Client:
    return Client(clients, tmp_path, sqlite_server)


@pytest.fixture
def browser(sqlite_server: Server, account: str) -> Iterator[httpx.Client]:
    with open_browser_by_link(sqlite_server, account) as browser:
        yield browser


def test_sdk_calls_every_operation(client: Client, sqlite_server: Server, account: str) -> None:
    token = fill_account(sqlite_server, account)
    operations = (*READS, *WRITES)
    calls = [(operation.api, operation.javascript_method, operation.args) for operation in operations]
    results = finish(client.start("call-sdk.cjs", RAPPORT_TOKEN=token), json.dumps(calls))
    assert len(results) == len(operations)
    for operation, result in zip(operations, results, strict=True):
        assert result["status"] == operation.status, (operation, result)
        is_expected = operation.status >= 204 or is_contained(operation.expected, result["data"])
        assert is_expected, (operation, result)


def test_ctct_signs_in_with_a_device_and_refreshes(
    client: Client, browser: httpx.Client, sqlite_server: Server, account: str
) -> None:
    fill_account(sqlite_server, account)
    app = create_app(sqlite_server, account, scopes=frozenset(Scope), is_public=True)
    client.run_ctct(f"init --client-id {app.client_id} --storage file --from-email ada@example.com")
    log_in(client, browser, app)
    with ThreadPoolExecutor(3) as threads:
        for (command, expected), printed in zip(COMMANDS.items(), threads.map(client.run_ctct, COMMANDS), strict=True):
            assert is_contained(expected, printed), (command, printed)
    refreshed = client.run_ctct("refresh-token")
    assert (refreshed["rotated"], refreshed["saved_to_session"]) == (True, True)
    added = client.run_ctct(f"contact add --email bob@example.com --phone 555-1212 --list {LIST} --tag {TAG}")
    put = f"""contact update {added["contact_id"]} --first-name Bob --data {{"update_source":"Account"}}"""
    assert client.run_ctct(put)["first_name"] == "Bob"
    # With --email it sends an object, where Constant Contact documents a string.
    upserted = client.run_ctct(f"""contact upsert --list {LIST} --data {{"email_address":"bob@example.com"}}""")
    assert upserted == {"contact_id": added["contact_id"], "action": "updated"}
    client.run_ctct(f"contact delete {added['contact_id']}")


def log_in(client: Client, browser: httpx.Client, app: App) -> None:
    """Sign in with `ctct login`, and approve the code that it shows."""
    process = client.start_ctct("login", "--no-open")
    assert process.stderr is not None
    shown = ""
    while "Waiting for authorization" not in shown:
        line = process.stderr.readline()
        assert line, shown
        shown += line
    code = re.search(r"Enter code: (\S+)", shown)
    assert code is not None
    assert approve_device(browser, code[1]).status_code == 200
    result = finish(process)
    assert result["ok"]
    assert "offline_access" in result["scopes"]
    assert app.client_id in client.run_ctct("status")["client_id"]
