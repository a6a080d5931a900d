"""The SQL that only a cluster needs."""

from pathlib import Path
from typing import Final

from rapport.store.queries import load_queries

_FOLDER: Final = Path(__file__).parent / "sql"

CLUSTER: Final = load_queries(_FOLDER / "cluster.sql")
INSERT: Final = load_queries(_FOLDER / "insert.sql")
