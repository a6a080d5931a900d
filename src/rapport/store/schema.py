"""The migrations that a store lacks, on any engine."""

from collections.abc import Collection, Sequence
from typing import Final

from rapport.errors import SchemaIncomplete, SchemaTooNew
from rapport.store.queries import Migration

_ORDERED: Final = 17
"""Up to this number, a migration may rely on every migration with a lower number."""
_ORDERED_LATE: Final = frozenset({12, 13, 15, 16})
"""Migrations that were published after number 17, so stores exist that have 17 and lack some of these."""
_ORDERED_AGAIN: Final = 21
"""This migration relies on those as well: number 16 makes a table anew that it changes."""


def find_missing_migrations(migrations: Sequence[Migration], applied: Collection[tuple[int, str]]) -> list[Migration]:
    """Return the migrations that a store lacks, in order; `applied` holds the number and name of each migration it has.

    Raises SchemaTooNew for a migration that this program doesn't know, and SchemaIncomplete for a gap that can't be
    filled.
    """
    unknown = sorted(set(applied) - {migration[:2] for migration in migrations})
    if unknown:
        raise SchemaTooNew(
            f"the data has the migrations {_list_migrations(unknown)}, which this Rapport doesn't know: "
            "install the Rapport that wrote it, or a newer one"
        )
    missing = [migration for migration in migrations if migration[:2] not in applied]
    newest = max((number for number, _ in applied), default=0)
    late = _ORDERED_LATE if newest < _ORDERED_AGAIN else frozenset[int]()
    gaps = [migration[:2] for migration in missing if migration[0] < min(newest, _ORDERED) and migration[0] not in late]
    if gaps:
        raise incomplete_schema(gaps, "later migrations rely on them")
    return missing


def incomplete_schema(gaps: Sequence[tuple[int, str]], reason: str) -> SchemaIncomplete:
    """Return the error for migrations that can't be applied to a store."""
    return SchemaIncomplete(
        f"the data lacks the migrations {_list_migrations(gaps)}, and they can't be added now ({reason}). Nothing was "
        "changed: restore a backup, or export the contacts with the Rapport that wrote the data and import them into "
        "a new store"
    )


def _list_migrations(migrations: Sequence[tuple[int, str]]) -> str:
    return ", ".join(f"{number:04}_{name}" for number, name in migrations)
