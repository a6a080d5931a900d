"""The database as a person has it who looks with SQL."""

import asyncio
from pathlib import Path
from typing import Any

import apsw
import asyncpg

from rapport.store.sqlite.connection import DATABASE


def params(data: str, sql: str) -> list[tuple[Any, ...]]:
    """The rows that a statement gives, on either engine."""
    if data.startswith("postgresql:"):
        return asyncio.run(_asked_postgresql(data, sql))
    connection = apsw.Connection(str(Path(data) / DATABASE), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return list(connection.execute(sql))
    finally:
        connection.close()


async def _asked_postgresql(url: str, sql: str) -> list[tuple[Any, ...]]:
    connection = await asyncpg.connect(url, server_settings={"timezone": "UTC"})
    try:
        return [tuple(row) for row in await connection.fetch(sql)]
    finally:
        await connection.close()
