"""The other commands, and what all of them share."""

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
from tests.cli.command import rapport
from tests.network import free_port
from tests.world import RAPPORT, Server, details, line


def every_command() -> list[list[str]]:
    found: list[list[str]] = [[]]
    context = click.Context(commands)
    for name in commands.list_commands(context):
        command = commands.get_command(context, name)
        found += [[name], *([name, subcommand] for subcommand in getattr(command, "commands", {}))]
    return found


@pytest.mark.parametrize("command", every_command(), ids=" ".join)
def test_help_contains_examples(command: list[str]) -> None:
    told = rapport(*command, "--help").stdout
    assert told.startswith("Usage: rapport")
    assert len(told.splitlines()) > 6


@pytest.mark.parametrize(
    "command",
    [each for each in every_command() if each and each not in (["app"], ["keys"], ["tokens"], ["copy"])],
    ids=" ".join,
)
def test_every_command_accepts_data_option(command: list[str]) -> None:
    assert "--data" in rapport(*command, "--help").stdout


def test_data_option_overrides_variable_and_default(tmp_path: Path) -> None:
    rapport("token", "--create", folder=tmp_path)
    assert (tmp_path / "data" / "rapport.db").exists()
    rapport("token", "--create", folder=tmp_path, environment={"RAPPORT_DATA": "from-variable"})
    assert (tmp_path / "from-variable" / "rapport.db").exists()
    rapport("token", "--create", "--data", "from-option", folder=tmp_path, environment={"RAPPORT_DATA": "never"})
    assert (tmp_path / "from-option" / "rapport.db").exists()
    assert not (tmp_path / "never").exists()


def test_token_command_prints_only_token_to_stdout(data: str) -> None:
    told = rapport("token", "--data", data)
    claims = jwt_claims(told.stdout.strip())
    assert told.stdout.count("\n") == 1
    assert claims["account"] == "default"
    assert claims["scp"] == ["account_read", "activity_write", "campaign_data", "contact_data"]
    assert claims["role"] == "owner"
    assert claims["exp"] - claims["iat"] == 86_400


def test_token_has_requested_permissions(data: str) -> None:
    told = rapport(
        *("token", "--data", data, "--account", "acme", "--scope", "campaign_data contact_data"),
        *("--role", "campaign_creator", "--expires", "90s", "--client", "crm"),
    )
    claims = jwt_claims(told.stdout.strip())
    assert (claims["account"], claims["cid"], claims["role"]) == ("acme", "crm", "campaign_creator")
    assert claims["scp"] == ["campaign_data", "contact_data"]
    assert claims["exp"] - claims["iat"] == 90
    assert "acme is new" in told.stderr
    assert "acme is new" not in rapport("token", "--data", data, "--account", "acme").stderr


def jwt_claims(token: str) -> dict[str, object]:
    payload = token.split(".")[1]
    claims: dict[str, object] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("token", "--scope", "contact_data everything"), "'everything' is no scope"),
        (("token", "--expires", "soon"), "24h"),
        (("token", "--expires", "401d"), "400d"),
        (("token", "--account", "a b"), "letters, digits"),
        (("token", "--client", "a b"), "letters, digits"),
        (("token", "--role", "emperor"), "campaign_creator"),
        (("serve", "--port", "0"), "--port='0'"),
        (("serve", "--workers", "1000"), "--workers='1000'"),
        (("import",), "FILE"),
        (("export", " "), "1 to 255 characters"),
        (("demo", "--contacts", "0"), "--contacts"),
    ],
)
def test_invalid_argument_error_lists_allowed_values(tmp_path: Path, arguments: tuple[str, ...], named: str) -> None:
    code = 1 if arguments[0] == "serve" else 2
    assert named in rapport(*arguments, "--data", str(tmp_path / "data"), code=code).stderr


def test_invalid_and_misspelled_settings_are_reported(data: str) -> None:
    told = rapport("token", "--data", data, environment={"RAPPORT_LIMITS": "some"}, code=1).stderr
    assert "RAPPORT_LIMITS='some': must be one of generous, constant-contact, off" in told
    told = rapport("token", "--data", data, environment={"RAPPORT_LIMTIS": "off"}).stderr
    assert "RAPPORT_LIMTIS is set, but is no setting" in told


def test_port_in_use_is_reported(data: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        told = rapport("serve", "--data", data, "--port", port, code=1).stderr
    assert f"http://127.0.0.1:{port} can't be listened on" in told
    assert "--port" in told


def test_unusable_data_directory_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    told = rapport("token", "--data", str(tmp_path / "file" / "data"), "--create", code=1).stderr
    assert "\nError: the data directory" in told
    assert "Traceback" not in told


def test_backup_of_running_server_serves_same_data(engine: str, data: str, tmp_path: Path) -> None:
    with Server(data) as server, server.caller("default") as caller:
        caller.record(line())
        copy = tmp_path / "backups" / "monday"
        rapport("backup", str(copy), "--data", data)
        assert "exists" in rapport("backup", str(copy), "--data", data, code=1).stderr
        caller.record(line(time="2026-03-02T10:00:00Z"))
        with Server(str(copy)) as restored:
            headers = {"authorization": f"Bearer {caller.bearer}"}
            response = httpx.get(
                restored.url + details("c1"), params={"tracking_activity_type": "em_opens"}, headers=headers
            )
            assert len(response.json()["tracking_activities"]) == 1


def test_demo_prints_link_and_working_request(data: str) -> None:
    port = free_port()
    command = [RAPPORT, "demo", "--data", data, "--contacts", "60", "--port", str(port)]
    began = time.monotonic()
    first = _pasted(command)
    assert first["tracking_activities"]
    assert first["_links"]["next"]["href"].startswith("/v3/reports/contact_reports/")
    assert len(first["tracking_activities"]) == 100
    again = _pasted(command)
    assert [item["created_time"] for item in again["tracking_activities"]] == [
        item["created_time"] for item in first["tracking_activities"]
    ]
    assert time.monotonic() - began < 60


def _pasted(command: list[str]) -> dict[str, list[dict[str, str]]]:
    """What the curl line that the demo prints answers."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as running:
        assert running.stdout is not None
        printed = ""
        while "Ctrl-C" not in printed:
            printed += running.stdout.readline()
        (pasted,) = [each for each in printed.splitlines() if each.startswith("curl ")]
        response = subprocess.run(["bash", "-c", pasted], capture_output=True, check=True)
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 0
    page: dict[str, list[dict[str, str]]] = json.loads(response.stdout)
    return page


def test_demo_refuses_other_data(data: str) -> None:
    rapport("import", "-", "--data", data, given=json.dumps(line()).encode())
    told = rapport("demo", "--data", data, "--contacts", "5", "--port", str(free_port()), code=1).stderr
    assert "empty directory" in told
