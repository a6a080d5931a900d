"""Reports that are abandoned or take too long."""

import asyncio
import time
from pathlib import Path

import apsw
import asyncpg
import pytest

from rapport import disconnects
from rapport.disconnects import is_cancelled_by_disconnect, watch_client
from rapport.errors import StoreUnavailable
from rapport.store.postgres.pool import Pool
from rapport.store.sqlite import report_threads
from rapport.store.sqlite.connection import make_folder
from rapport.store.sqlite.report_threads import ReportThreads

ENDLESS = "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number) SELECT max(n) FROM number"


def count_forever(connection: apsw.Connection) -> None:
    connection.execute(ENDLESS).fetchall()


def return_at_once(_connection: apsw.Connection) -> str:
    return "made"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_folder(tmp_path / "data")
    return tmp_path / "data"


async def test_cancelled_report_releases_its_thread(folder: Path) -> None:
    made = ReportThreads()
    made.open(folder)
    for _ in range(3):
        endless = [asyncio.create_task(made.run(account_id, count_forever)) for account_id in "aabbcc"]
        await asyncio.sleep(0.1)
        for task in endless:
            task.cancel()
        async with asyncio.timeout(20):
            assert await made.run("d", return_at_once) == "made"
    await made.close()


async def test_shutdown_rejects_queued_and_ends_running_reports(folder: Path) -> None:
    made = ReportThreads()
    made.open(folder)
    endless = [asyncio.create_task(made.run(account_id, count_forever)) for account_id in "aaabbb"]
    await asyncio.sleep(0.1)
    made.stop()
    async with asyncio.timeout(20):
        outcomes = await asyncio.gather(*endless, return_exceptions=True)
        await made.close()
    assert all(isinstance(outcome, StoreUnavailable) for outcome in outcomes)


async def test_report_is_ended_after_timeout(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_threads, "_REPORT_TIMEOUT", 0.1)

    made = ReportThreads()
    made.open(folder)
    async with asyncio.timeout(20):
        with pytest.raises(StoreUnavailable):
            await made.run("a", count_forever)
    await made.close()


async def test_report_ends_when_client_disconnects(folder: Path) -> None:
    made = ReportThreads()
    made.open(folder)
    hung_up = asyncio.Event()

    async def receive() -> dict[str, str]:
        await hung_up.wait()
        return {"type": "http.disconnect"}

    async def respond() -> bool:
        watch_client(receive)
        try:
            await made.run("a", count_forever)
        except asyncio.CancelledError:
            return is_cancelled_by_disconnect()
        return False

    response = asyncio.create_task(respond())
    await asyncio.sleep(2 * disconnects._WATCH_AFTER)  # noqa: SLF001 - shows that the client is watched
    hung_up.set()
    async with asyncio.timeout(20):
        assert await response
        await made.close()


async def test_abandoned_query_is_cancelled_in_database(postgres_url: str) -> None:
    running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(1234)%' AND state = 'active'"

    pool = Pool(postgres_url, 4, use_pgbouncer=False)
    await pool.open()

    async def sleep() -> None:
        async with pool.acquire(600, "a") as connection:
            await connection.execute("SELECT pg_sleep(1234)")

    watching = await asyncpg.connect(postgres_url)
    tasks = [asyncio.create_task(sleep()) for _ in range(2)]
    deadline = time.monotonic() + 20
    while await watching.fetchval(running) < len(tasks):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    for task in tasks:
        task.cancel()
    while await watching.fetchval(running):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    await watching.close()
    await pool.close()


async def test_account_leaves_connections_to_others(postgres_url: str) -> None:
    pool = Pool(postgres_url, 4, use_pgbouncer=False)
    await pool.open()

    async def sleep() -> None:
        async with pool.acquire(600, "a") as connection:
            await connection.execute("SELECT pg_sleep(600)")

    tasks = [asyncio.create_task(sleep()) for _ in range(50)]
    await asyncio.sleep(0.2)
    async with asyncio.timeout(20), pool.acquire(20, "b") as connection:
        assert await connection.fetchval("SELECT 1") == 1
    pool.stop()
    async with asyncio.timeout(20):
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(outcome, StoreUnavailable) for outcome in outcomes)
    await pool.close()
