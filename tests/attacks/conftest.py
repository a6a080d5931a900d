"""Servers of the attacks' own, so that the memory they measure is not that of all tests before them."""

from collections.abc import Iterator

import pytest

from tests.helpers.postgres import Databases
from tests.helpers.server import Server


@pytest.fixture(scope="module")
def server(databases: Databases | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server for a module; each test uses an account of its own."""
    if databases is None:
        with Server(str(tmp_path_factory.mktemp("attacked") / "data")) as running:
            yield running
        return
    with databases.migrated_schema() as url, Server(url) as running:
        yield running
