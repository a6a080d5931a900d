"""Updates of contacts in SQLite."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, TypeVar

import apsw
from msgspec.structs import replace

from rapport.catalog import ContactUpdate
from rapport.instant import Instant
from rapport.store.attributes import PROFILE_FIELDS, dump_attributes, get_number, load_attributes, merge_contact
from rapport.store.chunks import chunk_updates
from rapport.store.contacts import (
    MIN_SUBSTRING_LENGTH,
    ContactRecord,
    ContactRepository,
    UniqueUpsert,
    UpsertOutcome,
    is_same_address,
)
from rapport.store.hashing import contact_key
from rapport.store.last_write_wins import Attributes
from rapport.store.sqlite.connection import Values, fetch_all, fetch_one
from rapport.store.sqlite.definitions import ensure_definitions
from rapport.store.sqlite.engine import Engine
from rapport.store.sqlite.identifiers import account_key
from rapport.store.sqlite.memberships import update_derived
from rapport.store.sqlite.permission import update_permissions
from rapport.store.sqlite.profiles import ContactCache
from rapport.store.sqlite.queries import SQL
from rapport.store.sqlite.redirects import find_targets, has_merges
from rapport.store.sqlite.tombstones import erased_times
from rapport.store.subresources import merge_recorded_at, time_references

T = TypeVar("T")

_SQL: Final = SQL["contacts"]
_INGEST: Final = SQL["ingest"]


class SQLiteContacts(ContactRepository):
    """Reads and updates contacts."""

    def __init__(self, engine: Engine, cache: ContactCache) -> None:
        super().__init__(engine)
        self._sqlite = engine
        self._cache = cache

    async def find_containing(self, account_id: str, text: str, limit: int) -> list[ContactRecord]:
        """Return contacts whose address contains a text."""
        if len(text) < MIN_SUBSTRING_LENGTH:
            return []
        quoted = text.replace('"', '""')
        params = {"account_id": account_id, "match": f'"{quoted}"', "limit": limit}
        rows = await self._engine.fetch_all(_SQL["find_containing"], params, account_id=account_id)
        return [ContactRecord(*row) for row in rows]

    async def upsert(self, account_id: str, updates: Sequence[ContactUpdate]) -> int:
        """Merge updates into the contacts, one transaction for each chunk. Return how many changed something."""
        changes = 0
        for chunk in chunk_updates(updates):
            changes += await self._sqlite.run(account_id, partial(self._upsert_chunk, account_id, chunk))
        return changes

    async def upsert_unique(self, account_id: str, update: ContactUpdate, *, into_owner: bool) -> UniqueUpsert:
        """Look up the owner of the address in the transaction that writes."""
        work = partial(_upsert_unique, account_id, update, into_owner=into_owner)
        return await self._sqlite.run(account_id, lambda connection: self._commit(connection, work))

    def _upsert_chunk(self, account_id: str, updates: Sequence[ContactUpdate], connection: apsw.Connection) -> int:
        return self._commit(connection, lambda connection: upsert_contacts(connection, account_id, updates))

    def _commit(self, connection: apsw.Connection, work: Callable[[apsw.Connection], T]) -> T:
        try:
            return self._sqlite.commit(connection, work)
        finally:
            self._cache.clear()


def _upsert_unique(
    account_id: str, update: ContactUpdate, connection: apsw.Connection, *, into_owner: bool
) -> UniqueUpsert:
    params: dict[str, str | None] = {"account_id": account_id, "contact_id": update.contact_id}
    stored = fetch_one(connection, _SQL["get"], params)
    address = update.person.email_address
    if address is not None and (stored is None or not is_same_address(address, stored[1])):
        owner = fetch_one(connection, _SQL["find_owner"], {**params, "email_address": address})
        if owner is not None:
            if not into_owner:
                return UniqueUpsert(owner[0], UpsertOutcome.CONFLICT)
            update, stored = replace(update, contact_id=owner[0]), owner
    upsert_contacts(connection, account_id, [update])
    return UniqueUpsert(update.contact_id, UpsertOutcome.CREATED if stored is None else UpsertOutcome.UPDATED)


class _Contact:
    """The row of a contact: its key, profile and attributes."""

    __slots__ = ("attributes", "is_changed", "key", "profile")

    def __init__(self, key: int, profile: Sequence[str | None], attributes: Attributes) -> None:
        self.key = key
        self.profile = dict(zip(PROFILE_FIELDS, profile, strict=True))
        self.attributes = attributes
        self.is_changed = False


def upsert_contacts(connection: apsw.Connection, account_id: str, updates: Sequence[ContactUpdate]) -> int:
    """Merge updates into the contacts, in the running transaction. Return how many changed something."""
    now = Instant(time.time_ns() // 1_000_000)
    account = account_key(connection, account_id, now)
    updates = _filter_erased(connection, account_id, updates, now)
    if has_merges(connection):
        targets = find_targets(connection, account, {update.contact_id for update in updates})
        redirected = [
            replace(update, contact_id=targets.get(update.contact_id, update.contact_id)) for update in updates
        ]
        updates = _filter_erased(connection, account_id, redirected, now)
    contacts = _get_contacts(connection, account, {update.contact_id for update in updates})
    changes = 0
    merged: list[ContactUpdate] = []
    for update in updates:
        contact = contacts.get(update.contact_id)
        is_new = contact is None
        if contact is None:
            values = (account, update.contact_id, None, None, None, update.updated_at, update.updated_at)
            ((key,),) = fetch_all(connection, _INGEST["add_contact"], values)
            contact = contacts[update.contact_id] = _Contact(int(key), (None, None, None), {})
        is_changed = merge_contact(contact.attributes, update)
        contact.is_changed |= merge_recorded_at(contact.attributes, update) or is_changed
        merged.append(update)
        changes += is_new or is_changed
    for contact in contacts.values():
        if contact.is_changed:
            _update(connection, contact)
    update_derived(connection, [contact.key for contact in contacts.values() if contact.is_changed])
    ensure_definitions(connection, account, time_references(merged))
    with_permission = {update.contact_id for update in updates if update.permission_to_send is not None}
    changed = [contacts[contact_id] for contact_id in with_permission if contact_id in contacts]
    update_permissions(connection, [contact.key for contact in changed if contact.is_changed])
    return changes


def _filter_erased(
    connection: apsw.Connection, account_id: str, updates: Sequence[ContactUpdate], now: Instant
) -> Sequence[ContactUpdate]:
    """Return the updates without those of erased contacts: only a later dated update recreates one."""
    erased = erased_times(connection, {contact_key(account_id, update.contact_id) for update in updates}, now)
    if not erased:
        return updates
    return [
        update
        for update in updates
        if (erased_time := erased.get(contact_key(account_id, update.contact_id))) is None
        or (update.is_dated and update.updated_at > erased_time)
    ]


def _get_contacts(connection: apsw.Connection, account: int, contact_ids: set[str]) -> dict[str, _Contact]:
    if not contact_ids:
        return {}
    params: Values = {"account": account, "contact_ids": apsw.carray(tuple(contact_ids))}
    return {
        contact_id: _Contact(key, profile, load_attributes(stored))
        for contact_id, key, *profile, stored in fetch_all(connection, _SQL["get_all_attributes"], params)
    }


def _update(connection: apsw.Connection, contact: _Contact) -> None:
    attributes = contact.attributes
    values = get_number(attributes, "deleted_at"), dump_attributes(attributes), contact.key
    connection.execute(_SQL["update_attributes"], values)
    differing = [
        field for field in PROFILE_FIELDS if field in attributes and attributes[field][0] != contact.profile[field]
    ]
    if differing:
        connection.execute(_INGEST["add_first_profile"], {"contact": contact.key})
        for field in differing:
            # Unless a later activity reported another value.
            value, set_at = attributes[field]
            params: Values = {"contact": contact.key, "value": value, "created_time": set_at}
            connection.execute(_INGEST[f"set_{field}"], params)
