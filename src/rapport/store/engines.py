"""Which engine a `--data` means. The only place that asks."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from rapport.settings import Settings
from rapport.store.postgres.store import PostgresStore
from rapport.store.protocol import Store
from rapport.store.sqlite.store import SQLiteStore

_POSTGRESQL: Final = ("postgresql://", "postgres://")


def store_for(settings: Settings) -> Store:
    """The store that the settings name: a PostgreSQL URL, or a directory."""
    if settings.data.startswith(_POSTGRESQL):
        return PostgresStore(settings.data, settings.connections, by_pgbouncer=settings.pgbouncer)
    return SQLiteStore(Path(settings.data))


@contextlib.asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Store]:
    """The store that the settings name, open."""
    store = store_for(settings)
    await store.open()
    try:
        yield store
    finally:
        await store.close()
