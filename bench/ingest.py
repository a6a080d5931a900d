"""How fast do activities come in? From a file, against bare inserts; over HTTP, against keeping nothing."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import apsw

from bench.data import activities, write_file
from bench.load import BIN, free_port, granian, rapport, requests_a_second, server
from bench.measure import Measure, at_least
from bench.pages import make_token
from rapport.recording.reader_process import CHUNK_SIZE
from rapport.store.sqlite.migrations import STEPS
from rapport.store.sqlite.write import SQL

_CLIENTS: Final = 64


def measure(*, small: bool) -> list[Measure]:
    """Both ways in."""
    return [_import(20_000 if small else 1_000_000, rounds=1 if small else 3), _http(1 if small else 6, small=small)]


def _import(count: int, rounds: int) -> Measure:
    contacts = count // 40
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "activities.ndjson"
        write_file(file, count, contacts)
        rows = _rows(count, contacts)
        ours, bare = [], []
        for _ in range(rounds):
            ours.append(count / _seconds_of_import(file, folder))
            bare.append(count / _seconds_of_bare_inserts(rows, folder))
    return at_least(
        0.35,
        question=f"import of {count:,} lines",
        value=max(ours),
        unit="activities/s",
        yardstick=f"bare executemany, same keys and fsyncs, no roll-ups, {max(bare):,.0f}/s",
        ratio=max(ours) / max(bare),
    )


def _seconds_of_import(file: Path, folder: str) -> float:
    """The whole command, from its start to its end."""
    data = f"{folder}/data"
    began = time.perf_counter()
    subprocess.run(
        [str(BIN / "rapport"), "import", str(file), "--data", data, "--create"], check=True, capture_output=True
    )
    taken = time.perf_counter() - began
    shutil.rmtree(data)
    return taken


def _rows(count: int, contacts: int) -> list[tuple[int | str | None, ...]]:
    """The rows as they end up in the table, ready to be bound."""
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
        )
        for activity in activities(count, contacts)
    ]


def _seconds_of_bare_inserts(rows: list[tuple[int | str | None, ...]], folder: str) -> float:
    file = Path(folder) / "bare.db"
    connection = apsw.Connection(str(file))
    for name, value in (("journal_mode", "wal"), ("synchronous", "full"), ("cache_size", -32_000)):
        connection.pragma(name, value)
    connection.pragma("wal_autocheckpoint", 4_000)
    for _, _, sql in STEPS:
        connection.execute(sql)
    began = time.perf_counter()
    for first in range(0, len(rows), CHUNK_SIZE):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(SQL["add_activity"], rows[first : first + CHUNK_SIZE])
        connection.execute("COMMIT")
    taken = time.perf_counter() - began
    connection.close()
    for part in Path(folder).glob("bare.db*"):
        part.unlink()
    return taken


def _http(seconds: float, *, small: bool) -> Measure:
    with tempfile.TemporaryDirectory() as folder:
        data = f"{folder}/data"
        token = make_token(data)
        stored, nothing = [], []
        for _ in range(1 if small else 3):
            stored.append(_posts(rapport, data, token, seconds))
            nothing.append(_posts(_keeping_nothing, data, token, seconds))
    return at_least(
        0.5,
        question=f"{_CLIENTS} clients post one activity each and wait until it is durable",
        value=max(stored),
        unit="requests/s",
        yardstick=f"the same, validated and not stored, {max(nothing):,.0f}/s",
        ratio=max(stored) / max(nothing),
    )


def _keeping_nothing(_data: str, port: int) -> list[str]:
    return granian("bench.peers.nothing:application", port, "--factory")


def _posts(command: Callable[[str, int], list[str]], data: str, token: str, seconds: float) -> float:
    port = free_port()
    with server(command(data, port), port, {"RAPPORT_LIMITS": "off", "RAPPORT_DATA": data}):
        return requests_a_second(port, "activities.lua", token=token, seconds=seconds, connections=_CLIENTS)
