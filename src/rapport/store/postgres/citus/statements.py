"""The SQL that only a cluster needs."""

from pathlib import Path
from typing import Final

from rapport.store.statements import read_statements

_FOLDER: Final = Path(__file__).parent / "sql"

SQL: Final = read_statements(_FOLDER / "cluster.sql")
INSERT: Final = read_statements(_FOLDER / "insert.sql")
