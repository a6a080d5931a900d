"""Servers on one core and the load on the other, so that the load doesn't take from what it measures."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

BIN: Final = Path(sys.executable).parent
HERE: Final = Path(__file__).parent

_CORES: Final = sorted(os.sched_getaffinity(0))
_SERVER, _LOAD = _CORES[0], _CORES[-1]


def free_port() -> int:
    """A port that nobody listens on now."""
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def server(command: list[str], port: int, environment: Mapping[str, str] | None = None) -> Iterator[int]:
    """A server that listens on the port, on a core of its own; its process id."""
    pinned = ["taskset", "--cpu-list", str(_SERVER), *command]
    with subprocess.Popen(
        pinned,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            _wait_for(port, process)
            yield process.pid
        finally:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(30)


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 30
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        if time.monotonic() > deadline or process.poll() is not None:
            raise RuntimeError(f"{process.args} does not listen on port {port}")
        time.sleep(0.05)


def rapport(data: str, port: int) -> list[str]:
    """The command of our own server."""
    return [str(BIN / "rapport"), "serve", "--data", data, "--port", str(port), "--workers", "1"]


def granian(target: str, port: int, *more: str) -> list[str]:
    """The command of another application on the same server as ours."""
    return [
        *(str(BIN / "granian"), target, "--interface", "asgi", "--loop", "uvloop", "--no-ws"),
        *("--port", str(port), "--workers", "1", "--log-level", "error", *more),
    ]


def requests_a_second(
    port: int, script: str, *, token: str = "", seconds: float, connections: int = 16, files: tuple[Path, ...] = ()
) -> float:
    """What wrk reports for a script of this folder. Raises RuntimeError when any answer is no success."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise RuntimeError("these measurements need wrk: on Debian, apt-get install wrk")
    told = subprocess.run(
        [
            *("taskset", "--cpu-list", str(_LOAD), wrk, "--threads", "1", "--connections", str(connections)),
            *("--duration", f"{max(1, round(seconds))}s", "--script", str(HERE / script)),
            *("--header", f"Authorization: Bearer {token}", f"http://127.0.0.1:{port}/", "--", *map(str, files)),
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    if "Non-2xx" in told or "Socket errors" in told:
        raise RuntimeError(told)
    found = re.search(r"Requests/sec:\s+([\d.]+)", told)
    if found is None:
        raise RuntimeError(told)
    return float(found[1])
