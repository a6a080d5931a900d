"""What does size cost? Pages of a small and of a large store, near and far, common and rare; bytes and memory."""

import asyncio
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import cycle
from pathlib import Path

from bench.data import activities, contact_id, fill
from bench.load import BIN, free_port, rapport, server
from bench.measure import Measure, at_most
from rapport.activity import EARLIEST, Activity, ActivityType
from rapport.api.v3.activity_page import encode_activity_page
from rapport.instant import Instant
from rapport.reporting.contact_activities import get_activity_page
from rapport.reporting.page import PageRequest
from rapport.settings import Settings
from rapport.store.engines import open_store
from rapport.store.protocol import START_OF_HISTORY, Store

_COMMON = (ActivityType.EM_SENDS, ActivityType.EM_OPENS, ActivityType.EM_CLICKS)
_BUSY = "busy"
_PAGES = 1_000


def measure(*, small: bool) -> list[Measure]:
    """Small against large, and what the large one takes."""
    few, many, busy = (5_000, 20_000, 2_000) if small else (100_000, 10_000_000, 1_000_000)
    with tempfile.TemporaryDirectory() as folder:
        small_store, large_store = f"{folder}/small", f"{folder}/large"
        asyncio.run(fill(small_store, activities(few, few // 250)))
        import_memory = _memory_of_import(large_store, many, many // 250)
        size = (Path(large_store) / "rapport.db").stat().st_size
        asyncio.run(fill(large_store, _busy_history(busy)))
        pages = asyncio.run(_pages(small_store, large_store, few, many, busy))
        return [
            *pages,
            _bytes_of(many, size),
            _idle_memory(small_store),
            at_most(
                250,
                question=f"memory of an import of {many:,} lines, both its processes",
                value=import_memory,
                unit="MB",
                yardstick="",
            ),
        ]


def _busy_history(count: int) -> Iterator[Activity]:
    """A contact with a million sends, of which ten were forwarded."""
    for number in range(count):
        activity_type = ActivityType.EM_FORWARDS if number % (count // 10) == 5 else ActivityType.EM_SENDS
        yield Activity(
            contact_id=_BUSY,
            campaign_activity_id=f"m{number % 300}",
            type=activity_type,
            created_time=Instant(1_500_000_000_000 + number * 1_000),
        )


async def _pages(small_data: str, large_data: str, few: int, many: int, busy: int) -> list[Measure]:
    async with open_store(Settings(data=small_data)) as small, open_store(Settings(data=large_data)) as large:
        rng = random.Random(3)
        # As many contacts of each, so that what the processor remembers is the same.
        of_few = cycle([contact_id(number) for number in range(few // 250)])
        of_many = cycle([contact_id(rng.randrange(many // 250)) for _ in range(few // 250)])
        near, far = request_for(_COMMON), await _far_page(large, min(_PAGES, busy // 100 - 2))
        rare = request_for((ActivityType.EM_FORWARDS,))
        ten = request_for((ActivityType.EM_SENDS,), limit=10)
        figures = await best_in_turns(
            [
                lambda: page_alone(small, next(of_few), near),
                lambda: page_alone(large, next(of_many), near),
                lambda: page_alone(large, _BUSY, request_for(_COMMON)),
                lambda: page_alone(large, _BUSY, far),
                lambda: page_alone(small, next(of_few), ten),
                lambda: page_alone(large, _BUSY, rare),
            ]
        )
    base, at_many, first, distant, ten_of_few, ten_of_busy = figures
    return [
        _against(f"page of 100 out of {many:,} activities", at_many, f"out of {few:,}", base),
        _against(f"page {_PAGES:,} of a contact with {busy:,} activities", distant, "its first page", first),
        _against(f"the ten of a rare type among {busy:,}", ten_of_busy, f"a page of ten out of {few:,}", ten_of_few),
    ]


def _against(question: str, value: float, base_name: str, base: float) -> Measure:
    return at_most(
        1.5, question=question, value=value, unit="µs", yardstick=f"{base_name}, {base:,.0f} µs", ratio=value / base
    )


def request_for(types: tuple[ActivityType, ...], limit: int = 100) -> PageRequest:
    """The first page of these types."""
    return PageRequest(types=types, limit=limit, with_names=True, not_before=EARLIEST, after=START_OF_HISTORY)


async def _far_page(store: Store, number: int) -> PageRequest:
    request = request_for(_COMMON)
    for _ in range(number - 1):
        page = await get_activity_page(store, "default", _BUSY, request)
        assert page.next is not None
        request = page.next
    return request


async def page_alone(store: Store, contact: str, request: PageRequest) -> None:
    """A page as the server makes it, without HTTP."""
    page = await get_activity_page(store, "default", contact, request)
    encode_activity_page(contact, page, with_names=True, next_href="…")


async def best_in_turns(works: list[Callable[[], Awaitable[None]]]) -> list[float]:
    """The best of many short rounds of each, in turns, in microseconds."""
    best = [float("inf")] * len(works)
    for _ in range(30):
        for place, work in enumerate(works):
            began = time.perf_counter()
            for _ in range(50):
                await work()
            best[place] = min(best[place], (time.perf_counter() - began) / 50 * 1e6)
    return best


def _bytes_of(count: int, size: int) -> Measure:
    return at_most(
        120,
        question=f"bytes on disk an activity, of {count:,}",
        value=size / count,
        unit="bytes",
        yardstick="with its contact's address, links and devices, and the roll-ups",
    )


def _memory_of_import(data: str, count: int, contacts: int) -> float:
    """The most that both processes of an import take together, in MB: it reads from a pipe, so any file's size."""
    lines = [sys.executable, "-m", "bench.lines", str(count), str(contacts)]
    with (
        subprocess.Popen(lines, stdout=subprocess.PIPE) as made,
        subprocess.Popen(
            [str(BIN / "rapport"), "import", "-", "--data", data, "--create"],
            stdin=made.stdout,
            stdout=subprocess.DEVNULL,
        ) as importing,
    ):
        most = 0.0
        while importing.poll() is None:
            most = max(most, _megabytes(importing.pid))
            time.sleep(0.1)
    if importing.returncode:
        raise RuntimeError("the import failed")
    return most


def _idle_memory(data: str) -> Measure:
    port = free_port()
    with server(rapport(data, port), port) as pid:
        time.sleep(2)
        megabytes = _megabytes(pid)
    return at_most(
        120, question="memory of the idle server, all its processes", value=megabytes, unit="MB", yardstick=""
    )


def _megabytes(pid: int) -> float:
    """What a process and its children take; pages that they share are counted once (PSS)."""
    kilobytes = 0
    for process in [pid, *_children(pid)]:
        try:
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue
        kilobytes += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kilobytes / 1024


def _children(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout.split()
    return [each for child in map(int, found) for each in (child, *_children(child))]
