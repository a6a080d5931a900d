"""The SQL of SQLite, by file and name."""

from pathlib import Path
from typing import Final

from rapport.store.queries import load_folder

SQL: Final = load_folder(Path(__file__).parent / "sql")
