"""The statements that write, by name."""

from pathlib import Path
from typing import Final

from rapport.store.statements import read_statements

SQL: Final = read_statements(Path(__file__).parent / "sql" / "write.sql")
