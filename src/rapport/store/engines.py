"""Choose the engine for a `--data` setting."""

import contextlib
import os
from collections.abc import AsyncIterator
from hashlib import blake2b
from pathlib import Path
from typing import Final

from rapport.settings import Settings
from rapport.store.sqlite.store import SQLiteStore
from rapport.store.store import Store

_POSTGRESQL: Final = ("postgresql://", "postgres://")


def create_store(settings: Settings) -> Store:
    """Return the store in the settings: a PostgreSQL URL or a directory."""
    if settings.data.startswith(_POSTGRESQL):
        from rapport.store.postgres.store import PostgresStore  # noqa: PLC0415 - a third of a command's start on SQLite

        return PostgresStore(
            settings.data, settings.connections, use_pgbouncer=settings.pgbouncer, create_backup=SQLiteStore
        )
    return SQLiteStore(Path(settings.data))


def format_location(data: str) -> str:
    """Return where the data is, for people: an absolute path, or a URL without its password and parameters."""
    if not data.startswith(_POSTGRESQL):
        return os.path.abspath(data)  # noqa: PTH100 - resolve() would replace the symbolic links that the user named
    scheme, _, rest = data.partition("://")
    # A password may contain '?' or '#' where it should have been percent-encoded: never show any of it.
    server = rest.partition("?")[0]
    if "@" not in server:
        server = rest
    login, at, host = server.rpartition("@")
    return f"{scheme}://{login.partition(':')[0]}{at}{host.partition('?')[0].partition('#')[0]}"


def find_directory(data: str) -> Path | None:
    """Return the data directory, or None for the URL of a database."""
    return None if data.startswith(_POSTGRESQL) else Path(data)


def find_spool(settings: Settings) -> Path:
    """Return the directory of the spool, which is on this machine also if the data is in a database."""
    if settings.spool:
        return Path(settings.spool)
    directory = find_directory(settings.data)
    if directory is not None:
        return directory / "spool"
    # Servers of several databases on one machine must not read each other's requests.
    return Path(f"./spool-{blake2b(format_location(settings.data).encode(), digest_size=4).hexdigest()}")


@contextlib.asynccontextmanager
async def open_store(settings: Settings, *, create: bool = True) -> AsyncIterator[Store]:
    """Open the store in the settings. Raises DataNotFound if there is none and `create` is False."""
    store = create_store(settings)
    await store.open(create=create)
    try:
        yield store
    finally:
        await store.close()
