"""`make demo` on a clean clone."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rapport.sample import EXAMPLE_DAY
from tests.helpers.network import find_free_port
from tests.helpers.repository import ROOT, copy_repository

pytestmark = pytest.mark.slow


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A copy of the repository's current state."""
    folder = tmp_path / "clone"
    copy_repository(folder)
    return folder


@contextmanager
def run_make_demo(clone: Path, port: int, *variables: str) -> Iterator[str]:
    """Run `make demo`, yield its output once it serves, and stop it by Ctrl-C."""
    with subprocess.Popen(
        ["make", "-C", str(clone), "demo", f"PORT={port}", *variables],
        env={name: value for name, value in os.environ.items() if not name.startswith("RAPPORT_")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        received = ""
        try:
            assert process.stdout is not None
            for line in process.stdout:
                received += line
                if line.startswith("Ctrl-C"):
                    break
            yield received
        finally:
            os.killpg(process.pid, signal.SIGINT)
            received += process.communicate(timeout=30)[0]
    # make reports an interrupt as an error; the command itself must have ended silently.
    assert "Traceback" not in received


def run_printed_curl(received: str) -> dict[str, object]:
    """Run the printed curl command and return its output."""
    command = next(line for line in received.splitlines() if line.startswith("curl"))
    process = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    page: dict[str, object] = json.loads(process.stdout)
    return page


def test_make_demo_works_on_clean_clone(clone: Path) -> None:
    port = find_free_port()
    with run_make_demo(clone, port, f"DAY={EXAMPLE_DAY}") as received:
        assert f"http://127.0.0.1:{port}" in received
        first = run_printed_curl(received)
    assert isinstance(first["tracking_activities"], list)
    assert len(first["tracking_activities"]) == 100

    page = (ROOT / "docs" / "quick-start.md").read_text()
    assert f"DAY={EXAMPLE_DAY}" in page
    shown = re.search(r"```json\n(.*?)```", page, re.DOTALL)
    assert shown is not None
    assert json.loads(shown[1].replace("…", ""))["tracking_activities"] == first["tracking_activities"][:2]

    began = time.monotonic()
    with run_make_demo(clone, port) as received:
        assert time.monotonic() - began < 15
        assert run_printed_curl(received)["tracking_activities"] == first["tracking_activities"]


def test_make_lists_targets(clone: Path) -> None:
    output = subprocess.run(["make"], cwd=clone, capture_output=True, text=True, check=True).stdout
    for target in ("demo", "test", "lint", "types", "bench"):
        assert f"make {target} " in output
