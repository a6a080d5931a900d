"""What every test may ask for: data directories of each engine, running servers, accounts of their own."""

import itertools
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.world import Caller, Server

ENGINES = ["sqlite"]

_numbers = itertools.count()


@pytest.fixture(scope="session", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def data(engine: str, tmp_path: Path) -> str:
    """Where an empty store of the engine can be: what `--data` takes."""
    return str(tmp_path / "data")


@pytest.fixture(scope="session")
def server(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One running server for all tests that need no other; they keep apart by account."""
    with Server(str(tmp_path_factory.mktemp("served") / "data")) as running:
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
