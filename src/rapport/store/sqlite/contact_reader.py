"""Reads of contacts themselves: one, those of an account, those with an email address."""

from pathlib import Path
from typing import Final

import apsw

from rapport.store.protocol import ContactQuery, KnownContact
from rapport.store.sqlite.connection import Values, every, one, told_as_unavailable
from rapport.store.statements import read_statements

SQL: Final = read_statements(Path(__file__).parent / "sql" / "read_contacts.sql")


class ContactReader:
    """Reads on a connection that only reads. Raises StoreUnavailable."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def contact(self, account_id: str, contact_id: str) -> KnownContact | None:
        """What is known of a contact now."""
        with told_as_unavailable():
            row = one(self._connection, SQL["contact"], {"account_id": account_id, "contact_id": contact_id})
        return None if row is None else KnownContact(*row)

    def contacts(self, account_id: str, query: ContactQuery) -> list[KnownContact]:
        """The asked for contacts, by their ids."""
        statement = "contacts" if query.email_address is None else "contacts_of_address"
        asked: Values = {
            "account_id": account_id,
            "email_address": query.email_address,
            "behind": query.behind,
            "limit": query.limit,
        }
        with told_as_unavailable():
            return [KnownContact(*row) for row in every(self._connection, SQL[statement], asked)]

    def count(self, account_id: str, email_address: str | None) -> int:
        """How many contacts the account has, or of these how many have the address."""
        statement = "count" if email_address is None else "count_of_address"
        asked: Values = {"account_id": account_id, "email_address": email_address}
        with told_as_unavailable():
            ((count,),) = every(self._connection, SQL[statement], asked)
        return int(count)
