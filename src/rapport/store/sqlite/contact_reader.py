"""Reads of contacts themselves: one, those of an account, those with an email address."""

from pathlib import Path
from typing import Final

import apsw

from rapport.store.catalogue import StoredContact, facts_of
from rapport.store.known import ContactQuery, ContactStatus, KnownContact
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

    def stated(self, account_id: str, contact_id: str) -> StoredContact | None:
        """What is stated of a contact."""
        with told_as_unavailable():
            row = one(self._connection, SQL["stated"], {"account_id": account_id, "contact_id": contact_id})
        return None if row is None else StoredContact(contact_id, facts_of(row[0]))

    def contacts(self, account_id: str, query: ContactQuery) -> list[KnownContact]:
        """The asked for contacts, in their order."""
        with told_as_unavailable():
            rows = every(self._connection, SQL[query.order], _asked(account_id, query))
            return [KnownContact(*row) for row in rows]

    def count(self, account_id: str, query: ContactQuery) -> int:
        """How many contacts are asked for, on all pages."""
        statement = "count" if query.email_address is None else "count_of_address"
        with told_as_unavailable():
            ((count,),) = every(self._connection, SQL[statement], _asked(account_id, query))
        return int(count)

    def count_by_status(self, account_id: str) -> dict[ContactStatus, int]:
        """How many contacts stand how."""
        with told_as_unavailable():
            rows = every(self._connection, SQL["count_by_status"], {"account_id": account_id})
            return {ContactStatus(status): count for status, count in rows}


def _asked(account_id: str, query: ContactQuery) -> Values:
    updated_after, updated_before = query.updated or (None, None)
    created_after, created_before = query.created or (None, None)
    opted_out_after, opted_out_before = query.opted_out or (None, None)
    behind_time, behind = query.begins_behind
    return {
        "account_id": account_id,
        "email_address": query.email_address,
        "status_bits": query.status_bits,
        "updated_after": updated_after,
        "updated_before": updated_before,
        "created_after": created_after,
        "created_before": created_before,
        "opted_out_after": opted_out_after,
        "opted_out_before": opted_out_before,
        "behind_time": behind_time,
        "behind": behind,
        "limit": query.limit,
    }
