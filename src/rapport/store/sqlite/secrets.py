"""Secrets in files next to the database, so that a copy of the database contains no keys."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rapport.errors import DataNotFound, StoreUnavailable
from rapport.store.erasure_keys import ERASURE_KEYS, make_keys, read_keys
from rapport.store.sqlite.connection import DATABASE

SUFFIX: Final = ".secret.json"


class SQLiteSecrets:
    """Reads and replaces secrets in a data directory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def read(self, name: str) -> bytes | None:
        """Return the secret with this name, or None."""
        return read_secret(self._folder, name)

    async def list_names(self) -> list[str]:
        """Return the names of all secrets."""
        return list_names(self._folder)

    async def replace(self, name: str, old: bytes | None, new: bytes) -> bool:
        """Replace `old` with `new`. Return False if `old` is no longer the stored value."""
        return replace_secret(self._folder, name, old, new)


def read_secret(folder: Path, name: str) -> bytes | None:
    """Return the secret with this name, or None. Raises StoreUnavailable."""
    try:
        return _file(folder, name).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise StoreUnavailable(f"{_file(folder, name)} can't be read: {exc.strerror}") from exc


def list_names(folder: Path) -> list[str]:
    """Return the names of all secrets."""
    return sorted(file.name.removesuffix(SUFFIX) for file in folder.glob(f"*{SUFFIX}"))


def replace_secret(folder: Path, name: str, old: bytes | None, new: bytes) -> bool:
    """Replace `old` with `new` durably. Return False if `old` is no longer the stored value."""
    try:
        with _file_lock(folder):
            if read_secret(folder, name) != old:
                return False
            unfinished = folder / f"{name}.new"
            # A file object writes everything or raises: on a full disk, a raw write may be partial.
            with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(new)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(_file(folder, name))
            _sync_folder(folder)
            return True
    except OSError as exc:
        raise StoreUnavailable(f"{_file(folder, name)} can't be written: {exc.strerror}") from exc


def check_database(folder: Path) -> None:
    """Return unless the folder has the secrets of a store without its database. Raises DataNotFound."""
    # In this order: another process that creates the store has a database before it has secrets.
    if not list_names(folder):
        return
    database = folder / DATABASE
    if not database.exists() or database.stat().st_size == 0:
        raise DataNotFound(
            f"{database} is empty or missing, but the secrets of a store are next to it: put it back from a backup, or "
            "name another directory with --data to start with an empty store"
        )


def read_erasure_keys(folder: Path) -> list[bytes]:
    """Return the keys of the digests of erased contacts, the store's own first; none before the first erasure."""
    return read_keys(read_secret(folder, ERASURE_KEYS))


def ensure_erasure_keys(folder: Path) -> list[bytes]:
    """Return the keys like `read_erasure_keys`, after creating the store's own key if there is none."""
    keys = read_erasure_keys(folder)
    if not keys:
        replace_secret(folder, ERASURE_KEYS, None, make_keys())
        keys = read_erasure_keys(folder)
    return keys


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}{SUFFIX}"


@contextmanager
def _file_lock(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
