"""Copy the whole data directory, as of one moment, while it is in use."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

from rapport.errors import StoreUnavailable
from rapport.store.sqlite.connection import DATABASE, connect, translate_errors
from rapport.store.sqlite.secrets import SUFFIX

_BUSY_TIMEOUT: Final = 20.0


def back_up(folder: Path, target: Path) -> None:
    """Copy the data directory `folder` to `target`, which must not exist. It is complete, or isn't created. Blocks.

    Raises StoreUnavailable.
    """
    try:
        if target.exists():
            raise StoreUnavailable(f"{target} exists already; name a folder that doesn't")
        target.parent.mkdir(parents=True, exist_ok=True)
        # A unique name, accessible to its owner only.
        unfinished = Path(tempfile.mkdtemp(prefix=f"{target.name}.", suffix=".unfinished", dir=target.parent))
        try:
            _copy_folder(folder, unfinished)
            unfinished.rename(target)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        _sync(target.parent)
    except OSError as exc:
        raise StoreUnavailable(f"the backup can't be written: {exc}") from exc


def _copy_folder(folder: Path, copy: Path) -> None:
    _copy_database(folder, copy / DATABASE)
    for secret in folder.glob(f"*{SUFFIX}"):
        shutil.copy2(secret, copy / secret.name)
    for file in copy.iterdir():
        _sync(file)
    _sync(copy)


def _copy_database(folder: Path, copy: Path) -> None:
    connection = connect(folder, busy_timeout=_BUSY_TIMEOUT)
    try:
        copy.touch(mode=0o600)
        with translate_errors():
            # One read transaction: a consistent copy for which writers don't wait.
            connection.execute("VACUUM INTO ?", (str(copy),))
    finally:
        connection.close()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
