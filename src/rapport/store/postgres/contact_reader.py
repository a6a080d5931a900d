"""Reads of contacts themselves: one, those of an account, those with an email address."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from rapport.store.digests import contact_key
from rapport.store.postgres.pool import Pool
from rapport.store.protocol import ContactQuery, KnownContact
from rapport.store.statements import read_statements

SQL: Final = read_statements(Path(__file__).parent / "sql" / "read_contacts.sql")

_WITHIN: Final = 12.0
"""Seconds within which contacts are read, or the caller told to try again."""


class ContactReader:
    """Reads through a pool. Raises StoreUnavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def contact(self, account_id: str, contact_id: str) -> KnownContact | None:
        """What is known of a contact now."""
        for row in await self._all("contact", contact_key(account_id, contact_id)):
            return KnownContact(*row)
        return None

    async def contacts(self, account_id: str, query: ContactQuery) -> list[KnownContact]:
        """The asked for contacts, by their ids."""
        asked = account_id, query.behind, query.limit
        if query.email_address is None:
            rows = await self._all("contacts", *asked)
        else:
            rows = await self._all("contacts_of_address", *asked, query.email_address)
        return [KnownContact(*row) for row in rows]

    async def count(self, account_id: str, email_address: str | None) -> int:
        """How many contacts the account has, or of these how many have the address."""
        if email_address is None:
            ((count,),) = await self._all("count", account_id)
        else:
            ((count,),) = await self._all("count_of_address", account_id, email_address)
        return int(count)

    async def _all(self, statement: str, *values: object) -> Sequence[Any]:
        async with self._pool.lend(_WITHIN) as connection:
            rows: Sequence[Any] = await connection.fetch(SQL[statement], *values)
            return rows
