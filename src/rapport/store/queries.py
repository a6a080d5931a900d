"""Load the SQL of an engine from its .sql files, and bind named parameters."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TypeAlias

Migration: TypeAlias = tuple[int, str, str]
"""A migration: number, name and SQL."""

_SHARED: Final = Path(__file__).parent / "sql"
"""The statements that are the same on every engine."""
_QUERY: Final = re.compile(r"^-- (?P<name>\w+): .*\n(?:--.*\n)*(?P<sql>(?:(?!-- \w+: ).*\n)+)", re.MULTILINE)
_PARAM: Final = re.compile(r"(?<![:\w]):([a-z]\w*)")


def number_params(sql: str) -> tuple[str, tuple[str, ...]]:
    """Return a statement with `$1`, `$2`, … in place of `:name`, and the names in the order of their numbers.

    Parameters are numbered in the order of their first appearance.
    """
    numbers: dict[str, int] = {}

    def number(match: re.Match[str]) -> str:
        return f"${numbers.setdefault(match[1], len(numbers) + 1)}"

    return _PARAM.sub(number, sql), tuple(numbers)


def load_queries(file: Path, compile_query: Callable[[str], str] = str) -> dict[str, str]:
    """Return the statements of a file by name, compiled for the engine's driver.

    A statement begins with a comment `-- name: purpose`, and ends where the next one begins.
    """
    return {
        match["name"]: compile_query(match["sql"].strip().removesuffix(";"))
        for match in _QUERY.finditer(file.read_text("utf-8"))
    }


def load_engine_queries(folder: Path, compile_query: Callable[[str], str] = str) -> Mapping[str, Mapping[str, str]]:
    """Return the statements of an engine by file and name: those of all engines, and those in its own folder.

    The engine's own statement replaces the one with the same file and name.
    """
    queries: dict[str, dict[str, str]] = {}
    for file in (*sorted(_SHARED.glob("*.sql")), *sorted(folder.glob("*.sql"))):
        queries.setdefault(file.stem, {}).update(load_queries(file, compile_query))
    return queries


def read_migrations(folder: Path) -> list[Migration]:
    """Return the migrations of a folder in order: `0001_what_it_does.sql`."""
    migrations = []
    for file in sorted(folder.glob("*.sql")):
        number, _, name = file.stem.partition("_")
        migrations.append((int(number), name, file.read_text("utf-8")))
    return migrations
