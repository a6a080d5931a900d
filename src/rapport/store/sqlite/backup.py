"""A copy of the whole data directory as it is at one moment, made while it is in use."""

import os
import shutil
from pathlib import Path
from typing import Final

from rapport.errors import StoreUnavailable
from rapport.store.sqlite.connection import DATABASE, connect, told_as_unavailable
from rapport.store.sqlite.secrets import SUFFIX

_PATIENCE: Final = 20.0


def back_up(folder: Path, target: Path) -> None:
    """Copy the data directory `folder` to `target`, which must not exist; it is whole, or not there. Blocks.

    Raises StoreUnavailable.
    """
    unfinished = target.with_name(target.name + ".unfinished")
    try:
        if target.exists():
            raise StoreUnavailable(f"{target} exists already; name a folder that doesn't")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700, parents=True)
        _copy_database(folder, unfinished / DATABASE)
        for secret in folder.glob(f"*{SUFFIX}"):
            shutil.copy2(secret, unfinished / secret.name)
        for file in unfinished.iterdir():
            _sync(file)
        _sync(unfinished)
        unfinished.rename(target)
        _sync(target.parent)
    except OSError as problem:
        raise StoreUnavailable(f"the backup can't be written: {problem}") from problem


def _copy_database(folder: Path, copy: Path) -> None:
    connection = connect(folder, patience=_PATIENCE)
    try:
        copy.touch(mode=0o600)
        with told_as_unavailable():
            # One read transaction: the copy is of one moment, and writers don't wait for it.
            connection.execute("VACUUM INTO ?", (str(copy),))
    finally:
        connection.close()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
