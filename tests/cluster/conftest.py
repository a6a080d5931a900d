"""These need a cluster whose nodes they may kill, stop and add to:

RAPPORT_TEST_CITUS_URL      a database of it, on the coordinator
RAPPORT_TEST_CITUS_CONTROL  a command that takes `kill9 N`, `up N`, `pause N`, `resume N` for its node N
RAPPORT_TEST_CITUS_SPARE    the port of a third worker that is no node of it yet
"""

import os
from collections.abc import Iterator

import pytest

from tests.cluster.cluster import URL
from tests.postgres import Databases

if not {"RAPPORT_TEST_CITUS_URL", "RAPPORT_TEST_CITUS_CONTROL", "RAPPORT_TEST_CITUS_SPARE"} <= os.environ.keys():
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture
def place() -> Iterator[str]:
    """An empty place on the cluster."""
    with Databases(URL, citus=True).fresh() as url:
        yield url
