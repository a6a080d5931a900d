"""The questions of docs/sql.md, asked on every engine."""

import re
from pathlib import Path

from tests.cli.command import rapport
from tests.store.by_hand import params

PAGE = Path(__file__).parents[2] / "docs" / "sql.md"


def test_queries_return_documented_rows(data: str) -> None:
    text = PAGE.read_text()
    (given,) = re.findall(r"^```ndjson\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    rapport("import", "-", "--data", data, given=given.encode())
    questions = re.findall(r"^```sql\n(.*?)^```\n\n```text\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(questions) == 10
    for sql, response in questions:
        told = "".join(" | ".join(map(str, row)) + "\n" for row in params(data, sql))
        assert told == response, sql


SQLITES_TABLES = "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite%'"
POSTGRESQLS_TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema"


def test_every_table_is_documented(data: str) -> None:
    rapport("import", "-", "--data", data, given=b"")
    told = {
        name for row in re.findall(r"^\| (`.*?) \| ", PAGE.read_text(), re.MULTILINE) for name in row.split("`")[1::2]
    }
    there = params(data, POSTGRESQLS_TABLES if data.startswith("postgresql:") else SQLITES_TABLES)
    assert {name for (name,) in there} - told == {"secret", "erasure"} & {name for (name,) in there}
