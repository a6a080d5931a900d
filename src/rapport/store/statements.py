"""The SQL of an engine, from its .sql files: each statement there has a name and a sentence."""

import re
from pathlib import Path
from typing import Final, TypeAlias

Step: TypeAlias = tuple[int, str, str]
"""A migration: its number, its name and its SQL."""

_STATEMENT: Final = re.compile(r"^-- (?P<name>\w+): .*\n(?:--.*\n)*(?P<sql>(?:(?!-- \w+: ).*\n)+)", re.MULTILINE)


def read_statements(file: Path) -> dict[str, str]:
    """The statements of a file by their names.

    A statement begins with a comment `-- name: what it is for`, and ends where the next one begins.
    """
    return {
        match["name"]: match["sql"].strip().removesuffix(";") for match in _STATEMENT.finditer(file.read_text("utf-8"))
    }


def read_migrations(folder: Path) -> list[Step]:
    """The migrations of a folder as number, name and SQL, in order: `0001_what_it_does.sql`."""
    steps = []
    for file in sorted(folder.glob("*.sql")):
        number, _, name = file.stem.partition("_")
        steps.append((int(number), name, file.read_text("utf-8")))
    return steps
