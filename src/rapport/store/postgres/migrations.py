"""Brings the database's schema up to this program's, in one transaction that only one process makes at a time."""

from pathlib import Path
from typing import Final

from rapport.errors import SchemaTooNew
from rapport.store.postgres.citus import distribute, distributed, in_sequence, is_cluster
from rapport.store.postgres.pool import Lent
from rapport.store.statements import read_migrations

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


async def is_there(connection: Lent) -> bool:
    """Whether there is a schema of ours at all."""
    return bool(await connection.fetchval("SELECT to_regclass('schema_migration') IS NOT NULL"))


async def is_current(connection: Lent) -> bool:
    """Whether no step is missing. Raises SchemaTooNew."""
    return await is_there(connection) and await _applied(connection) == STEPS[-1][0]


async def migrate(connection: Lent) -> int:
    """Apply the steps that are missing, and return how many. Raises SchemaTooNew."""
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        await connection.execute(_RECORD_OF_STEPS)
        applied = await _applied(connection)
        missing = [step for step in STEPS if step[0] > applied]
        if applied and missing:
            await _keep_writers_out(connection)
        is_spread = bool(missing) and await is_cluster(connection) and bool(await distributed(connection))
        if is_spread:
            await in_sequence(connection)
        for number, name, sql in missing:
            for statement in _statements(sql):
                await connection.execute(statement)
            await connection.execute("INSERT INTO schema_migration (number, name) VALUES ($1, $2)", number, name)
        if is_spread:
            await distribute(connection)
        return len(missing)


async def _keep_writers_out(connection: Lent) -> None:
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


async def _applied(connection: Lent) -> int:
    applied = int(await connection.fetchval("SELECT coalesce(max(number), 0) FROM schema_migration"))
    if applied > STEPS[-1][0]:
        raise SchemaTooNew(
            f"the data has schema {applied} and this Rapport knows {STEPS[-1][0]}: "
            "install the Rapport that wrote it, or a newer one"
        )
    return applied
