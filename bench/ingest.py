"""Measure how fast activities are recorded: imports against bare inserts, and HTTP against storing nothing."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import apsw

from bench.data import activities, write_file
from bench.load import BIN, find_free_port, granian, measure_rate, rapport, server
from bench.measure import Measurement, expect_min
from bench.pages import sign_token
from rapport.store.hashing import contact_order
from rapport.store.sqlite.ingest import SQLiteIngest
from rapport.store.sqlite.migrations import MIGRATIONS, add_functions
from rapport.store.sqlite.queries import SQL

_CLIENTS: Final = 64


def measure(*, small: bool) -> list[Measurement]:
    """Measure imports and HTTP requests."""
    return [
        _measure_import(20_000 if small else 1_000_000, rounds=1 if small else 3),
        _measure_http(1 if small else 6, small=small),
    ]


def _measure_import(count: int, rounds: int) -> Measurement:
    contacts = count // 40
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "activities.ndjson"
        write_file(file, count, contacts)
        rows = _rows(count, contacts)
        ours, bare = [], []
        for _ in range(rounds):
            ours.append(count / _time_import(file, folder))
            bare.append(count / _time_bare_inserts(rows, folder))
    return expect_min(
        0.35,
        name=f"import of {count:,} lines",
        value=max(ours),
        unit="activities/s",
        baseline=f"bare executemany, same keys and fsyncs, no roll-ups, {max(bare):,.0f}/s",
        ratio=max(ours) / max(bare),
    )


def _time_import(file: Path, folder: str) -> float:
    """Return the seconds that the whole command takes."""
    data = f"{folder}/data"
    started = time.perf_counter()
    subprocess.run(
        [str(BIN / "rapport"), "import", str(file), "--data", data, "--create"], check=True, capture_output=True
    )
    elapsed = time.perf_counter() - started
    shutil.rmtree(data)
    return elapsed


def _rows(count: int, contacts: int) -> list[tuple[int | str | None, ...]]:
    """Return the rows of the table, ready to be inserted."""
    keys: dict[str, int] = {}
    named: dict[str, int] = {}
    return [
        (
            keys.setdefault(activity.contact_id, len(keys) + 1),
            int(activity.type),
            activity.created_time,
            activity.identity,
            named.setdefault(activity.campaign_activity_id, len(named) + 1),
            1,
            None,
            activity.device_type,
            None,
            None,
            None,
            contact_order("default", activity.contact_id),
        )
        for activity in activities(count, contacts)
    ]


def _time_bare_inserts(rows: list[tuple[int | str | None, ...]], folder: str) -> float:
    file = Path(folder) / "bare.db"
    connection = apsw.Connection(str(file))
    for name, value in (("journal_mode", "wal"), ("synchronous", "full"), ("cache_size", -32_000)):
        connection.pragma(name, value)
    connection.pragma("wal_autocheckpoint", 4_000)
    add_functions(connection)
    for _, _, sql in MIGRATIONS:
        connection.execute(sql)
    started = time.perf_counter()
    for first in range(0, len(rows), SQLiteIngest.batch_size):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(SQL["ingest"]["add_activity"], rows[first : first + SQLiteIngest.batch_size])
        connection.execute("COMMIT")
    elapsed = time.perf_counter() - started
    connection.close()
    for part in Path(folder).glob("bare.db*"):
        part.unlink()
    return elapsed


def _measure_http(seconds: float, *, small: bool) -> Measurement:
    with tempfile.TemporaryDirectory() as folder:
        data = f"{folder}/data"
        token = sign_token(data)
        stored, nothing = [], []
        for _ in range(1 if small else 3):
            stored.append(_measure_posts(rapport, data, token, seconds))
            nothing.append(_measure_posts(_no_store_command, data, token, seconds))
    return expect_min(
        0.5,
        name=f"{_CLIENTS} clients post one activity each and wait until it is durable",
        value=max(stored),
        unit="requests/s",
        baseline=f"the same, validated and not stored, {max(nothing):,.0f}/s",
        ratio=max(stored) / max(nothing),
    )


def _no_store_command(_data: str, port: int) -> list[str]:
    return granian("bench.baselines.nothing:application", port, "--factory")


def _measure_posts(command: Callable[[str, int], list[str]], data: str, token: str, seconds: float) -> float:
    port = find_free_port()
    with server(command(data, port), port, {"RAPPORT_LIMITS": "off", "RAPPORT_DATA": data}):
        return measure_rate(port, "activities.lua", token=token, seconds=seconds, connections=_CLIENTS)
