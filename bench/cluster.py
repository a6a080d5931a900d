"""Pages and imports of a Citus cluster against plain PostgreSQL, in turns.

The cluster is the one that `RAPPORT_TEST_CITUS_URL` names, and may be on this machine: then they share its cores.
"""

import asyncio
import os
import subprocess
import tempfile
import time
from pathlib import Path

from bench.data import activities, fill, write_file
from bench.load import BIN
from bench.measure import Measure, at_least
from bench.pages import make_token, paths_of, rapport_rate
from tests.postgres import Databases, postgres_server

URL = os.environ.get("RAPPORT_TEST_CITUS_URL")


def measure(*, small: bool) -> list[Measure]:
    """All of it; nothing, if no cluster is named."""
    if URL is None:
        return []
    with postgres_server(fsync="on", shared_buffers="256MB", max_wal_size="4GB") as running:
        cluster, plain = Databases(URL, citus=True), Databases(running.url)
        return [_pages(cluster, plain, small=small), _import(cluster, plain, small=small)]


def _pages(cluster: Databases, plain: Databases, *, small: bool) -> Measure:
    count, seconds, turns = (5_000, 1, 1) if small else (200_000, 6, 3)
    contacts = count // 250
    with (
        cluster.fresh() as cluster_data,
        plain.fresh() as plain_data,
        tempfile.TemporaryDirectory() as folder,
    ):
        paths = paths_of(Path(folder), contacts, 100)
        tokens = {}
        for data in (cluster_data, plain_data):
            asyncio.run(fill(data, activities(count, contacts)))
            tokens[data] = make_token(data)
        ours, yardstick = [], []
        for _ in range(turns):
            ours.append(rapport_rate(cluster_data, tokens[cluster_data], paths, seconds))
            yardstick.append(rapport_rate(plain_data, tokens[plain_data], paths, seconds))
    return at_least(
        0.0,
        question=f"Citus: page of 100 of {count:,} activities",
        value=max(ours),
        unit="requests/s",
        yardstick=f"PostgreSQL, {max(yardstick):,.0f}/s",
        ratio=max(ours) / max(yardstick),
    )


def _import(cluster: Databases, plain: Databases, *, small: bool) -> Measure:
    count, turns = (5_000, 1) if small else (200_000, 3)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "activities.ndjson"
        write_file(file, count, count // 40)
        ours, yardstick = [], []
        for _ in range(turns):
            ours.append(_import_rate(cluster, file, count))
            yardstick.append(_import_rate(plain, file, count))
    return at_least(
        0.0,
        question=f"Citus: import of {count:,} lines",
        value=max(ours),
        unit="activities/s",
        yardstick=f"PostgreSQL, {max(yardstick):,.0f}/s",
        ratio=max(ours) / max(yardstick),
    )


def _import_rate(databases: Databases, file: Path, count: int) -> float:
    with databases.fresh() as data:
        command = [str(BIN / "rapport"), "import", str(file), "--data", data, "--create"]
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        return count / (time.perf_counter() - began)
