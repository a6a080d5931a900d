"""Reads what the permissions of contacts derive from, and writes those that have changed."""

from collections.abc import Collection
from pathlib import Path
from typing import Final, NamedTuple

from rapport.store.catalogue import facts_of
from rapport.store.permission import NewestActivities, PermissionColumns, derive_permission
from rapport.store.postgres.pool import Lent
from rapport.store.statements import read_statements

SQL: Final = read_statements(Path(__file__).parent / "sql" / "permission.sql")

_OF_ONE: Final = {name: SQL[name].replace("ANY($1::bytea[])", "$1") for name in ("lock_contacts", "permissions")}
"""The same of one contact: a cluster locks rows, and joins laterally, on a single shard only."""


class ContactPermission(NamedTuple):
    """A contact's permission as it is stored, and as it derives from what is stored beside it."""

    key: bytes
    account_id: str
    contact_id: str
    stored: PermissionColumns
    derived: PermissionColumns


async def update_permissions(connection: Lent, contacts: Collection[bytes], *, in_parts: bool) -> None:
    """Bring the permissions of these contacts up to date, within the transaction that changed what they derive from."""
    if contacts:
        await lock_contacts(connection, contacts, in_parts=in_parts)
        # A statement of its own, which sees what a transaction that held the locks has committed.
        permissions = await read_permissions(connection, contacts, in_parts=in_parts)
        await write_permissions(connection, permissions, in_parts=in_parts)


async def lock_contacts(connection: Lent, contacts: Collection[bytes], *, in_parts: bool) -> None:
    """Lock the contacts until the transaction ends, in an order that all keep."""
    if not in_parts:
        await connection.execute(SQL["lock_contacts"], list(contacts))
        return
    for contact in sorted(contacts):
        await connection.execute(_OF_ONE["lock_contacts"], contact)


async def read_permissions(connection: Lent, contacts: Collection[bytes], *, in_parts: bool) -> list[ContactPermission]:
    """Return the permissions of these contacts."""
    if in_parts:
        rows = [row for contact in contacts for row in await connection.fetch(_OF_ONE["permissions"], contact)]
    else:
        rows = list(await connection.fetch(SQL["permissions"], list(contacts)))
    permissions = []
    for key, facts, *values in rows:
        derived = derive_permission(facts_of(facts), NewestActivities(*values[4:7]))
        account_id, contact_id = values[7:]
        stored = PermissionColumns(*values[:4])
        permissions.append(ContactPermission(key, account_id, contact_id, stored, derived.columns))
    return permissions


async def write_permissions(connection: Lent, permissions: Collection[ContactPermission], *, in_parts: bool) -> None:
    """Write the permissions that differ from what is stored."""
    changed = [(each.key, *each.derived) for each in permissions if each.derived != each.stored]
    if in_parts:
        # In a cluster, a statement that joins arrays with a distributed table asks every shard.
        await connection.executemany(SQL["update_permission"], changed)
    elif changed:
        await connection.execute(SQL["update_permissions"], *zip(*changed, strict=True))
