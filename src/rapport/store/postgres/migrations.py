"""Brings the database's schema up to this program's, in one transaction that only one process makes at a time."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

import asyncpg

from rapport.store.postgres.addresses import normalize_addresses
from rapport.store.postgres.citus.tables import distribute, distributed, in_sequence, is_cluster
from rapport.store.postgres.erasing import forget_links_of_erased, key_digests
from rapport.store.postgres.event_identities import update_feed_identities
from rapport.store.postgres.pool import Connection
from rapport.store.schema import find_missing_steps, incomplete_schema
from rapport.store.statements import Step, read_migrations

STEPS: Final = read_migrations(Path(__file__).parent / "migrations")

_LOCK: Final = 0x526170706F7274
"""The advisory lock's number: 'Rapport' in ASCII."""

_RECORD_OF_STEPS: Final = """
CREATE TABLE IF NOT EXISTS schema_migration (
    number       integer     NOT NULL PRIMARY KEY,
    name         text        NOT NULL,
    applied_time timestamptz NOT NULL DEFAULT now()
)
"""


async def is_there(connection: Connection) -> bool:
    """Whether there is a schema of ours at all."""
    return bool(await connection.fetchval("SELECT to_regclass('schema_migration') IS NOT NULL"))


_AFTER: Final[Mapping[str, Callable[[Connection], Awaitable[None]]]] = {
    "keyed_digests": key_digests,
    "forgotten_links": forget_links_of_erased,
    "event_identities": update_feed_identities,
    "normal_addresses": normalize_addresses,
}
"""What a step does beyond its SQL, by its name."""


async def is_current(connection: Connection) -> bool:
    """Return True if no step is missing. Raises SchemaTooNew and SchemaIncomplete."""
    return await is_there(connection) and not find_missing_steps(STEPS, await _applied(connection))


async def migrate(connection: Connection) -> int:
    """Apply the steps that are missing, and return how many. Raises SchemaTooNew and SchemaIncomplete."""
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        await connection.execute(_RECORD_OF_STEPS)
        applied = await _applied(connection)
        missing = find_missing_steps(STEPS, applied)
        if applied and missing:
            await _keep_writers_out(connection)
        is_spread = bool(missing) and await is_cluster(connection) and bool(await distributed(connection))
        if is_spread:
            await in_sequence(connection)
        newest = max(applied, default=(0, ""))
        for step in missing:
            try:
                await _apply(connection, step)
            except (asyncpg.SyntaxOrAccessError, asyncpg.IntegrityConstraintViolationError) as exc:
                # A missing privilege is explained by the pool, with what to do about it.
                if step[:2] > newest or isinstance(exc, asyncpg.InsufficientPrivilegeError):
                    raise
                raise incomplete_schema([step[:2]], str(exc)) from exc
        if is_spread:
            await distribute(connection)
        return len(missing)


async def _apply(connection: Connection, step: Step) -> None:
    number, name, sql = step
    for statement in _statements(sql):
        await connection.execute(statement)
    if name in _AFTER:
        await _AFTER[name](connection)
    await connection.execute("INSERT INTO schema_migration (number, name) VALUES ($1, $2)", number, name)


async def _keep_writers_out(connection: Connection) -> None:
    """Have nobody record until the steps are through: what an earlier version's server added would be counted nowhere.

    All that record read erasure first, so that nobody waits in a circle; schemas before version 10 have none.
    """
    for table in ("erasure", "tracking_activity"):
        if await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", table):
            await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            return


def _statements(sql: str) -> list[str]:
    """The statements of a step: a cluster hands to its nodes the whole of what it was sent, and they take but one."""
    without_comments = "\n".join(line for line in sql.splitlines() if not line.startswith("--"))
    return [statement for statement in without_comments.split(";\n") if statement.strip("; \n")]


async def _applied(connection: Connection) -> set[tuple[int, str]]:
    return {(number, name) for number, name in await connection.fetch("SELECT number, name FROM schema_migration")}
