"""Updates of contacts in PostgreSQL."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

from msgspec.structs import replace

from rapport.catalog import ContactUpdate
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
from rapport.store.postgres.citus.queries import CLUSTER
from rapport.store.postgres.contact_search import get_search_query, list_grams
from rapport.store.postgres.engine import READ_TIMEOUT, Engine
from rapport.store.postgres.pool import Reach
from rapport.store.postgres.queries import SQL
from rapport.store.sql_engine import Row
from rapport.store.subresources import time_references

_SQL: Final = SQL["contacts"]

_UNIQUE_TIMEOUT: Final = 12.0
"""Seconds for an update whose address must be unique, including the wait for others with the same address."""


class PostgresContacts(ContactRepository):
    """Reads and updates contacts."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._postgres = engine
        self._search_query: str | None = None

    async def find_containing(self, account_id: str, text: str, limit: int) -> list[ContactRecord]:
        """Return contacts whose address contains a text."""
        if len(text) < MIN_SUBSTRING_LENGTH:
            return []
        text = text.lower()
        async with self._postgres.reading.acquire(READ_TIMEOUT, account_id, Reach.ALL) as connection:
            if self._search_query is None:
                self._search_query = await get_search_query(connection)
            rows = await connection.fetch(self._search_query, account_id, list_grams(text), text, limit)
        return [ContactRecord(*row) for row in rows]

    async def _list_last_times(self, account_id: str, contact_ids: list[str]) -> Sequence[Row]:
        """Return the times. On a cluster, query the shards of the contacts only."""
        if self._postgres.cluster is None:
            return await super()._list_last_times(account_id, contact_ids)
        return await self._fetch_of_contacts(CLUSTER["list_last_times"], account_id, contact_ids)

    async def _list_attributes_of(self, account_id: str, contact_ids: Sequence[str]) -> Sequence[Row]:
        """Return the attributes by the keys of the contacts, which on a cluster name their shards."""
        return await self._fetch_of_contacts(_SQL["list_attributes_of"], account_id, contact_ids)

    async def _fetch_of_contacts(self, query: str, account_id: str, contact_ids: Sequence[str]) -> Sequence[Row]:
        keys = [contact_key(account_id, contact_id) for contact_id in contact_ids]
        async with self._postgres.reading.acquire(READ_TIMEOUT, account_id, keys) as connection:
            rows: Sequence[Row] = await connection.fetch(query, keys)
            return rows

    async def upsert(self, account_id: str, updates: Sequence[ContactUpdate]) -> int:
        """Merge updates into the contacts, one transaction for each chunk. Return how many changed something."""
        writer = self._postgres.writer
        changes = 0
        for chunk in chunk_updates(updates):
            # Before the transaction that writes the contacts, which on a cluster involves a single node.
            await writer.ensure_definitions(account_id, time_references(chunk))
            changes += await writer.upsert_contacts(account_id, chunk)
        return changes

    async def upsert_unique(self, account_id: str, update: ContactUpdate, *, into_owner: bool) -> UniqueUpsert:
        """Look up the owner of the address while a lock keeps others from giving it to another contact.

        The lock is held by a connection for reads, so that connections for writes never wait for each other.
        """
        address = update.person.email_address
        reading = self._postgres.reading
        async with reading.acquire(_UNIQUE_TIMEOUT, account_id, Reach.ALL) as connection, connection.transaction():
            if address is not None:
                await connection.execute(_SQL["lock_account"], _lock_number(account_id, address))
            key = contact_key(account_id, update.contact_id)
            stored = await connection.fetchrow(_SQL["get_address"], key)
            if address is not None and (stored is None or not is_same_address(address, stored[0])):
                owner = await connection.fetchval(_SQL["find_owner"], account_id, address, update.contact_id)
                if owner is not None:
                    if not into_owner:
                        return UniqueUpsert(owner, UpsertOutcome.CONFLICT)
                    update, stored = replace(update, contact_id=owner), (address,)
            await self.upsert(account_id, [update])
        return UniqueUpsert(update.contact_id, UpsertOutcome.CREATED if stored is None else UpsertOutcome.UPDATED)


def _lock_number(account_id: str, address: str) -> int:
    """Return the number of the advisory lock of an address: a digest, as lower case is compared."""
    text = f"{account_id}\0{address}".encode().lower()
    return int.from_bytes(blake2b(text, digest_size=8, person=b"rapport/address").digest(), signed=True)
