"""Insert the activities of a group."""

from collections.abc import Sequence
from typing import Any, Final

from rapport.store.postgres.binary import ACTIVITY
from rapport.store.postgres.pool import Connection, copy
from rapport.store.postgres.prepared import CONTACT, Key, PreparedGroup
from rapport.store.postgres.queries import SQL
from rapport.store.postgres.rollups import columns

_SQL: Final = SQL["ingest"]

_STAGING_THRESHOLD: Final = 500
"""Activities up to which arrays in one statement are faster than a copy to a temporary table."""


async def add_activities(connection: Connection, group: PreparedGroup) -> set[Key]:
    """Insert the activities that don't exist. Return their keys."""
    rows: Sequence[Any]
    if len(group.all_rows) <= _STAGING_THRESHOLD or not group.layout.has_staging:
        values = columns(group.all_rows, len(ACTIVITY))
        rows = await group.layout.insert(connection, _SQL, "add_activities", values, by=CONTACT)
    else:
        await connection.execute(_SQL["stage_activities"])
        await copy(connection, "staged_activity", ACTIVITY, group.copied)
        rows = await connection.fetch(_SQL["add_staged_activities"])
    return {(row[0], row[1], row[2], row[3]) for row in rows}
