"""A store as an earlier Rapport left it."""

import asyncio
from pathlib import Path

import apsw
import asyncpg

from rapport.store.sqlite.connection import DATABASE

_ROLL_UPS = ("engagement", "bounced_contact", "campaign_activity_stats")


def without_roll_ups(data: str) -> None:
    """Take from the store what version 4 of the schema brought."""
    changes = [f"DROP TABLE {table}" for table in _ROLL_UPS]
    execute(data, *changes, "DELETE FROM schema_migration WHERE number >= 4")


def execute(data: str, *statements: str) -> None:
    """Do by hand what nobody should."""
    if data.startswith("postgresql:"):
        asyncio.run(_execute(data, statements))
        return
    connection = apsw.Connection(str(Path(data) / DATABASE))
    for statement in statements:
        connection.execute(statement)
    connection.close()


async def _execute(url: str, statements: tuple[str, ...]) -> None:
    connection = await asyncpg.connect(url)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()
