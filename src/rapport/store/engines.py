"""Which engine a `--data` means. The only place that asks."""

from pathlib import Path

from rapport.store.protocol import Store
from rapport.store.sqlite.store import SQLiteStore


def store_at(data: str) -> Store:
    """The store that `data` names: a directory."""
    return SQLiteStore(Path(data))
