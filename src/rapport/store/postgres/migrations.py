"""Migrate the schema, in one transaction that only one process runs at a time."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

import asyncpg

from rapport.store.postgres.addresses import normalize_addresses
from rapport.store.postgres.citus.tables import distribute, distributed, force_sequential_mode, is_cluster
from rapport.store.postgres.contact_search import create_index
from rapport.store.postgres.event_identities import update_feed_identities
from rapport.store.postgres.pool import Connection
from rapport.store.postgres.tombstones import forget_links_of_erased, key_digests
from rapport.store.queries import Migration, read_migrations
from rapport.store.schema import find_missing_migrations, incomplete_schema

MIGRATIONS: Final = read_migrations(Path(__file__).parent / "migrations")

_LOCK: Final = 0x526170706F7274
"""The advisory lock's number: 'Rapport' in ASCII."""

_SCHEMA_MIGRATION_TABLE: Final = """
CREATE TABLE IF NOT EXISTS schema_migration (
    number       integer     NOT NULL PRIMARY KEY,
    name         text        NOT NULL,
    applied_time timestamptz NOT NULL DEFAULT now()
)
"""


async def schema_exists(connection: Connection) -> bool:
    """Return True if the database has a schema of Rapport."""
    return bool(await connection.fetchval("SELECT to_regclass('schema_migration') IS NOT NULL"))


_AFTER_STEP: Final[Mapping[str, Callable[[Connection], Awaitable[None]]]] = {
    "keyed_digests": key_digests,
    "forgotten_links": forget_links_of_erased,
    "event_identities": update_feed_identities,
    "normal_addresses": normalize_addresses,
    "contact_search": create_index,
}
"""Code to run after the SQL of a migration, by the migration's name."""


async def is_current(connection: Connection) -> bool:
    """Return True if no migration is missing. Raises SchemaTooNew and SchemaIncomplete."""
    return await schema_exists(connection) and not find_missing_migrations(MIGRATIONS, await _applied(connection))


async def migrate(connection: Connection) -> int:
    """Apply the missing migrations, and return how many. Raises SchemaTooNew and SchemaIncomplete."""
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        await connection.execute(_SCHEMA_MIGRATION_TABLE)
        applied = await _applied(connection)
        missing = find_missing_migrations(MIGRATIONS, applied)
        if applied and missing:
            await _lock_out_writers(connection)
        is_distributed = bool(missing) and await is_cluster(connection) and bool(await distributed(connection))
        if is_distributed:
            await force_sequential_mode(connection)
        newest = max(applied, default=(0, ""))
        for migration in missing:
            try:
                await _apply(connection, migration)
            except (asyncpg.SyntaxOrAccessError, asyncpg.IntegrityConstraintViolationError) as exc:
                # A missing privilege is explained by the pool, with what to do about it.
                if migration[:2] > newest or isinstance(exc, asyncpg.InsufficientPrivilegeError):
                    raise
                raise incomplete_schema([migration[:2]], str(exc)) from exc
        if is_distributed:
            await distribute(connection)
        return len(missing)


async def _apply(connection: Connection, migration: Migration) -> None:
    number, name, sql = migration
    for statement in split_statements(sql):
        await connection.execute(statement)
    if name in _AFTER_STEP:
        await _AFTER_STEP[name](connection)
    await connection.execute("INSERT INTO schema_migration (number, name) VALUES ($1, $2)", number, name)


async def _lock_out_writers(connection: Connection) -> None:
    """Lock out writers during the migration: what a server of an earlier version records wouldn't be counted.

    Writers read erasure first, so that there are no deadlocks; schemas before version 10 don't have it.
    """
    for table in ("erasure", "tracking_activity"):
        if await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", table):
            await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            return


def split_statements(sql: str) -> list[str]:
    """Return the statements of a migration one by one: the nodes of a cluster don't accept several at once."""
    without_comments = "\n".join(line for line in sql.splitlines() if not line.startswith("--"))
    return [statement for statement in without_comments.split(";\n") if statement.strip("; \n")]


async def _applied(connection: Connection) -> set[tuple[int, str]]:
    return {(number, name) for number, name in await connection.fetch("SELECT number, name FROM schema_migration")}
