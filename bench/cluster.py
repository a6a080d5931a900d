"""Compare pages and imports on a Citus cluster with plain PostgreSQL, in turns.

`RAPPORT_TEST_CITUS_URL` names the cluster. If it runs on this machine, both share its cores.
"""

import asyncio
import os
import subprocess
import tempfile
import time
from pathlib import Path

from bench.data import activities, fill_store, write_file
from bench.load import BIN
from bench.measure import Measurement, expect_min
from bench.pages import measure_rapport, sign_token, write_paths
from tests.helpers.postgres import Databases, postgres_server

URL = os.environ.get("RAPPORT_TEST_CITUS_URL")


def measure(*, small: bool) -> list[Measurement]:
    """Measure pages and imports, or nothing if no cluster is named."""
    if URL is None:
        return []
    with postgres_server(fsync="on", shared_buffers="256MB", max_wal_size="4GB") as running:
        cluster, plain = Databases(URL, citus=True), Databases(running.url)
        return [_measure_pages(cluster, plain, small=small), _measure_import(cluster, plain, small=small)]


def _measure_pages(cluster: Databases, plain: Databases, *, small: bool) -> Measurement:
    count, seconds, turns = (5_000, 1, 1) if small else (200_000, 6, 3)
    contacts = count // 250
    with (
        cluster.migrated_schema() as cluster_data,
        plain.migrated_schema() as plain_data,
        tempfile.TemporaryDirectory() as folder,
    ):
        paths = write_paths(Path(folder), contacts, 100)
        tokens = {}
        for data in (cluster_data, plain_data):
            asyncio.run(fill_store(data, activities(count, contacts)))
            tokens[data] = sign_token(data)
        ours, baseline = [], []
        for _ in range(turns):
            ours.append(measure_rapport(cluster_data, tokens[cluster_data], paths, seconds))
            baseline.append(measure_rapport(plain_data, tokens[plain_data], paths, seconds))
    return expect_min(
        0.0,
        name=f"Citus: page of 100 of {count:,} activities",
        value=max(ours),
        unit="requests/s",
        baseline=f"PostgreSQL, {max(baseline):,.0f}/s",
        ratio=max(ours) / max(baseline),
    )


def _measure_import(cluster: Databases, plain: Databases, *, small: bool) -> Measurement:
    count, turns = (5_000, 1) if small else (200_000, 3)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "activities.ndjson"
        write_file(file, count, count // 40)
        ours, baseline = [], []
        for _ in range(turns):
            ours.append(_import_rate(cluster, file, count))
            baseline.append(_import_rate(plain, file, count))
    return expect_min(
        0.0,
        name=f"Citus: import of {count:,} lines",
        value=max(ours),
        unit="activities/s",
        baseline=f"PostgreSQL, {max(baseline):,.0f}/s",
        ratio=max(ours) / max(baseline),
    )


def _import_rate(databases: Databases, file: Path, count: int) -> float:
    with databases.migrated_schema() as data:
        command = [str(BIN / "rapport"), "import", str(file), "--data", data, "--create"]
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        return count / (time.perf_counter() - started)
