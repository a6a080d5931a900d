"""Reads of contacts themselves: one, those of an account, those with an email address."""

from pathlib import Path
from typing import Final

import apsw

from rapport.store.catalogue import ContactAttributes, load_attributes
from rapport.store.known import ContactQuery, ContactRecord, ContactStatus
from rapport.store.sqlite.connection import Values, every, one, translate_errors
from rapport.store.statements import read_statements

SQL: Final = read_statements(Path(__file__).parent / "sql" / "read_contacts.sql")


class ContactReader:
    """Reads on a connection that only reads. Raises StoreUnavailable."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def contact(self, account_id: str, contact_id: str) -> ContactRecord | None:
        """What is known of a contact now."""
        with translate_errors():
            row = one(self._connection, SQL["contact"], {"account_id": account_id, "contact_id": contact_id})
        return None if row is None else ContactRecord(*row)

    def stated(self, account_id: str, contact_id: str) -> ContactAttributes | None:
        """What is stated of a contact."""
        with translate_errors():
            row = one(self._connection, SQL["stated"], {"account_id": account_id, "contact_id": contact_id})
        return None if row is None else ContactAttributes(contact_id, load_attributes(row[0]))

    def contacts(self, account_id: str, query: ContactQuery) -> list[ContactRecord]:
        """The asked for contacts, in their order."""
        with translate_errors():
            rows = every(self._connection, SQL[query.order], _asked(account_id, query))
            return [ContactRecord(*row) for row in rows]

    def count(self, account_id: str, query: ContactQuery) -> int:
        """How many contacts are asked for, on all pages."""
        statement = "count" if query.email_address is None else "count_of_address"
        with translate_errors():
            ((count,),) = every(self._connection, SQL[statement], _asked(account_id, query))
        return int(count)

    def count_by_status(self, account_id: str) -> dict[ContactStatus, int]:
        """How many contacts stand how."""
        with translate_errors():
            rows = every(self._connection, SQL["count_by_status"], {"account_id": account_id})
            return {ContactStatus(status): count for status, count in rows}


def _asked(account_id: str, query: ContactQuery) -> Values:
    updated_after, updated_before = query.updated or (None, None)
    created_after, created_before = query.created or (None, None)
    opted_out_after, opted_out_before = query.opted_out or (None, None)
    after_time, after = query.start
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
        "after_time": after_time,
        "after": after,
        "limit": query.limit,
    }
