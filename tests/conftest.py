"""Fixtures for all tests: stores of each engine, running servers, accounts."""

import functools
import itertools
import os
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import nullcontext
from pathlib import Path

import httpx
import pytest
from httpx._transports import default as httpx_transports

from rapport.settings import Settings
from rapport.store.engines import open_store
from rapport.store.store import Store
from tests.helpers.api import ApiClient
from tests.helpers.loop import run_async
from tests.helpers.postgres import CITUS_URL, Databases, PostgresInstallation, PostgresServer, postgres_installation
from tests.helpers.server import Server, create_store

ENGINES = ["sqlite", "postgresql", *(["citus"] if CITUS_URL else [])]

BROWSER_TESTS = Path(__file__).parent / "browser"
POSTGRES_FIXTURES = {"postgres_url", "own_postgres"}

_numbers = itertools.count()

# Otherwise each client reads all certificates of the machine, which takes 20 ms.
httpx_transports.create_ssl_context = functools.cache(httpx.create_ssl_context)


def pytest_report_header() -> str:
    return "engines: " + ", ".join(ENGINES) + ("" if CITUS_URL else " (Citus if RAPPORT_TEST_CITUS_URL names one)")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests that need a browser or a PostgreSQL server."""
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
def installed_postgres() -> Iterator[PostgresInstallation]:
    with postgres_installation() as installation:
        yield installation


@pytest.fixture(scope="session")
def postgres_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """URL of a PostgreSQL server for the session: a new one, or that of RAPPORT_TEST_POSTGRESQL_URL."""
    url = os.environ.get("RAPPORT_TEST_POSTGRESQL_URL")
    if url:
        yield url
        return
    installation: PostgresInstallation = request.getfixturevalue("installed_postgres")
    with installation.run_server() as running:
        yield running.url


@pytest.fixture
def own_postgres(installed_postgres: PostgresInstallation) -> Iterator[PostgresServer]:
    """A PostgreSQL server for one test, which may stop it or change its settings."""
    with installed_postgres.run_server() as running:
        yield running


@pytest.fixture(scope="session")
def databases(engine: str, request: pytest.FixtureRequest) -> Databases | None:
    """The database in which stores are created; None for SQLite."""
    if engine == "sqlite":
        return None
    if engine == "citus":
        assert CITUS_URL is not None
        return Databases(CITUS_URL, citus=True)
    return Databases(request.getfixturevalue("postgres_url"))


@pytest.fixture
def missing_location(databases: Databases | None, tmp_path: Path) -> Iterator[str]:
    """Location of the engine without a store, as `--data` takes it."""
    with nullcontext(str(tmp_path / "data")) if databases is None else databases.empty_schema() as location:
        yield location


@pytest.fixture
def location(databases: Databases | None, tmp_path: Path) -> Iterator[str]:
    """Location of an empty store of the engine, as `--data` takes it."""
    with nullcontext(str(tmp_path / "data")) if databases is None else databases.migrated_schema() as location:
        run_async(create_store(location))
        yield location


@pytest.fixture(scope="session")
def sqlite_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server for the session, for tests that don't depend on the engine."""
    with Server(str(tmp_path_factory.mktemp("served") / "data")) as running:
        yield running


@pytest.fixture(scope="session")
def server(databases: Databases | None, request: pytest.FixtureRequest) -> Iterator[Server]:
    """A running server for the session; each test uses an account of its own."""
    if databases is None:
        yield request.getfixturevalue("sqlite_server")
        return
    with databases.migrated_schema() as url, Server(url) as running:
        yield running


@pytest.fixture
async def store(location: str) -> AsyncIterator[Store]:
    """An open store of the engine."""
    async with open_store(Settings(data=location)) as store:
        yield store


@pytest.fixture
def account() -> str:
    """Id of an account that no other test uses."""
    return f"account-{next(_numbers)}-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def client(server: Server, account: str) -> Iterator[ApiClient]:
    """A client with the default scopes in an account of its own."""
    with server.client(account) as client:
        yield client
