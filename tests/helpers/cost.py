"""The cost of an attack: how long another client waits, and the server's peak memory."""

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.helpers.server import Server

_INTERVAL = 0.02
_CLIENT_TIMEOUT = 60.0


@dataclass
class Cost:
    """Figures measured during an attack: seconds, requests and MB (10^6 bytes)."""

    longest_wait: float = 0.0
    requests: int = 0
    failures: int = 0
    peak_memory: float = 0.0

    def __str__(self) -> str:
        return (
            f"another client waited {self.longest_wait:.2f} s at most in {self.requests} requests"
            f" ({self.failures} failed), memory peaked at {self.peak_memory:.0f} MB"
        )


@contextlib.contextmanager
def measure_cost(server: Server, path: str = "/healthz", token: str | None = None) -> Iterator[Cost]:
    """Request `path` repeatedly during an attack, sample the workers' memory, and print the figures."""
    cost = Cost()
    stop = threading.Event()
    threads = [
        threading.Thread(target=_send_requests, args=(server, path, token, cost, stop)),
        threading.Thread(target=_sample_memory, args=(server.worker_pids(), cost, stop)),
    ]
    for thread in threads:
        thread.start()
    try:
        yield cost
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        print(cost)


def _send_requests(server: Server, path: str, token: str | None, cost: Cost, stop: threading.Event) -> None:
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    with httpx.Client(base_url=server.url, headers=headers, timeout=_CLIENT_TIMEOUT) as client:
        while not stop.is_set():
            began = time.monotonic()
            try:
                failed = client.get(path).status_code != httpx.codes.OK
            except httpx.TransportError:
                failed = True
            cost.longest_wait = max(cost.longest_wait, time.monotonic() - began)
            cost.requests += 1
            cost.failures += failed
            stop.wait(_INTERVAL)


def _sample_memory(pids: list[int], cost: Cost, stop: threading.Event) -> None:
    while not stop.is_set():
        cost.peak_memory = max(cost.peak_memory, sum(_resident_memory(pid) for pid in pids))
        stop.wait(_INTERVAL)


def _resident_memory(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    for line in status.splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0
