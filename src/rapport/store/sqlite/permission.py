"""Keep the permissions of contacts up to date."""

from array import array
from collections.abc import Collection, Sequence
from typing import Any, Final

import apsw

from rapport.store.attributes import load_attributes
from rapport.store.permission import NewestActivities, PermissionColumns, derive_permission
from rapport.store.sqlite.connection import fetch_all
from rapport.store.sqlite.queries import SQL

_SQL: Final = SQL["permission"]


def update_permissions(connection: apsw.Connection, contacts: Collection[int]) -> None:
    """Update the permissions of contacts, in the transaction that changed what they are derived from."""
    if not contacts:
        return
    keys = apsw.carray(array("q", sorted(contacts)))
    changed = []
    for key, *row in fetch_all(connection, _SQL["get_permissions"], {"contacts": keys}):
        stored, derived = compare(row)
        if stored != derived:
            changed.append((*derived, key))
    connection.executemany(_SQL["update_permission"], changed)


def compare(row: Sequence[Any]) -> tuple[PermissionColumns, PermissionColumns]:
    """Return the stored and the derived permission in a row of `get_permissions` without its key."""
    attributes, *columns = row
    derived = derive_permission(load_attributes(attributes), NewestActivities(*columns[4:7]))
    return PermissionColumns(*columns[:4]), derived.columns
