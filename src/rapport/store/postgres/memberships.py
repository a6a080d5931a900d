"""Update the data derived from contacts' attributes: their lists and tags, and when they were created."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final, NamedTuple

from rapport.store.attributes import load_attributes
from rapport.store.postgres.pool import Connection
from rapport.store.postgres.queries import SQL
from rapport.store.subresources import DerivedContact, MembershipRow, derive_contact

_SQL: Final = SQL["memberships"]


class StoredContact(NamedTuple):
    """A contact with its stored and its derived data."""

    key: bytes
    account: int
    account_id: str
    contact_id: str
    stored: DerivedContact
    derived: DerivedContact

    @property
    def differs(self) -> bool:
        """Return True if the stored data differs from the derived data."""
        return self.stored != self.derived


async def read_contacts(
    connection: Connection, contacts: Collection[bytes], *, with_activities: bool = True
) -> list[StoredContact]:
    """Return the stored and the derived data of contacts, ordered by their keys.

    Without activities, a stored time of creation is never replaced with a later one.
    """
    keys = sorted(contacts)
    memberships: dict[bytes, set[MembershipRow]] = {}
    for key, *row in await connection.fetch(_SQL["get"], keys):
        memberships.setdefault(key, set()).add(MembershipRow(*row))
    first_times: dict[bytes, int] = {}
    if with_activities:
        first_times.update(await connection.fetch(_SQL["get_first_times"], keys))
    rows = await connection.fetch(_SQL["get_contacts"], keys)
    return [
        _compare(row, first_times.get(row[0]) if with_activities else row[4], frozenset(memberships.get(row[0], ())))
        # A cluster returns the rows of its shards in any order.
        for row in sorted(rows, key=itemgetter(0))
    ]


def _compare(row: Sequence[Any], first_time: int | None, memberships: frozenset[MembershipRow]) -> StoredContact:
    key, account, contact_id, stored_attributes, created_at, updated_at, account_id = row
    stored = DerivedContact(created_at, updated_at, memberships)
    derived = derive_contact(load_attributes(stored_attributes), first_time, stored)
    return StoredContact(key, account, account_id, contact_id, stored, derived)


async def update_derived(connection: Connection, contacts: Collection[bytes]) -> None:
    """Update the derived data, in the transaction that changed the attributes or activities of the contacts."""
    if contacts:
        await write_contacts(connection, await read_contacts(connection, contacts, with_activities=False))


async def write_contacts(connection: Connection, contacts: Iterable[StoredContact]) -> None:
    """Write the derived data of contacts whose stored data differs."""
    updated, removed, added = [], [], []
    for key, account, _, contact_id, stored, derived in contacts:
        if (stored.created_at, stored.updated_at) != (derived.created_at, derived.updated_at):
            updated.append((key, derived.created_at, derived.updated_at))
        removed += [(account, *row, contact_id, key) for row in sorted(stored.memberships - derived.memberships)]
        added += [(account, *row, contact_id, key) for row in sorted(derived.memberships - stored.memberships)]
    for name, rows in (("update_contact", updated), ("delete", removed), ("add", added)):
        if rows:
            await connection.executemany(_SQL[name], rows)


async def list_created_at(connection: Connection, contacts: Collection[bytes]) -> dict[bytes, int]:
    """Return when contacts were created."""
    if not contacts:
        return {}
    return dict(await connection.fetch(_SQL["list_created_at"], list(contacts)))


async def lower_created_at(connection: Connection, first_times: Mapping[bytes, int]) -> None:
    """Set the creation of contacts, which must be locked, to the earlier time of an activity."""
    if first_times:
        await connection.executemany(_SQL["lower_created_at"], sorted(first_times.items()))
        await update_derived(connection, first_times)
