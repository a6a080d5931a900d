"""Tests that need a cluster whose nodes they may kill, stop and add:

RAPPORT_TEST_CITUS_URL      a database on its coordinator
RAPPORT_TEST_CITUS_CONTROL  a command that takes `kill9 N`, `up N`, `pause N`, `resume N` for node N
RAPPORT_TEST_CITUS_SPARE    the port of a third worker, which is not a node yet
"""

import os
from collections.abc import Iterator

import pytest

from tests.helpers.cluster import URL
from tests.helpers.postgres import Databases

if not {"RAPPORT_TEST_CITUS_URL", "RAPPORT_TEST_CITUS_CONTROL", "RAPPORT_TEST_CITUS_SPARE"} <= os.environ.keys():
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture
def database_url() -> Iterator[str]:
    """URL of an empty store on the cluster."""
    with Databases(URL, citus=True).migrated_schema() as url:
        yield url
