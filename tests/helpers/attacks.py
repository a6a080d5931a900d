"""The size of attacks: large with `make attacks`, which measures them, and smaller with `make test`."""

import os

LARGE = os.environ.get("RAPPORT_TEST_ATTACKS") == "large"
