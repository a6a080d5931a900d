"""Reads what the permissions of contacts derive from, and writes those that have changed."""

from collections.abc import Collection
from pathlib import Path
from typing import Final, NamedTuple

from rapport.store.catalogue import load_attributes
from rapport.store.permission import NewestActivities, PermissionColumns, derive_permission
from rapport.store.postgres.layout import Layout
from rapport.store.postgres.pool import Connection
from rapport.store.statements import read_statements

SQL: Final = read_statements(Path(__file__).parent / "sql" / "permission.sql")


class ContactPermission(NamedTuple):
    """A contact's permission as it is stored, and as it derives from what is stored beside it."""

    key: bytes
    account_id: str
    contact_id: str
    stored: PermissionColumns
    derived: PermissionColumns


async def update_permissions(connection: Connection, contacts: Collection[bytes], layout: Layout) -> None:
    """Bring the permissions of these contacts up to date, within the transaction that changed what they derive from."""
    if contacts:
        await lock_contacts(connection, contacts, layout)
        # A statement of its own, which sees what a transaction that held the locks has committed.
        permissions = await read_permissions(connection, contacts, layout)
        await write_permissions(connection, permissions, layout)


async def lock_contacts(connection: Connection, contacts: Collection[bytes], layout: Layout) -> None:
    """Lock the contacts until the transaction ends, in an order that all keep."""
    await layout.fetch_of_contacts(connection, SQL, "lock_contacts", contacts)


async def read_permissions(
    connection: Connection, contacts: Collection[bytes], layout: Layout
) -> list[ContactPermission]:
    """Return the permissions of these contacts."""
    permissions = []
    for key, facts, *values in await layout.fetch_of_contacts(connection, SQL, "permissions", contacts):
        derived = derive_permission(load_attributes(facts), NewestActivities(*values[4:7]))
        account_id, contact_id = values[7:]
        stored = PermissionColumns(*values[:4])
        permissions.append(ContactPermission(key, account_id, contact_id, stored, derived.columns))
    return permissions


async def write_permissions(connection: Connection, permissions: Collection[ContactPermission], layout: Layout) -> None:
    """Write the permissions that differ from what is stored."""
    changed = [(each.key, *each.derived) for each in permissions if each.derived != each.stored]
    if changed:
        await layout.change_contacts(connection, SQL, "update_permissions", changed)
