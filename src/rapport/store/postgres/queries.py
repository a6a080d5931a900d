"""The SQL of PostgreSQL, by file and name, and the names of its numbered parameters."""

from pathlib import Path
from typing import Final

from rapport.store.queries import load_engine_queries, number_params

PARAM_NAMES: Final[dict[str, tuple[str, ...]]] = {}
"""The names of a statement's parameters in the order of their numbers, by its text."""


def compile_query(sql: str) -> str:
    """Return a statement whose parameters are numbered, and register their names."""
    query, names = number_params(sql)
    PARAM_NAMES[query] = names
    return query


SQL: Final = load_engine_queries(Path(__file__).parent / "sql", compile_query)
