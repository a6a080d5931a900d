"""What every test may ask for: stores of each engine, running servers, accounts of their own."""

import asyncio
import itertools
import os
import uuid
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.postgres import Databases, PostgresServer, postgres_server
from tests.world import Caller, Server, create_store

CITUS_URL = os.environ.get("RAPPORT_TEST_CITUS_URL")
"""A database of a Citus cluster that is ours to fill: with it, all tests run against it as well."""

ENGINES = ["sqlite", "postgresql", *(["citus"] if CITUS_URL else [])]

BROWSER_TESTS = Path(__file__).parent / "browser"
POSTGRES_FIXTURES = {"postgresql", "own_postgres"}

_numbers = itertools.count()


def pytest_report_header() -> str:
    return "engines: " + ", ".join(ENGINES) + ("" if CITUS_URL else " (Citus if RAPPORT_TEST_CITUS_URL names one)")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a browser or a PostgreSQL server."""
    for item in items:
        if item.path.is_relative_to(BROWSER_TESTS):
            item.add_marker(pytest.mark.browser)
        if isinstance(item, pytest.Function) and needs_postgres(item):
            item.add_marker(pytest.mark.postgres)


def needs_postgres(item: pytest.Function) -> bool:
    """Return True if the test is given a PostgreSQL server, by a fixture or as its engine."""
    params = item.callspec.params if hasattr(item, "callspec") else {}
    return not POSTGRES_FIXTURES.isdisjoint(item.fixturenames) or params.get("engine", "sqlite") != "sqlite"


@pytest.fixture(scope="session", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL server for the whole session, ours or that of RAPPORT_TEST_POSTGRESQL_URL."""
    url = os.environ.get("RAPPORT_TEST_POSTGRESQL_URL")
    if url:
        yield url
        return
    with postgres_server() as running:
        yield running.url


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server for one test, which may stop it or change its settings."""
    with postgres_server() as running:
        yield running


@pytest.fixture(scope="session")
def databases(engine: str, request: pytest.FixtureRequest) -> Databases | None:
    """Where empty places of the engine are made; None for SQLite, which needs none."""
    if engine == "sqlite":
        return None
    if engine == "citus":
        assert CITUS_URL is not None
        return Databases(CITUS_URL, citus=True)
    return Databases(request.getfixturevalue("postgresql"))


@pytest.fixture
def missing_data(databases: Databases | None, tmp_path: Path) -> Iterator[str]:
    """A location of the engine that has no store yet: what `--data` takes."""
    with nullcontext(str(tmp_path / "data")) if databases is None else databases.bare() as location:
        yield location


@pytest.fixture
def data(databases: Databases | None, tmp_path: Path) -> Iterator[str]:
    """An empty store of the engine: what `--data` takes."""
    with nullcontext(str(tmp_path / "data")) if databases is None else databases.fresh() as location:
        asyncio.run(create_store(location))
        yield location


@pytest.fixture(scope="session")
def server(databases: Databases | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One running server for all tests that need no other; they keep apart by account."""
    folder = tmp_path_factory.mktemp("served")
    if databases is None:
        with Server(str(folder / "data")) as running:
            yield running
        return
    with databases.fresh() as url, Server(url) as running:
        yield running


@pytest.fixture
def account() -> str:
    """The id of an account that no other test has."""
    return f"account-{next(_numbers)}-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def caller(server: Server, account: str) -> Iterator[Caller]:
    """Somebody with a token for everything in an account of its own."""
    with server.caller(account) as calling:
        yield calling
