"""The programs of examples/, as they are, against the real server."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.world import Caller, Server, line

EXAMPLES = Path(__file__).parents[2] / "examples"
JARS = ":".join(f"/usr/share/java/{name}.jar" for name in ("okhttp", "okio", "gson"))
PROGRAMS = {
    "activity_details.py": [sys.executable],
    "activity_details.sh": ["bash"],
    "activity_details.php": ["php"],
    "ActivityDetails.java": ["java", "-cp", JARS],
}
OPTIONAL_LANGUAGES = {".java", ".php"}
"""What only a full run needs to have installed."""

every_example = pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] * (Path(name).suffix in OPTIONAL_LANGUAGES)) for name in PROGRAMS],
)


def run(name: str, server: Server, token: str, contact_id: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAMS[name], str(EXAMPLES / name), contact_id],
        env={**os.environ, "URL": server.url, "TOKEN": token},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_every_example_is_tried() -> None:
    assert {file.name for file in EXAMPLES.iterdir()} == set(PROGRAMS)


@every_example
def test_an_example_walks_to_the_last_page(name: str, server: Server, caller: Caller) -> None:
    activity_types = ["em_sends", "em_opens", "p_contact_update"]
    times = [f"2026-03-{1 + number // 24:02}T{number % 24:02}:00:00.000Z" for number in range(250)]
    lines = [line(activity_type=activity_types[number % 3], time=time) for number, time in enumerate(times)]
    caller.record(*({**each, "campaign_activity_name": "Frühling"} for each in lines))
    ran = run(name, server, caller.bearer, "c1")
    assert ran.stderr == ""
    told = [f"{each['created_time']}\t{each['tracking_activity_type']}\tFrühling" for each in reversed(lines)]
    assert ran.stdout.splitlines() == told


@every_example
def test_an_example_without_arguments_says_what_it_wants(name: str) -> None:
    ran = subprocess.run(
        [*PROGRAMS[name], str(EXAMPLES / name)], capture_output=True, text=True, check=False, timeout=60
    )
    assert ran.returncode == 2
    assert "usage: URL=" in ran.stderr
    assert "CONTACT_ID" in ran.stderr


@every_example
def test_an_example_says_what_went_wrong(name: str, server: Server, caller: Caller) -> None:
    ran = run(name, server, caller.bearer, "nobody/knows me")
    assert ran.returncode == 1
    assert "contacts.api.not_found" in ran.stderr
