"""The same questions of PostgreSQL: a page against the bare query and the usual way, an import against bare COPY."""

import asyncio
import random
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median

import asyncpg

from bench import sizes
from bench.data import activities, contact_id, fill, write_file
from bench.growth import best_in_turns, page_alone, request_for
from bench.load import BIN, free_port, requests_a_second, server
from bench.measure import Measure, at_least, at_most
from bench.pages import TYPES, key_of, make_token, paths_of, rapport_rate
from rapport.activity import EARLIEST, ActivityType
from rapport.recording.reader_process import CHUNK_SIZE
from rapport.settings import Settings
from rapport.store.digests import contact_key
from rapport.store.engines import open_store
from rapport.store.postgres.pool import LATEST_TIME, Pool
from rapport.store.postgres.reader import merged
from tests.postgres import Databases, postgres_server

_CLIENTS = 16

_FILLED = (
    *("contact", "person", "tracking_activity"),
    *("engagement", "clicked_link", "bounced_contact", "campaign_activity_stats", "campaign_activity_hour"),
)
"""The tables that an import has a row in for each activity, contact, or contact of a campaign activity."""


def measure(*, small: bool) -> list[Measure]:
    """All of it, on a server of our own that syncs its disk."""
    with postgres_server(fsync="on", shared_buffers="1GB", max_wal_size="4GB") as running:
        databases = Databases(running.url)
        return [
            *_pages(databases, small=small),
            _import(databases, small=small),
            _growth(databases, small=small),
            sizes.of_postgresql(databases, 2_000 if small else 400_000),
        ]


def _pages(databases: Databases, *, small: bool) -> list[Measure]:
    count, seconds = (20_000, 1) if small else (1_000_000, 6)
    contacts = count // 250
    measures = []
    with databases.fresh() as data, tempfile.TemporaryDirectory() as folder:
        asyncio.run(fill(data, activities(count, contacts)))
        asyncio.run(_vacuum(data))
        token = make_token(data)
        for limit in (100, 10):
            paths = paths_of(Path(folder), contacts, limit)
            ours, bare, usual = [], [], []
            for _ in range(1 if small else 3):
                ours.append(rapport_rate(data, token, paths, seconds))
                bare.append(asyncio.run(_bare_queries(data, contacts, limit, seconds)))
                usual.append(_usual(data, token, paths, seconds))
            question = f"PostgreSQL: page of {limit}, {len(TYPES)} types, {count:,} activities"
            measures += [
                at_least(
                    0.0,
                    question=question,
                    value=max(ours),
                    unit="requests/s",
                    yardstick=f"the same SQL by bare asyncpg, no HTTP, {max(bare):,.0f}/s",
                    ratio=max(ours) / max(bare),
                ),
                at_least(
                    3,
                    question=question,
                    value=max(ours),
                    unit="requests/s",
                    yardstick=f"FastAPI, SQLAlchemy, asyncpg, {max(usual):,.0f}/s",
                    ratio=max(ours) / max(usual),
                ),
            ]
    return measures


async def _vacuum(data: str) -> None:
    """As autovacuum leaves it in time."""
    connection = await asyncpg.connect(data)
    for table in ("tracking_activity", "contact", "person"):
        await connection.execute(f"VACUUM ANALYZE {table}")
    await connection.close()


async def _bare_queries(data: str, contacts: int, limit: int, seconds: float) -> float:
    """The page's statement over and over, by as many clients, from one process."""
    pool = Pool(data, 10, by_pgbouncer=False)
    await pool.open()
    rng = random.Random(1)
    keys = [contact_key("default", contact_id(rng.randrange(contacts))) for _ in range(2_000)]
    statement, after = merged("page", len(TYPES)), (LATEST_TIME, 2**63 - 1)
    ends = time.perf_counter() + seconds

    async def ask() -> int:
        params = 0
        while time.perf_counter() < ends:
            async with pool.acquire(5) as connection:
                await connection.fetch(statement, rng.choice(keys), EARLIEST, *after, limit + 1, 0, 1, 2)
            params += 1
        return params

    began = time.perf_counter()
    params = sum(await asyncio.gather(*(ask() for _ in range(_CLIENTS))))
    rate = params / (time.perf_counter() - began)
    await pool.close()
    return rate


def _usual(data: str, token: str, paths: Path, seconds: float) -> float:
    port = free_port()
    url, _, schema = data.partition("?search_path=")
    asyncio.run(_look_into(url, schema))
    environment = {
        "BENCH_DATABASE": url.replace("postgresql:", "postgresql+asyncpg:"),
        "BENCH_KEY": key_of(data),
    }
    command = [str(BIN / "uvicorn"), "bench.peers.usual:application", "--port", str(port), "--log-level", "warning"]
    with server(command, port, environment):
        return requests_a_second(port, "paths.lua", token=token, seconds=seconds, files=(paths,))


async def _look_into(url: str, schema: str) -> None:
    """Have connections without a search path of their own find the tables."""
    connection = await asyncpg.connect(url)
    await connection.execute(f"ALTER ROLE CURRENT_USER SET search_path = {schema}")
    await connection.close()


def _import(databases: Databases, *, small: bool) -> Measure:
    count = 20_000 if small else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "activities.ndjson"
        write_file(file, count, count // 40)
        ours, bare = [], []
        for _ in range(1 if small else 5):
            with databases.fresh() as data:
                began = time.perf_counter()
                command = [str(BIN / "rapport"), "import", str(file), "--data", data, "--create"]
                subprocess.run(command, check=True, capture_output=True)
                ours.append(count / (time.perf_counter() - began))
                bare.append(asyncio.run(_bare_copy(data, count)))
    # Each import is compared with the COPY that follows it, as the machine may be faster a minute later.
    ratios = [imported / copied for imported, copied in zip(ours, bare, strict=True)]
    rounds = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    return at_least(
        0.45,
        question=f"PostgreSQL: import of {count:,} lines, medians",
        value=median(ours),
        unit="activities/s",
        yardstick=f"bare COPY of the same rows into the same tables, {median(bare):,.0f}/s; each round: {rounds}",
        ratio=median(ratios),
    )


async def _bare_copy(data: str, count: int) -> float:
    """The rows that the import has left in its tables, copied into them once they are empty again."""
    pool = Pool(data, 2, by_pgbouncer=False)
    await pool.open()
    async with pool.acquire(3_600) as connection:
        rows = {table: [tuple(row) for row in await connection.fetch(f"SELECT * FROM {table}")] for table in _FILLED}  # noqa: S608 - ours
        await connection.execute(f"TRUNCATE {', '.join(_FILLED)}")
        began = time.perf_counter()
        for table in _FILLED:
            for first in range(0, len(rows[table]), CHUNK_SIZE):
                await connection.copy_records_to_table(table, records=rows[table][first : first + CHUNK_SIZE])
        rate = count / (time.perf_counter() - began)
    await pool.close()
    return rate


def _growth(databases: Databases, *, small: bool) -> Measure:
    few, many = (5_000, 20_000) if small else (100_000, 10_000_000)
    with databases.fresh() as small_data, databases.fresh() as large_data:
        for data, count in ((small_data, few), (large_data, many)):
            asyncio.run(fill(data, activities(count, count // 250)))
            asyncio.run(_vacuum(data))
        at_few, at_many = asyncio.run(_page_times(small_data, large_data, few, many))
    return at_most(
        1.5,
        question=f"PostgreSQL: page of 100 out of {many:,} activities",
        value=at_many,
        unit="µs",
        yardstick=f"out of {few:,}, {at_few:,.0f} µs",
        ratio=at_many / at_few,
    )


async def _page_times(small_data: str, large_data: str, few: int, many: int) -> list[float]:
    request = request_for((ActivityType.EM_SENDS, ActivityType.EM_OPENS, ActivityType.EM_CLICKS))
    rng = random.Random(3)
    async with open_store(Settings(data=small_data)) as small, open_store(Settings(data=large_data)) as large:
        # As many contacts of each, so that what is cached is the same.
        of_many = [contact_id(rng.randrange(many // 250)) for _ in range(few // 250)]
        works: list[Callable[[], Awaitable[None]]] = [
            lambda: page_alone(small, contact_id(rng.randrange(few // 250)), request),
            lambda: page_alone(large, rng.choice(of_many), request),
        ]
        return await best_in_turns(works)
