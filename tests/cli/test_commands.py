"""Commands without a module of their own, and options that all commands share."""

import base64
import json
import signal
import socket
import subprocess
import time
from pathlib import Path

import click
import httpx
import pytest

from rapport.cli.main import rapport as commands
from tests.helpers.api import details_path, make_line
from tests.helpers.command import run_rapport, run_rapport_process
from tests.helpers.network import find_free_port
from tests.helpers.server import RAPPORT, Server

pytestmark = pytest.mark.slow


def list_commands() -> list[list[str]]:
    results: list[list[str]] = [[]]
    context = click.Context(commands)
    for name in commands.list_commands(context):
        command = commands.get_command(context, name)
        results += [[name], *([name, subcommand] for subcommand in getattr(command, "commands", {}))]
    return results


GROUPS_AND_COPY = {"account", "app", "capture", "copy", "hook", "keys", "token", "user"}
"""Commands without --data: groups, and the one that takes two stores."""


@pytest.mark.parametrize("command", list_commands(), ids=" ".join)
def test_help_contains_examples(command: list[str]) -> None:
    output = run_rapport(*command, "--help").stdout
    assert output.startswith("Usage: rapport")
    assert len(output.splitlines()) > 6


@pytest.mark.parametrize("command", list_commands(), ids=" ".join)
def test_command_summaries_are_not_truncated(command: list[str]) -> None:
    assert "..." not in run_rapport(*command, "--help").stdout.partition("Commands:")[2]


@pytest.mark.parametrize(
    "command",
    [
        command
        for command in list_commands()
        if command
        and command not in (["account"], ["app"], ["capture"], ["copy"], ["hook"], ["keys"], ["token"], ["user"])
    ],
    ids=" ".join,
)
def test_every_command_accepts_data_option(command: list[str]) -> None:
    assert "--data" in run_rapport(*command, "--help").stdout


def test_data_option_overrides_variable_and_default(tmp_path: Path) -> None:
    run_rapport("token", "create", "--create", folder=tmp_path)
    assert (tmp_path / "data" / "rapport.db").exists()
    run_rapport("token", "create", "--create", folder=tmp_path, environment={"RAPPORT_DATA": "from-variable"})
    assert (tmp_path / "from-variable" / "rapport.db").exists()
    run_rapport(
        "token", "create", "--create", "--data", "from-option", folder=tmp_path, environment={"RAPPORT_DATA": "never"}
    )
    assert (tmp_path / "from-option" / "rapport.db").exists()
    assert not (tmp_path / "never").exists()


def test_token_command_prints_only_token_to_stdout(location: str) -> None:
    process = run_rapport("token", "create", "--data", location)
    claims = decode_claims(process.stdout.strip())
    assert process.stdout.count("\n") == 1
    assert claims["account"] == "default"
    assert claims["scp"] == ["account_read", "activity_write", "campaign_data", "contact_data"]
    assert claims["role"] == "owner"
    assert claims["exp"] - claims["iat"] == 86_400


def test_token_has_requested_permissions(location: str) -> None:
    process = run_rapport(
        *("token", "create", "--data", location, "--account", "acme", "--scope", "campaign_data contact_data"),
        *("--role", "campaign_creator", "--expires", "90s", "--client", "crm"),
    )
    claims = decode_claims(process.stdout.strip())
    assert (claims["account"], claims["cid"], claims["role"]) == ("acme", "crm", "campaign_creator")
    assert claims["scp"] == ["campaign_data", "contact_data"]
    assert claims["exp"] - claims["iat"] == 90
    assert 'created account "acme"' in process.stderr
    assert (
        'created account "acme"' not in run_rapport("token", "create", "--data", location, "--account", "acme").stderr
    )


def decode_claims(token: str) -> dict[str, object]:
    payload = token.split(".")[1]
    claims: dict[str, object] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("token", "create", "--scope", "contact_data everything"), "unknown scope 'everything'"),
        (("token", "create", "--expires", "soon"), "24h"),
        (("token", "create", "--expires", "401d"), "400d"),
        (("token", "create", "--account", "a b"), "letters, digits"),
        (("token", "create", "--client", "a b"), "letters, digits"),
        (("token", "create", "--role", "emperor"), "campaign_creator"),
        (("serve", "--port", "0"), "--port='0'"),
        (("serve", "--workers", "1000"), "--workers='1000'"),
        (("import",), "FILE"),
        (("export", " "), "1 to 255 characters"),
        (("demo", "--contacts", "0"), "--contacts"),
    ],
)
def test_invalid_argument_error_lists_allowed_values(tmp_path: Path, arguments: tuple[str, ...], expected: str) -> None:
    code = 1 if arguments[0] == "serve" else 2
    assert expected in run_rapport(*arguments, "--data", str(tmp_path / "data"), code=code).stderr


def test_invalid_and_misspelled_settings_are_reported(location: str) -> None:
    error = run_rapport("token", "create", "--data", location, environment={"RAPPORT_LIMITS": "some"}, code=1).stderr
    assert "RAPPORT_LIMITS='some': must be one of generous, constant-contact, off" in error
    error = run_rapport("token", "create", "--data", location, environment={"RAPPORT_LIMTIS": "off"}).stderr
    assert "unknown setting RAPPORT_LIMTIS" in error


def test_port_in_use_is_reported(location: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        error = run_rapport_process("serve", "--data", location, "--port", port, code=1).stderr
    assert f"port {port} is already in use" in error
    assert "--port" in error


def test_unusable_data_directory_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    error = run_rapport("token", "create", "--data", str(tmp_path / "file" / "data"), "--create", code=1).stderr
    assert "\nError: the data directory" in error
    assert "Traceback" not in error


def test_backup_of_running_server_serves_same_data(engine: str, location: str, tmp_path: Path) -> None:
    with Server(location) as server, server.client("default") as client:
        client.record(make_line())
        copy = tmp_path / "backups" / "monday"
        run_rapport("backup", str(copy), "--data", location)
        assert "exists" in run_rapport("backup", str(copy), "--data", location, code=1).stderr
        client.record(make_line(time="2026-03-02T10:00:00Z"))
        with Server(str(copy)) as restored:
            headers = {"authorization": f"Bearer {client.token}"}
            response = httpx.get(
                restored.url + details_path("c1"), params={"tracking_activity_type": "em_opens"}, headers=headers
            )
            assert len(response.json()["tracking_activities"]) == 1


def test_demo_prints_link_and_working_request(location: str) -> None:
    port = find_free_port()
    command = [RAPPORT, "demo", "--data", location, "--contacts", "60", "--port", str(port)]
    began = time.monotonic()
    first = _run_printed_curl(command)
    assert first["tracking_activities"]
    assert first["_links"]["next"]["href"].startswith("/v3/reports/contact_reports/")
    assert len(first["tracking_activities"]) == 100
    again = _run_printed_curl(command)
    assert [item["created_time"] for item in again["tracking_activities"]] == [
        item["created_time"] for item in first["tracking_activities"]
    ]
    assert time.monotonic() - began < 60


def _run_printed_curl(command: list[str]) -> dict[str, list[dict[str, str]]]:
    """Run the curl command that the demo prints and return its output."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as running:
        assert running.stdout is not None
        printed = ""
        while "Ctrl-C" not in printed:
            printed += running.stdout.readline()
        (pasted,) = [splitline for splitline in printed.splitlines() if splitline.startswith("curl ")]
        response = subprocess.run(["bash", "-c", pasted], capture_output=True, check=True)
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 0
    page: dict[str, list[dict[str, str]]] = json.loads(response.stdout)
    return page


def test_demo_refuses_other_data(location: str) -> None:
    run_rapport("import", "-", "--data", location, stdin=json.dumps(make_line()).encode())
    error = run_rapport_process(
        "demo", "--data", location, "--contacts", "5", "--port", str(find_free_port()), code=1
    ).stderr
    assert "empty directory" in error
