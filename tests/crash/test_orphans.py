"""No worker survives its main process."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.helpers.network import find_free_port
from tests.helpers.server import ENVIRONMENT, RAPPORT, Server

pytestmark = pytest.mark.slow

DELAYS = [0.0, 0.05, 0.15, 0.25]
"""Seconds after a worker appears: while it loads, opens the store, and begins to serve."""


def list_children(pid: int) -> list[int]:
    with contextlib.suppress(FileNotFoundError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def is_running(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def kill_main_process(location: str, port: int, workers: int, delay: float) -> list[int]:
    """Start a server, kill its main process `delay` seconds after its workers appeared, and return their ids."""
    command = [RAPPORT, "serve", "--data", location, "--port", str(port), "--workers", str(workers)]
    with subprocess.Popen(
        command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        deadline = time.monotonic() + 30
        while len(results := list_children(process.pid)) < workers:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.001)
        time.sleep(delay)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(30)
    return results


def wait_until_gone(pids: list[int]) -> list[int]:
    """Return the ids of processes that still run after 20 seconds."""
    deadline = time.monotonic() + 20
    while any(map(is_running, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return [pid for pid in pids if is_running(pid)]


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_main_process_leaves_no_starting_worker(tmp_path: Path, workers: int) -> None:
    data, port = str(tmp_path / "data"), find_free_port()
    for delay in DELAYS:
        started = kill_main_process(data, port, workers, delay)
        orphans = wait_until_gone(started)
        for orphan in orphans:
            os.kill(orphan, signal.SIGKILL)
        assert not orphans, f"killed after {delay} s"
    with Server(data, workers=workers) as server:
        assert len(server.worker_pids()) == workers


def test_killed_main_process_leaves_no_replacement_worker(tmp_path: Path) -> None:
    for delay in DELAYS:
        with Server(str(tmp_path / "data")) as server:
            main = server.pid
            (worker,) = server.worker_pids()
            os.kill(worker, signal.SIGKILL)
            deadline = time.monotonic() + 30
            while worker in (results := list_children(main)) or not results:
                assert time.monotonic() < deadline
                time.sleep(0.001)
            time.sleep(delay)
            server.kill_parent()
            orphans = wait_until_gone(results)
            for orphan in orphans:
                os.kill(orphan, signal.SIGKILL)
            assert not orphans, f"killed after {delay} s"
