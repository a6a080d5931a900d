"""Measure what size costs: pages of a small and a large store, near and far, common and rare; disk space and memory."""

import asyncio
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import cycle
from pathlib import Path

from bench.data import activities, contact_id, fill_store
from bench.load import BIN, find_free_port, rapport, server
from bench.measure import Measurement, expect_max
from rapport.activity import EARLIEST, Activity, ActivityType
from rapport.api.v3.activity_page import encode_activity_page
from rapport.instant import Instant
from rapport.reporting.contact_activities import get_activity_page
from rapport.reporting.page import PageRequest
from rapport.settings import Settings
from rapport.store.activities import START_OF_HISTORY
from rapport.store.engines import open_store
from rapport.store.store import Store

_COMMON = (ActivityType.EM_SENDS, ActivityType.EM_OPENS, ActivityType.EM_CLICKS)
_BUSY = "busy"
_PAGES = 1_000


def measure(*, small: bool) -> list[Measurement]:
    """Compare a small store with a large one, and measure the size and memory of the large one."""
    few, many, busy = (5_000, 20_000, 2_000) if small else (100_000, 10_000_000, 1_000_000)
    with tempfile.TemporaryDirectory() as folder:
        small_store, large_store = f"{folder}/small", f"{folder}/large"
        asyncio.run(fill_store(small_store, activities(few, few // 250)))
        import_memory = _measure_import_memory(large_store, many, many // 250)
        size = (Path(large_store) / "rapport.db").stat().st_size
        asyncio.run(fill_store(large_store, _busy_history(busy)))
        pages = asyncio.run(_measure_pages(small_store, large_store, few, many, busy))
        return [
            *pages,
            _bytes_per_activity(many, size),
            _measure_idle_memory(small_store),
            expect_max(
                250,
                name=f"memory of an import of {many:,} lines, both processes",
                value=import_memory,
                unit="MB",
                baseline="",
            ),
        ]


def _busy_history(count: int) -> Iterator[Activity]:
    """Generate the history of a contact with many sends and ten forwards."""
    for number in range(count):
        activity_type = ActivityType.EM_FORWARDS if number % (count // 10) == 5 else ActivityType.EM_SENDS
        yield Activity(
            contact_id=_BUSY,
            campaign_activity_id=f"m{number % 300}",
            type=activity_type,
            created_time=Instant(1_500_000_000_000 + number * 1_000),
        )


async def _measure_pages(small_data: str, large_data: str, few: int, many: int, busy: int) -> list[Measurement]:
    async with open_store(Settings(data=small_data)) as small, open_store(Settings(data=large_data)) as large:
        rng = random.Random(3)
        # The same number of contacts in both, so that they profit equally from the processor's caches.
        few_ids = cycle([contact_id(number) for number in range(few // 250)])
        many_ids = cycle([contact_id(rng.randrange(many // 250)) for _ in range(few // 250)])
        near, far = request_for(_COMMON), await _get_distant_page(large, min(_PAGES, busy // 100 - 2))
        rare = request_for((ActivityType.EM_FORWARDS,))
        ten = request_for((ActivityType.EM_SENDS,), limit=10)
        figures = await best_times(
            [
                lambda: make_page(small, next(few_ids), near),
                lambda: make_page(large, next(many_ids), near),
                lambda: make_page(large, _BUSY, request_for(_COMMON)),
                lambda: make_page(large, _BUSY, far),
                lambda: make_page(small, next(few_ids), ten),
                lambda: make_page(large, _BUSY, rare),
            ]
        )
    base, at_many, first, distant, ten_of_few, ten_of_busy = figures
    return [
        _compare(f"page of 100 out of {many:,} activities", at_many, f"out of {few:,}", base),
        _compare(f"page {_PAGES:,} of a contact with {busy:,} activities", distant, "its first page", first),
        _compare(
            f"ten activities of a rare type among {busy:,}", ten_of_busy, f"a page of ten out of {few:,}", ten_of_few
        ),
    ]


def _compare(name: str, value: float, base_name: str, base: float) -> Measurement:
    return expect_max(
        1.5, name=name, value=value, unit="µs", baseline=f"{base_name}, {base:,.0f} µs", ratio=value / base
    )


def request_for(types: tuple[ActivityType, ...], limit: int = 100) -> PageRequest:
    """Return the request for the first page of these activity types."""
    return PageRequest(types=types, limit=limit, with_names=True, not_before=EARLIEST, after=START_OF_HISTORY)


async def _get_distant_page(store: Store, number: int) -> PageRequest:
    request = request_for(_COMMON)
    for _ in range(number - 1):
        page = await get_activity_page(store.activities, "default", _BUSY, request)
        assert page.next is not None
        request = page.next
    return request


async def make_page(store: Store, contact: str, request: PageRequest) -> None:
    """Make a page as the server does, without HTTP."""
    page = await get_activity_page(store.activities, "default", contact, request)
    encode_activity_page(contact, page, with_names=True, next_href="…")


async def best_times(works: list[Callable[[], Awaitable[None]]]) -> list[float]:
    """Return the best of many short rounds of each function, run in turns, in microseconds."""
    best = [float("inf")] * len(works)
    for _ in range(30):
        for index, work in enumerate(works):
            started = time.perf_counter()
            for _ in range(50):
                await work()
            best[index] = min(best[index], (time.perf_counter() - started) / 50 * 1e6)
    return best


def _bytes_per_activity(count: int, size: int) -> Measurement:
    return expect_max(
        120,
        name=f"bytes on disk per activity, of {count:,}",
        value=size / count,
        unit="bytes",
        baseline="including contacts' addresses, links, devices and roll-ups",
    )


def _measure_import_memory(data: str, count: int, contacts: int) -> float:
    """Return the peak memory of both processes of an import in MB. It reads from a pipe, so no file is written."""
    lines = [sys.executable, "-m", "bench.generate", str(count), str(contacts)]
    with (
        subprocess.Popen(lines, stdout=subprocess.PIPE) as generated,
        subprocess.Popen(
            [str(BIN / "rapport"), "import", "-", "--data", data, "--create"],
            stdin=generated.stdout,
            stdout=subprocess.DEVNULL,
        ) as importing,
    ):
        peak = 0.0
        while importing.poll() is None:
            peak = max(peak, _get_memory(importing.pid))
            time.sleep(0.1)
    if importing.returncode:
        raise RuntimeError("the import failed")
    return peak


def _measure_idle_memory(data: str) -> Measurement:
    port = find_free_port()
    with server(rapport(data, port), port) as pid:
        time.sleep(2)
        megabytes = _get_memory(pid)
    return expect_max(120, name="memory of the idle server, all processes", value=megabytes, unit="MB", baseline="")


def _get_memory(pid: int) -> float:
    """Return the memory of a process and its children in MB, counting shared pages once (PSS)."""
    kilobytes = 0
    for process in [pid, *_get_children(pid)]:
        try:
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue
        kilobytes += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kilobytes / 1024


def _get_children(pid: int) -> list[int]:
    child_ids = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout.split()
    return [descendant for child in map(int, child_ids) for descendant in (child, *_get_children(child))]
