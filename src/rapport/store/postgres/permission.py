"""Keep the permissions of contacts up to date."""

from collections.abc import Collection
from typing import Final, NamedTuple

from rapport.store.attributes import load_attributes
from rapport.store.permission import NewestActivities, PermissionColumns, derive_permission
from rapport.store.postgres.layout import Layout
from rapport.store.postgres.pool import Connection
from rapport.store.postgres.queries import SQL

_SQL: Final = SQL["permission"]


class ContactPermission(NamedTuple):
    """The stored and the derived permission of a contact."""

    key: bytes
    account_id: str
    contact_id: str
    stored: PermissionColumns
    derived: PermissionColumns

    @property
    def differs(self) -> bool:
        """Return True if the stored permission differs from the derived one."""
        return self.stored != self.derived


async def update_permissions(connection: Connection, contacts: Collection[bytes], layout: Layout) -> None:
    """Update the permissions of contacts, in the transaction that changed what they are derived from."""
    if contacts:
        await lock_contacts(connection, contacts, layout)
        # A separate statement, which sees what the transaction that held the locks has committed.
        permissions = await read_permissions(connection, contacts, layout)
        await write_permissions(connection, permissions, layout)


async def lock_contacts(connection: Connection, contacts: Collection[bytes], layout: Layout) -> None:
    """Lock the contacts until the transaction ends, in an order that all transactions use."""
    await layout.fetch_of_contacts(connection, _SQL, "lock_contacts", contacts)


async def read_permissions(
    connection: Connection, contacts: Collection[bytes], layout: Layout
) -> list[ContactPermission]:
    """Return the permissions of contacts."""
    permissions = []
    for key, stored_attributes, *values in await layout.fetch_of_contacts(
        connection, _SQL, "get_permissions", contacts
    ):
        derived = derive_permission(load_attributes(stored_attributes), NewestActivities(*values[4:7]))
        account_id, contact_id = values[7:]
        stored = PermissionColumns(*values[:4])
        permissions.append(ContactPermission(key, account_id, contact_id, stored, derived.columns))
    return permissions


async def write_permissions(connection: Connection, permissions: Collection[ContactPermission], layout: Layout) -> None:
    """Write the permissions that differ from the stored ones."""
    changed = [(permission.key, *permission.derived) for permission in permissions if permission.differs]
    if changed:
        await layout.change_contacts(connection, _SQL, "update_permissions", changed)
