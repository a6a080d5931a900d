"""The SQL of SQLite, by file and name."""

from pathlib import Path
from typing import Final

from rapport.store.queries import load_engine_queries

SQL: Final = load_engine_queries(Path(__file__).parent / "sql")
