"""Which engine a `--data` means. The only place that asks."""

import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

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


def told(data: str) -> str:
    """Where the data is, for people: a URL without its password."""
    if not data.startswith(_POSTGRESQL):
        return data
    parts = urlsplit(data)
    return urlunsplit(parts._replace(netloc=re.sub(r":[^@]*@", "@", parts.netloc), query=""))


@contextlib.asynccontextmanager
async def opened(settings: Settings, *, create: bool = True) -> AsyncIterator[Store]:
    """The store that the settings name, open. Raises NoData if there is none and `create` is False."""
    store = store_for(settings)
    await store.open(create=create)
    try:
        yield store
    finally:
        await store.close()
