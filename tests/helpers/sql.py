"""Read and change a store with SQL, past the code under test."""

from pathlib import Path
from typing import Any

import apsw
import asyncpg

from rapport.store.sqlite.connection import DATABASE
from tests.helpers.loop import run_async


def fetch_all(data: str, sql: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query, on either engine."""
    if data.startswith("postgresql:"):
        return run_async(_fetch_from_postgresql(data, sql))
    connection = apsw.Connection(str(Path(data) / DATABASE), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return list(connection.execute(sql))
    finally:
        connection.close()


async def _fetch_from_postgresql(url: str, sql: str) -> list[tuple[Any, ...]]:
    connection = await asyncpg.connect(url, server_settings={"timezone": "UTC"})
    try:
        return [tuple(row) for row in await connection.fetch(sql)]
    finally:
        await connection.close()


def execute_sql(data: str, *statements: str) -> None:
    """Execute statements, on either engine."""
    if data.startswith("postgresql:"):
        run_async(_execute_on_postgresql(data, statements))
        return
    connection = apsw.Connection(str(Path(data) / DATABASE))
    for statement in statements:
        connection.execute(statement)
    connection.close()


async def _execute_on_postgresql(url: str, statements: tuple[str, ...]) -> None:
    connection = await asyncpg.connect(url)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()
