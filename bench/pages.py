"""Compare pages with a static body of the same size, and with the same endpoint in FastAPI and SQLAlchemy."""

import asyncio
import json
import random
import tempfile
from pathlib import Path

import httpx
from click.testing import CliRunner

from bench.data import activities, contact_id, fill_store
from bench.load import BIN, find_free_port, granian, measure_rate, rapport, server
from bench.measure import Measurement, expect_min
from rapport.auth.keys import load_keys
from rapport.cli.token import create
from rapport.settings import Settings
from rapport.store.engines import open_store

TYPES = ("em_sends", "em_opens", "em_clicks")


def measure(*, small: bool) -> list[Measurement]:
    """Measure requests per second for pages of 100 and of 10."""
    count, seconds = (20_000, 1) if small else (1_000_000, 6)
    contacts = count // 250
    measures = []
    with tempfile.TemporaryDirectory() as folder:
        data = f"{folder}/data"
        asyncio.run(fill_store(data, activities(count, contacts)))
        token = sign_token(data)
        for limit in (100, 10):
            paths = write_paths(Path(folder), contacts, limit)
            size = _get_page_size(data, token, paths)
            ours, static, fastapi = [], [], []
            # In turns, so that a slow minute of the machine affects all of them.
            for _ in range(1 if small else 3):
                ours.append(measure_rapport(data, token, paths, seconds))
                static.append(_measure_static(size, paths, seconds))
                fastapi.append(_measure_fastapi(data, token, paths, seconds))
            rate = max(ours)
            page = f"page of {limit}, {len(TYPES)} types, {count:,} activities"
            measures += [
                expect_min(
                    0.12 if limit == 100 else 0,
                    name=page,
                    value=rate,
                    unit="requests/s",
                    baseline=f"a static body of {size:,} bytes, {max(static):,.0f}/s",
                    ratio=rate / max(static),
                ),
                expect_min(
                    5,
                    name=page,
                    value=rate,
                    unit="requests/s",
                    baseline=f"FastAPI, SQLAlchemy, aiosqlite, {max(fastapi):,.0f}/s",
                    ratio=rate / max(fastapi),
                ),
            ]
    return measures


def sign_token(data: str) -> str:
    """Return a token for the default account."""
    result = CliRunner().invoke(create, ["--create", "--data", data], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout.strip()


def read_key(data: str) -> str:
    """Return the key that signs tokens, as a JWK."""

    async def read() -> str:
        async with open_store(Settings(data=data)) as store:
            return json.dumps((await load_keys(store.secrets)).signing_key.as_dict(private=True))

    return asyncio.run(read())


def write_paths(folder: Path, contacts: int, limit: int) -> Path:
    """Write a file of paths of pages of random contacts, and return it."""
    rng = random.Random(1)
    params = "&".join(f"tracking_activity_type={name}" for name in TYPES)
    lines = [
        f"/v3/reports/contact_reports/{contact_id(rng.randrange(contacts))}/activity_details?{params}&limit={limit}\n"
        for _ in range(2_000)
    ]
    file = folder / f"paths-{limit}"
    file.write_text("".join(lines))
    return file


def measure_rapport(data: str, token: str, paths: Path, seconds: float) -> float:
    """Return the requests per second of Rapport."""
    port = find_free_port()
    with server(rapport(data, port), port, {"RAPPORT_LIMITS": "off"}):
        return measure_rate(port, "paths.lua", token=token, seconds=seconds, files=(paths,))


def _get_page_size(data: str, token: str, paths: Path) -> int:
    port = find_free_port()
    path = paths.read_text().splitlines()[0]
    with server(rapport(data, port), port):
        response = httpx.get(f"http://127.0.0.1:{port}{path}", headers={"authorization": f"Bearer {token}"})
    assert len(response.json()["tracking_activities"]) == int(path.rpartition("=")[2])
    return len(response.content)


def _measure_static(size: int, paths: Path, seconds: float) -> float:
    port = find_free_port()
    with server(granian("bench.baselines.static:application", port), port, {"BENCH_BODY": str(size)}):
        return measure_rate(port, "paths.lua", seconds=seconds, files=(paths,))


def _measure_fastapi(data: str, token: str, paths: Path, seconds: float) -> float:
    port = find_free_port()
    command = [
        str(BIN / "uvicorn"),
        "bench.baselines.fastapi_sqlalchemy:application",
        "--port",
        str(port),
        "--log-level",
        "warning",
    ]
    environment = {"BENCH_DATABASE": f"sqlite+aiosqlite:///{data}/rapport.db", "BENCH_KEY": read_key(data)}
    with server(command, port, environment):
        return measure_rate(port, "paths.lua", token=token, seconds=seconds, files=(paths,))
