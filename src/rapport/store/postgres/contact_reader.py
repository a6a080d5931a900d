"""Reads of contacts themselves: one, those of an account, those with an email address."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from rapport.store.catalogue import ContactAttributes, load_attributes
from rapport.store.digests import contact_key
from rapport.store.known import ContactQuery, ContactRecord, ContactStatus
from rapport.store.postgres.pool import Every, Pool, Touched
from rapport.store.statements import read_statements

SQL: Final = read_statements(Path(__file__).parent / "sql" / "read_contacts.sql")

_WITHIN: Final = 12.0
"""Seconds within which contacts are read, or the caller told to try again."""


class ContactReader:
    """Reads through a pool. Raises StoreUnavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def contact(self, account_id: str, contact_id: str) -> ContactRecord | None:
        """What is known of a contact now."""
        key = contact_key(account_id, contact_id)
        for row in await self._all(account_id, "contact", key, contacts=[key]):
            return ContactRecord(*row)
        return None

    async def stated(self, account_id: str, contact_id: str) -> ContactAttributes | None:
        """What is stated of a contact."""
        key = contact_key(account_id, contact_id)
        for (facts,) in await self._all(account_id, "stated", key, contacts=[key]):
            return ContactAttributes(contact_id, load_attributes(facts))
        return None

    async def contacts(self, account_id: str, query: ContactQuery) -> list[ContactRecord]:
        """The asked for contacts, in their order."""
        params: list[object] = [account_id, query.limit, query.after.contact_id, query.status_bits]
        opted_out = query.opted_out or (None, None)
        if query.email_address is not None or query.updated or query.created or query.opted_out:
            params.append(query.email_address)
        if query.updated is not None:
            params += [*query.updated, query.after.time, *(query.created or (None, None)), *opted_out]
        elif query.created is not None:
            params += [*query.created, query.after.time, *opted_out]
        elif query.opted_out is not None:
            params += [*query.opted_out, query.after.time]
        return [ContactRecord(*row) for row in await self._all(account_id, query.order, *params)]

    async def count(self, account_id: str, query: ContactQuery) -> int:
        """How many contacts are asked for, on all pages."""
        statement = "count" if query.email_address is None else "count_of_address"
        nothing = None, None
        bounds = *(query.updated or nothing), *(query.created or nothing), *(query.opted_out or nothing)
        ((count,),) = await self._all(
            account_id, statement, account_id, query.email_address, query.status_bits, *bounds
        )
        return int(count)

    async def count_by_status(self, account_id: str) -> dict[ContactStatus, int]:
        """How many contacts stand how."""
        return {
            ContactStatus(status): count for status, count in await self._all(account_id, "count_by_status", account_id)
        }

    async def _all(
        self, account_id: str, statement: str, *values: object, contacts: Touched = Every.CONTACT
    ) -> Sequence[Any]:
        async with self._pool.acquire(_WITHIN, account_id, contacts) as connection:
            rows: Sequence[Any] = await connection.fetch(SQL[statement], *values)
            return rows
