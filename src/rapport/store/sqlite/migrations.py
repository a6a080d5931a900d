"""Apply the missing migrations, in the order of their numbers and in one transaction."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import apsw

from rapport.activity import TYPE_NAMES, event_identity
from rapport.email_address import normalize_query_address
from rapport.instant import Instant
from rapport.store.hashing import contact_order
from rapport.store.queries import Migration, read_migrations
from rapport.store.schema import find_missing_migrations, incomplete_schema
from rapport.store.sqlite.connection import fetch_all, transaction
from rapport.store.sqlite.event_identities import update_feed_identities
from rapport.store.sqlite.tombstones import forget_links_of_erased, key_digests

MIGRATIONS: Final = read_migrations(Path(__file__).parent / "migrations")

_SCHEMA_MIGRATION_TABLE: Final = """
CREATE TABLE IF NOT EXISTS schema_migration (
    number       INTEGER PRIMARY KEY,
    name         TEXT NOT NULL,
    applied_time TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ'))
) STRICT
"""


_AFTER_STEP: Final[Mapping[str, Callable[[apsw.Connection, Instant], None]]] = {
    "keyed_digests": key_digests,
    "forgotten_links": forget_links_of_erased,
    "event_identities": update_feed_identities,
}
"""Code to run after the SQL of a migration, by the migration's name."""


def migrate(connection: apsw.Connection) -> None:
    """Apply the missing migrations. Several processes may call this at the same time.

    Raises SchemaTooNew and SchemaIncomplete.
    """
    with transaction(connection):
        connection.execute(_SCHEMA_MIGRATION_TABLE)
    add_functions(connection)
    # A migration may sort all activities, which takes space on the disk.
    connection.pragma("temp_store", "file")
    # What a migration deletes may be personal.
    connection.pragma("secure_delete", True)
    try:
        _apply_missing(connection)
    finally:
        connection.pragma("secure_delete", False)
        connection.pragma("temp_store", "memory")


def add_functions(connection: apsw.Connection) -> None:
    """Register the functions that migrations call."""
    connection.create_scalar_function(
        "contact_order", lambda *ids: contact_order(*map(str, ids)), 2, deterministic=True
    )
    connection.create_scalar_function(
        "normal_address", lambda *address: normalize_query_address(*map(str, address)), 1, deterministic=True
    )
    connection.create_scalar_function("event_identity", _event_identity, 3, deterministic=True)


def _event_identity(*values: Any) -> int:  # noqa: ANN401 - columns of several types
    activity_type, campaign_activity_id, event_id = values
    return event_identity(TYPE_NAMES[activity_type], campaign_activity_id, event_id)


def _apply_missing(connection: apsw.Connection) -> None:
    # In one transaction: what a process of an earlier version recorded between two migrations wouldn't be counted.
    with transaction(connection):
        applied = {
            (number, name) for number, name in fetch_all(connection, "SELECT number, name FROM schema_migration")
        }
        newest = max(applied, default=(0, ""))
        for migration in find_missing_migrations(MIGRATIONS, applied):
            try:
                _apply(connection, migration)
            except (apsw.SQLError, apsw.ConstraintError) as exc:
                if migration[:2] > newest:
                    raise
                raise incomplete_schema([migration[:2]], str(exc)) from exc


def _apply(connection: apsw.Connection, migration: Migration) -> None:
    number, name, sql = migration
    connection.execute(sql)
    if name in _AFTER_STEP:
        _AFTER_STEP[name](connection, Instant(time.time_ns() // 1_000_000))
    connection.execute("INSERT INTO schema_migration (number, name) VALUES (?, ?)", (number, name))
