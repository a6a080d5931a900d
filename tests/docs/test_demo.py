"""`make demo` as a newcomer has it: on a clean clone, with nothing set up."""

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
from tests.docs.clone import ROOT, copy_repository
from tests.network import free_port


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone of the repository's current state."""
    folder = tmp_path / "clone"
    copy_repository(folder)
    return folder


@contextmanager
def make_demo(clone: Path, port: int, *variables: str) -> Iterator[str]:
    """What `make demo` prints until it serves; afterwards Ctrl-C."""
    with subprocess.Popen(
        ["make", "-C", str(clone), "demo", f"PORT={port}", *variables],
        env={name: value for name, value in os.environ.items() if not name.startswith("RAPPORT_")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        told = ""
        try:
            assert process.stdout is not None
            for line in process.stdout:
                told += line
                if line.startswith("Ctrl-C"):
                    break
            yield told
        finally:
            os.killpg(process.pid, signal.SIGINT)
            told += process.communicate(timeout=30)[0]
    # make itself calls an interrupt an error; what it ran must have ended without a sound.
    assert "Traceback" not in told


def answer_of(told: str) -> dict[str, object]:
    """What the line to paste answers."""
    command = next(line for line in told.splitlines() if line.startswith("curl"))
    ran = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    page: dict[str, object] = json.loads(ran.stdout)
    return page


def test_make_demo_works_on_clean_clone(clone: Path) -> None:
    port = free_port()
    with make_demo(clone, port, f"DAY={EXAMPLE_DAY}") as told:
        assert f"http://127.0.0.1:{port}" in told
        first = answer_of(told)
    assert isinstance(first["tracking_activities"], list)
    assert len(first["tracking_activities"]) == 100

    page = (ROOT / "docs" / "quick-start.md").read_text()
    assert f"DAY={EXAMPLE_DAY}" in page
    shown = re.search(r"```json\n(.*?)```", page, re.DOTALL)
    assert shown is not None
    assert json.loads(shown[1].replace("…", ""))["tracking_activities"] == first["tracking_activities"][:2]

    began = time.monotonic()
    with make_demo(clone, port) as told:
        assert time.monotonic() - began < 15
        assert answer_of(told)["tracking_activities"] == first["tracking_activities"]


def test_make_lists_targets(clone: Path) -> None:
    told = subprocess.run(["make"], cwd=clone, capture_output=True, text=True, check=True).stdout
    for target in ("demo", "test", "lint", "types", "bench"):
        assert f"make {target} " in told
