"""The queries in docs/sql.md, run on every engine."""

import re
from pathlib import Path

from tests.helpers.command import run_rapport
from tests.helpers.sql import fetch_all

PAGE = Path(__file__).parents[2] / "docs" / "sql.md"


def test_queries_return_documented_rows(location: str) -> None:
    text = PAGE.read_text()
    (lines_sent,) = re.findall(r"^```ndjson\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    run_rapport("import", "-", "--data", location, stdin=lines_sent.encode())
    questions = re.findall(r"^```sql\n(.*?)^```\n\n```text\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(questions) == 10
    for sql, response in questions:
        received = "".join(" | ".join(map(str, row)) + "\n" for row in fetch_all(location, sql))
        assert received == response, sql


SQLITES_TABLES = "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite%'"
POSTGRESQLS_TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema"


def test_every_table_is_documented(location: str) -> None:
    run_rapport("import", "-", "--data", location, stdin=b"")
    received = {
        name for row in re.findall(r"^\| (`.*?) \| ", PAGE.read_text(), re.MULTILINE) for name in row.split("`")[1::2]
    }
    # Tables of SQLite's full-text search, which keep the index.
    received |= {f"contact_search{suffix}" for suffix in ("_config", "_data", "_idx")}
    present = fetch_all(location, POSTGRESQLS_TABLES if location.startswith("postgresql:") else SQLITES_TABLES)
    assert {name for (name,) in present} - received == {"secret", "erasure"} & {name for (name,) in present}
