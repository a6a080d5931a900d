"""These need a cluster whose nodes they may kill, stop and add to:

RAPPORT_TEST_CITUS_URL      a database of it, on the coordinator
RAPPORT_TEST_CITUS_CONTROL  a command that takes `kill9 N`, `up N`, `pause N`, `resume N` for its node N
RAPPORT_TEST_CITUS_SPARE    the port of a third worker that is no node of it yet
"""

import os

if not {"RAPPORT_TEST_CITUS_URL", "RAPPORT_TEST_CITUS_CONTROL", "RAPPORT_TEST_CITUS_SPARE"} <= os.environ.keys():
    collect_ignore_glob = ["test_*.py"]
