"""Brings the file's schema up to this program's, one numbered step after the other, in one transaction."""

from pathlib import Path
from typing import Final

import apsw

from rapport.errors import SchemaTooNew
from rapport.store.sqlite.connection import every, transaction
from rapport.store.statements import read_migrations

STEPS: Final = read_migrations(Path(__file__).parent / "migrations")

_RECORD_OF_STEPS: Final = """
CREATE TABLE IF NOT EXISTS schema_migration (
    number       INTEGER PRIMARY KEY,
    name         TEXT NOT NULL,
    applied_time TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ'))
) STRICT
"""


def migrate(connection: apsw.Connection) -> None:
    """Apply the steps that are missing; several processes may do so at once. Raises SchemaTooNew."""
    with transaction(connection):
        connection.execute(_RECORD_OF_STEPS)
    # A step may sort all activities, which has its place on the disk.
    connection.pragma("temp_store", "file")
    try:
        _apply_missing(connection)
    finally:
        connection.pragma("temp_store", "memory")


def _apply_missing(connection: apsw.Connection) -> None:
    # Together: what an earlier version's process recorded between two of them would be counted nowhere.
    with transaction(connection):
        (row,) = every(connection, "SELECT coalesce(max(number), 0) FROM schema_migration")
        applied = row[0]
        if applied > STEPS[-1][0]:
            raise SchemaTooNew(
                f"the data has schema {applied} and this Rapport knows {STEPS[-1][0]}: "
                "install the Rapport that wrote it, or a newer one"
            )
        for number, name, sql in STEPS:
            if number > applied:
                connection.execute(sql)
                connection.execute("INSERT INTO schema_migration (number, name) VALUES (?, ?)", (number, name))
