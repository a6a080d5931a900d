"""Benchmarks of PostgreSQL: pages against bare queries and FastAPI with SQLAlchemy, imports against bare COPY."""

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
from bench.data import activities, contact_id, fill_store, write_file
from bench.growth import best_times, make_page, request_for
from bench.load import BIN, find_free_port, measure_rate, server
from bench.measure import Measurement, expect_max, expect_min
from bench.pages import TYPES, measure_rapport, read_key, sign_token, write_paths
from rapport.activity import EARLIEST, ActivityType
from rapport.settings import Settings
from rapport.store.activities import START_OF_HISTORY
from rapport.store.engines import open_store
from rapport.store.hashing import contact_key
from rapport.store.postgres.activities import merge_ranges
from rapport.store.postgres.ingest import PostgresIngest
from rapport.store.postgres.pool import Pool
from tests.helpers.postgres import Databases, postgres_server

_CLIENTS = 16

_IMPORTED_TABLES = (
    *("contact", "person", "tracking_activity"),
    *("engagement", "clicked_link", "bounced_contact", "campaign_activity_stats", "campaign_activity_hour"),
)
"""The tables that an import fills with a row per activity, contact, or contact of a campaign activity."""


def measure(*, small: bool) -> list[Measurement]:
    """Measure pages, imports and growth on a private server with fsync on."""
    with postgres_server(fsync="on", shared_buffers="1GB", max_wal_size="4GB") as running:
        databases = Databases(running.url)
        return [
            *_measure_pages(databases, small=small),
            _measure_import(databases, small=small),
            _measure_growth(databases, small=small),
            sizes.measure_postgresql(databases, 2_000 if small else 400_000),
        ]


def _measure_pages(databases: Databases, *, small: bool) -> list[Measurement]:
    count, seconds = (20_000, 1) if small else (1_000_000, 6)
    contacts = count // 250
    measures = []
    with databases.migrated_schema() as data, tempfile.TemporaryDirectory() as folder:
        asyncio.run(fill_store(data, activities(count, contacts)))
        asyncio.run(_vacuum(data))
        token = sign_token(data)
        for limit in (100, 10):
            paths = write_paths(Path(folder), contacts, limit)
            ours, bare, fastapi = [], [], []
            for _ in range(1 if small else 3):
                ours.append(measure_rapport(data, token, paths, seconds))
                bare.append(asyncio.run(_measure_bare_queries(data, contacts, limit, seconds)))
                fastapi.append(_measure_fastapi(data, token, paths, seconds))
            name = f"PostgreSQL: page of {limit}, {len(TYPES)} types, {count:,} activities"
            measures += [
                expect_min(
                    0.0,
                    name=name,
                    value=max(ours),
                    unit="requests/s",
                    baseline=f"the same SQL by bare asyncpg, no HTTP, {max(bare):,.0f}/s",
                    ratio=max(ours) / max(bare),
                ),
                expect_min(
                    3,
                    name=name,
                    value=max(ours),
                    unit="requests/s",
                    baseline=f"FastAPI, SQLAlchemy, asyncpg, {max(fastapi):,.0f}/s",
                    ratio=max(ours) / max(fastapi),
                ),
            ]
    return measures


async def _vacuum(data: str) -> None:
    """Do what autovacuum does in time."""
    connection = await asyncpg.connect(data)
    for table in ("tracking_activity", "contact", "person"):
        await connection.execute(f"VACUUM ANALYZE {table}")
    await connection.close()


async def _measure_bare_queries(data: str, contacts: int, limit: int, seconds: float) -> float:
    """Run the page's statement from as many clients in one process, and return the queries per second."""
    pool = Pool(data, 10, use_pgbouncer=False)
    await pool.open()
    rng = random.Random(1)
    keys = [contact_key("default", contact_id(rng.randrange(contacts))) for _ in range(2_000)]
    statement, after = merge_ranges("list_newest", len(TYPES)), START_OF_HISTORY
    ends = time.perf_counter() + seconds

    async def run_queries() -> int:
        queries = 0
        while time.perf_counter() < ends:
            async with pool.acquire(5) as connection:
                await connection.fetch(statement, rng.choice(keys), EARLIEST, *after, limit + 1, 0, 1, 2)
            queries += 1
        return queries

    started = time.perf_counter()
    queries = sum(await asyncio.gather(*(run_queries() for _ in range(_CLIENTS))))
    rate = queries / (time.perf_counter() - started)
    await pool.close()
    return rate


def _measure_fastapi(data: str, token: str, paths: Path, seconds: float) -> float:
    port = find_free_port()
    url, _, schema = data.partition("?search_path=")
    asyncio.run(_set_search_path(url, schema))
    environment = {
        "BENCH_DATABASE": url.replace("postgresql:", "postgresql+asyncpg:"),
        "BENCH_KEY": read_key(data),
    }
    command = [
        str(BIN / "uvicorn"),
        "bench.baselines.fastapi_sqlalchemy:application",
        "--port",
        str(port),
        "--log-level",
        "warning",
    ]
    with server(command, port, environment):
        return measure_rate(port, "paths.lua", token=token, seconds=seconds, files=(paths,))


async def _set_search_path(url: str, schema: str) -> None:
    """Make the tables visible to connections that don't set a search path."""
    connection = await asyncpg.connect(url)
    await connection.execute(f"ALTER ROLE CURRENT_USER SET search_path = {schema}")
    await connection.close()


def _measure_import(databases: Databases, *, small: bool) -> Measurement:
    count = 20_000 if small else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "activities.ndjson"
        write_file(file, count, count // 40)
        ours, bare = [], []
        for _ in range(1 if small else 5):
            with databases.migrated_schema() as data:
                started = time.perf_counter()
                command = [str(BIN / "rapport"), "import", str(file), "--data", data, "--create"]
                subprocess.run(command, check=True, capture_output=True)
                ours.append(count / (time.perf_counter() - started))
                bare.append(asyncio.run(_measure_bare_copy(data, count)))
    # Compare each import with the COPY right after it, because the machine's speed changes from minute to minute.
    ratios = [imported / copied for imported, copied in zip(ours, bare, strict=True)]
    rounds = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    return expect_min(
        0.45,
        name=f"PostgreSQL: import of {count:,} lines, medians",
        value=median(ours),
        unit="activities/s",
        baseline=f"bare COPY of the same rows into the same tables, {median(bare):,.0f}/s; each round: {rounds}",
        ratio=median(ratios),
    )


async def _measure_bare_copy(data: str, count: int) -> float:
    """Empty the tables that the import filled, and copy their rows back in. Return the activities per second."""
    size = PostgresIngest.batch_size
    pool = Pool(data, 2, use_pgbouncer=False)
    await pool.open()
    async with pool.acquire(3_600) as connection:
        rows = {
            table: [tuple(row) for row in await connection.fetch(f"SELECT * FROM {table}")]  # noqa: S608 - constants
            for table in _IMPORTED_TABLES
        }
        await connection.execute(f"TRUNCATE {', '.join(_IMPORTED_TABLES)}")
        started = time.perf_counter()
        for table in _IMPORTED_TABLES:
            for first in range(0, len(rows[table]), size):
                await connection.copy_records_to_table(table, records=rows[table][first : first + size])
        rate = count / (time.perf_counter() - started)
    await pool.close()
    return rate


def _measure_growth(databases: Databases, *, small: bool) -> Measurement:
    few, many = (5_000, 20_000) if small else (100_000, 10_000_000)
    with databases.migrated_schema() as small_data, databases.migrated_schema() as large_data:
        for data, count in ((small_data, few), (large_data, many)):
            asyncio.run(fill_store(data, activities(count, count // 250)))
            asyncio.run(_vacuum(data))
        at_few, at_many = asyncio.run(_time_pages(small_data, large_data, few, many))
    return expect_max(
        1.5,
        name=f"PostgreSQL: page of 100 out of {many:,} activities",
        value=at_many,
        unit="µs",
        baseline=f"out of {few:,}, {at_few:,.0f} µs",
        ratio=at_many / at_few,
    )


async def _time_pages(small_data: str, large_data: str, few: int, many: int) -> list[float]:
    request = request_for((ActivityType.EM_SENDS, ActivityType.EM_OPENS, ActivityType.EM_CLICKS))
    rng = random.Random(3)
    async with open_store(Settings(data=small_data)) as small, open_store(Settings(data=large_data)) as large:
        # The same number of contacts in both, so that they profit equally from caches.
        many_ids = [contact_id(rng.randrange(many // 250)) for _ in range(few // 250)]
        works: list[Callable[[], Awaitable[None]]] = [
            lambda: make_page(small, contact_id(rng.randrange(few // 250)), request),
            lambda: make_page(large, rng.choice(many_ids), request),
        ]
        return await best_times(works)
