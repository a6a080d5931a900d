"""Update the data derived from contacts' attributes: their lists and tags, and when they were created."""

from array import array
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final, NamedTuple

import apsw

from rapport.store.attributes import load_attributes
from rapport.store.sqlite.connection import Values, fetch_all
from rapport.store.sqlite.queries import SQL
from rapport.store.subresources import DerivedContact, MembershipRow, derive_contact

_SQL: Final = SQL["memberships"]


class StoredContact(NamedTuple):
    """A contact with its stored and its derived data."""

    key: int
    account: int
    contact_id: str
    stored: DerivedContact
    derived: DerivedContact

    @property
    def differs(self) -> bool:
        """Return True if the stored data differs from the derived data."""
        return self.stored != self.derived


def read_contacts(
    connection: apsw.Connection, contacts: Collection[int], *, with_activities: bool = True
) -> list[StoredContact]:
    """Return the stored and the derived data of contacts.

    Without activities, a stored time of creation is never replaced with a later one.
    """
    keys = array("q", sorted(contacts))
    memberships: dict[int, set[MembershipRow]] = {}
    for key, *row in fetch_all(connection, _SQL["get"], {"contacts": apsw.carray(keys)}):
        memberships.setdefault(key, set()).add(MembershipRow(*row))
    first_times: dict[int, int | None] = {}
    if with_activities:
        first_times.update(fetch_all(connection, _SQL["get_first_times"], {"contacts": apsw.carray(keys)}))
    return [
        _compare(row, first_times.get(row[0], row[4]), frozenset(memberships.get(row[0], ())))
        for row in fetch_all(connection, _SQL["get_contacts"], {"contacts": apsw.carray(keys)})
    ]


def _compare(row: Sequence[Any], first_time: int | None, memberships: frozenset[MembershipRow]) -> StoredContact:
    key, account, contact_id, stored_attributes, created_at, updated_at = row
    stored = DerivedContact(created_at, updated_at, memberships)
    derived = derive_contact(load_attributes(stored_attributes), first_time, stored)
    return StoredContact(key, account, contact_id, stored, derived)


def update_derived(connection: apsw.Connection, contacts: Collection[int]) -> None:
    """Update the derived data, in the transaction that changed the attributes or activities of the contacts."""
    if contacts:
        write_contacts(connection, read_contacts(connection, contacts, with_activities=False))


def write_contacts(connection: apsw.Connection, contacts: Iterable[StoredContact]) -> None:
    """Write the derived data of contacts whose stored data differs."""
    for contact in contacts:
        key, account, contact_id, stored, derived = contact
        if (stored.created_at, stored.updated_at) != (derived.created_at, derived.updated_at):
            connection.execute(_SQL["update_contact"], (derived.created_at, derived.updated_at, key))
        removed = stored.memberships - derived.memberships
        connection.executemany(_SQL["delete"], [(account, *row, contact_id) for row in removed])
        added = derived.memberships - stored.memberships
        connection.executemany(_SQL["add"], [(account, *row, contact_id, key) for row in added])


def lower_created_at(connection: apsw.Connection, first_times: Iterable[tuple[int, int]]) -> None:
    """Set the creation of contacts, given with the time of an activity, to that time if it is earlier."""
    with_attributes = []
    for contact, first_time in first_times:
        params: Values = {"contact": contact, "time": first_time}
        if any(has_attributes for (has_attributes,) in fetch_all(connection, _SQL["lower_created_at"], params)):
            with_attributes.append(contact)
    update_derived(connection, with_attributes)
