"""Fixtures for the tests of the authorization server."""

from collections.abc import Iterator
from contextlib import nullcontext

import pytest

from tests.helpers.postgres import Databases
from tests.helpers.server import Server


@pytest.fixture(scope="session")
def servers(databases: Databases | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    """Two servers with two workers each, sharing a store."""
    storage = (
        nullcontext(str(tmp_path_factory.mktemp("shared") / "data"))
        if databases is None
        else databases.migrated_schema()
    )
    with storage as location, Server(location, workers=2) as first, Server(location, workers=2) as second:
        yield [first, second]
