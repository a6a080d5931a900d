"""The programs in examples/, against a server."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.api import ApiClient, make_line
from tests.helpers.server import Server

EXAMPLES = Path(__file__).parents[2] / "examples"
JARS = ":".join(f"/usr/share/java/{name}.jar" for name in ("okhttp", "okio", "gson"))
PROGRAMS = {
    "activity_details.py": [sys.executable],
    "activity_details.sh": ["bash"],
    "activity_details.php": ["php"],
    "ActivityDetails.java": ["java", "-cp", JARS],
}
OPTIONAL_LANGUAGES = {".java", ".php"}
"""Languages that `make test-fast` doesn't need."""

every_example = pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] * (Path(name).suffix in OPTIONAL_LANGUAGES)) for name in PROGRAMS],
)


def run_example(name: str, server: Server, token: str, contact_id: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAMS[name], str(EXAMPLES / name), contact_id],
        env={**os.environ, "URL": server.url, "TOKEN": token},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_every_example_is_tested() -> None:
    assert {file.name for file in EXAMPLES.iterdir()} == set(PROGRAMS)


@every_example
def test_example_reads_all_pages(name: str, server: Server, client: ApiClient) -> None:
    activity_types = ["em_sends", "em_opens", "p_contact_update"]
    times = [f"2026-03-{1 + number // 24:02}T{number % 24:02}:00:00.000Z" for number in range(250)]
    lines = [make_line(activity_type=activity_types[number % 3], time=time) for number, time in enumerate(times)]
    client.record(*({**line, "campaign_activity_name": "Frühling"} for line in lines))
    process = run_example(name, server, client.token, "c1")
    assert process.stderr == ""
    received = [f"{line['created_time']}\t{line['tracking_activity_type']}\tFrühling" for line in reversed(lines)]
    assert process.stdout.splitlines() == received


@every_example
def test_example_without_arguments_prints_usage(name: str) -> None:
    process = subprocess.run(
        [*PROGRAMS[name], str(EXAMPLES / name)], capture_output=True, text=True, check=False, timeout=60
    )
    assert process.returncode == 2
    assert "usage: URL=" in process.stderr
    assert "CONTACT_ID" in process.stderr


@every_example
def test_example_prints_error_key(name: str, server: Server, client: ApiClient) -> None:
    process = run_example(name, server, client.token, "nobody/knows me")
    assert process.returncode == 1
    assert "contacts.api.not_found" in process.stderr
