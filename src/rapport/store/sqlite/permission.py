"""Reads what the permissions of contacts derive from, and writes those that have changed."""

from array import array
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Final

import apsw

from rapport.store.catalogue import load_attributes
from rapport.store.permission import NewestActivities, PermissionColumns, derive_permission
from rapport.store.sqlite.connection import every
from rapport.store.statements import read_statements

SQL: Final = read_statements(Path(__file__).parent / "sql" / "permission.sql")


def update_permissions(connection: apsw.Connection, contacts: Collection[int]) -> None:
    """Bring the permissions of these contacts up to date, within the transaction that changed what they derive from."""
    if not contacts:
        return
    keys = apsw.carray(array("q", sorted(contacts)))
    changed = []
    for key, *row in every(connection, SQL["permissions"], {"contacts": keys}):
        stored, derived = compare(row)
        if stored != derived:
            changed.append((*derived, key))
    connection.executemany(SQL["update_permission"], changed)


def compare(row: Sequence[Any]) -> tuple[PermissionColumns, PermissionColumns]:
    """Return the stored and the derived permission of a contact, from a row of `permissions` without its key."""
    facts, *columns = row
    derived = derive_permission(load_attributes(facts), NewestActivities(*columns[4:7]))
    return PermissionColumns(*columns[:4]), derived.columns
