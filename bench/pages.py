"""How fast is a page? Against a ready body of the same size, and against the same endpoint written the usual way."""

import asyncio
import json
import random
import tempfile
from pathlib import Path

import httpx
from click.testing import CliRunner

from bench.data import activities, contact_id, fill
from bench.load import BIN, free_port, granian, rapport, requests_a_second, server
from bench.measure import Measure, at_least
from rapport.auth.keys import load_keys
from rapport.cli.token import token as token_command
from rapport.settings import Settings
from rapport.store.engines import open_store

TYPES = ("em_sends", "em_opens", "em_clicks")


def measure(*, small: bool) -> list[Measure]:
    """Pages of 100 and of 10, requests a second."""
    count, seconds = (20_000, 1) if small else (1_000_000, 6)
    contacts = count // 250
    measures = []
    with tempfile.TemporaryDirectory() as folder:
        data = f"{folder}/data"
        asyncio.run(fill(data, activities(count, contacts)))
        token = make_token(data)
        for limit in (100, 10):
            paths = paths_of(Path(folder), contacts, limit)
            size = _size_of_one(data, token, paths)
            ours, static, usual = [], [], []
            # In turns, so that a slow minute of the machine is everybody's.
            for _ in range(1 if small else 3):
                ours.append(rapport_rate(data, token, paths, seconds))
                static.append(_static(size, paths, seconds))
                usual.append(_usual(data, token, paths, seconds))
            rate = max(ours)
            page = f"page of {limit}, {len(TYPES)} types, {count:,} activities"
            measures += [
                at_least(
                    0.12 if limit == 100 else 0,
                    question=page,
                    value=rate,
                    unit="requests/s",
                    yardstick=f"a ready body of {size:,} bytes, {max(static):,.0f}/s",
                    ratio=rate / max(static),
                ),
                at_least(
                    5,
                    question=page,
                    value=rate,
                    unit="requests/s",
                    yardstick=f"FastAPI, SQLAlchemy, aiosqlite, {max(usual):,.0f}/s",
                    ratio=rate / max(usual),
                ),
            ]
    return measures


def make_token(data: str) -> str:
    """A token for the default account."""
    result = CliRunner().invoke(token_command, ["--create", "--data", data], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout.strip()


def key_of(data: str) -> str:
    """The key that signs tokens, as a JWK."""

    async def read() -> str:
        async with open_store(Settings(data=data)) as store:
            return json.dumps((await load_keys(store)).signing.as_dict(private=True))

    return asyncio.run(read())


def paths_of(folder: Path, contacts: int, limit: int) -> Path:
    """A file of requests for pages of contacts taken at random."""
    rng = random.Random(1)
    params = "&".join(f"tracking_activity_type={name}" for name in TYPES)
    lines = [
        f"/v3/reports/contact_reports/{contact_id(rng.randrange(contacts))}/activity_details?{params}&limit={limit}\n"
        for _ in range(2_000)
    ]
    file = folder / f"paths-{limit}"
    file.write_text("".join(lines))
    return file


def rapport_rate(data: str, token: str, paths: Path, seconds: float) -> float:
    """What our own server answers, requests a second."""
    port = free_port()
    with server(rapport(data, port), port, {"RAPPORT_LIMITS": "off"}):
        return requests_a_second(port, "paths.lua", token=token, seconds=seconds, files=(paths,))


def _size_of_one(data: str, token: str, paths: Path) -> int:
    port = free_port()
    path = paths.read_text().splitlines()[0]
    with server(rapport(data, port), port):
        response = httpx.get(f"http://127.0.0.1:{port}{path}", headers={"authorization": f"Bearer {token}"})
    assert len(response.json()["tracking_activities"]) == int(path.rpartition("=")[2])
    return len(response.content)


def _static(size: int, paths: Path, seconds: float) -> float:
    port = free_port()
    with server(granian("bench.peers.static:application", port), port, {"BENCH_BODY": str(size)}):
        return requests_a_second(port, "paths.lua", seconds=seconds, files=(paths,))


def _usual(data: str, token: str, paths: Path, seconds: float) -> float:
    port = free_port()
    command = [str(BIN / "uvicorn"), "bench.peers.usual:application", "--port", str(port), "--log-level", "warning"]
    environment = {"BENCH_DATABASE": f"sqlite+aiosqlite:///{data}/rapport.db", "BENCH_KEY": key_of(data)}
    with server(command, port, environment):
        return requests_a_second(port, "paths.lua", token=token, seconds=seconds, files=(paths,))
