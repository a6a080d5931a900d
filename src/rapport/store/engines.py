"""Which engine a `--data` means. The only place that asks."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from rapport.store.protocol import Store
from rapport.store.sqlite.store import SQLiteStore


def store_at(data: str) -> Store:
    """The store that `data` names: a directory."""
    return SQLiteStore(Path(data))


@contextlib.asynccontextmanager
async def opened(data: str) -> AsyncIterator[Store]:
    """The store that `data` names, open."""
    store = store_at(data)
    await store.open()
    try:
        yield store
    finally:
        await store.close()
