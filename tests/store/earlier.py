"""A store as an earlier Rapport left it."""

import asyncio
from pathlib import Path

import apsw
import asyncpg

from rapport.store.sqlite.connection import DATABASE

_BROUGHT = (
    "TABLE IF EXISTS erasure",
    *("TABLE erased_link", "TABLE erased_stats", "TABLE erased_contact"),
    "TABLE clicked_link",
    "INDEX campaign_activity_by_campaign",
    "INDEX contact_by_email_address",
    *("TABLE campaign_activity_stats", "TABLE bounced_contact", "TABLE engagement"),
)
"""By version 4 of the schema and those since, the last first: a new migration adds its own."""


def without_roll_ups(data: str) -> None:
    """Take from the store what version 4 of the schema brought, and those since."""
    changes = [f"DROP {each}" for each in _BROUGHT]
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
