"""Run servers on one core and the load on another, so that the load doesn't slow down what it measures."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

BIN: Final = Path(sys.executable).parent
FOLDER: Final = Path(__file__).parent

_CORES: Final = sorted(os.sched_getaffinity(0))
_SERVER, _LOAD = _CORES[0], _CORES[-1]


_MILLISECONDS: Final = {"us": 0.001, "ms": 1.0, "s": 1_000.0}


class Load(NamedTuple):
    """Requests per second, and the 99th percentile of the latency in milliseconds."""

    rate: float
    p99: float


def find_free_port() -> int:
    """Return a port that nobody listens on."""
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def server(command: list[str], port: int, environment: Mapping[str, str] | None = None) -> Iterator[int]:
    """Run a server on a core of its own, and yield its process id once it listens on the port."""
    pinned = ["taskset", "--cpu-list", str(_SERVER), *command]
    with subprocess.Popen(
        pinned,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            _wait_for_port(port, process)
            yield process.pid
        finally:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(30)


def _wait_for_port(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 30
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        if time.monotonic() > deadline or process.poll() is not None:
            raise RuntimeError(f"{process.args} does not listen on port {port}")
        time.sleep(0.05)


def rapport(data: str, port: int) -> list[str]:
    """Return the command that starts Rapport."""
    return [str(BIN / "rapport"), "serve", "--data", data, "--port", str(port), "--workers", "1"]


def granian(target: str, port: int, *more: str) -> list[str]:
    """Return the command that starts another application on the same HTTP server as Rapport."""
    return [
        *(str(BIN / "granian"), target, "--interface", "asgi", "--loop", "uvloop", "--no-ws"),
        *("--port", str(port), "--workers", "1", "--log-level", "error", *more),
    ]


def measure_rate(
    port: int, script: str, *, token: str = "", seconds: float, connections: int = 16, files: tuple[Path, ...] = ()
) -> float:
    """Return the requests per second that wrk reports for a script of this folder.

    Raises RuntimeError if any response is an error.
    """
    return measure_load(port, script, token=token, seconds=seconds, connections=connections, arguments=files).rate


def measure_load(
    port: int,
    script: str,
    *,
    token: str = "",
    seconds: float,
    connections: int = 16,
    arguments: Sequence[str | Path] = (),
) -> Load:
    """Return the rate and the latency that wrk reports for a script of this folder.

    Raises RuntimeError if any response is an error.
    """
    wrk = shutil.which("wrk")
    if wrk is None:
        raise RuntimeError("the benchmarks need wrk; on Debian: apt-get install wrk")
    output = subprocess.run(
        [
            *("taskset", "--cpu-list", str(_LOAD), wrk, "--threads", "1", "--connections", str(connections)),
            *("--duration", f"{max(1, round(seconds))}s", "--script", str(FOLDER / script)),
            *("--latency", "--header", f"Authorization: Bearer {token}", f"http://127.0.0.1:{port}/"),
            *("--", *map(str, arguments)),
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    if "Non-2xx" in output or "Socket errors" in output:
        raise RuntimeError(output)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    slowest = re.search(r"99%\s+([\d.]+)(us|ms|s)", output)
    if rate is None or slowest is None:
        raise RuntimeError(output)
    return Load(float(rate[1]), float(slowest[1]) * _MILLISECONDS[slowest[2]])
