"""Redirect what arrives for merged contacts to the contacts that they were merged into."""

from collections.abc import Collection, Sequence
from typing import Final

import apsw

from rapport.instant import Instant
from rapport.store.batch import Batch
from rapport.store.merges import redirect_contacts
from rapport.store.sqlite.connection import Values, fetch_all
from rapport.store.sqlite.identifiers import account_key
from rapport.store.sqlite.queries import SQL

_SQL: Final = SQL["merges"]


def has_merges(connection: apsw.Connection) -> bool:
    """Return True if any contacts were ever merged."""
    ((exists,),) = fetch_all(connection, _SQL["has_merges"])
    return bool(exists)


def find_targets(connection: apsw.Connection, account: int, contact_ids: Collection[str]) -> dict[str, str]:
    """Return the ids that were merged, with those of the contacts that they were merged into."""
    if not contact_ids:
        return {}
    params: Values = {"account": account, "contact_ids": apsw.carray(tuple(contact_ids))}
    return dict(fetch_all(connection, _SQL["find_targets"], params))


def redirect_batches(connection: apsw.Connection, batches: Sequence[Batch], now: Instant) -> Sequence[Batch]:
    """Return the batches with merged contacts redirected, as of the running transaction."""
    if not has_merges(connection):
        return batches
    return [
        redirect_contacts(
            batch, find_targets(connection, account_key(connection, batch.account_id, now), batch.contacts)
        )
        for batch in batches
    ]
