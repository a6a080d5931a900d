"""Write the feed in SQLite: one row for each transaction and account."""

from struct import Struct
from typing import Final

import apsw

from rapport.store.feed import MIN_KEYS, FeedEntryBuilder, clear_contact, encode_keys
from rapport.store.sqlite.connection import fetch_all
from rapport.store.sqlite.queries import SQL

_SQL: Final = SQL["feed"]

FEED_KEY: Final = Struct(">qBqq")


def append(connection: apsw.Connection, entries: FeedEntryBuilder[int]) -> None:
    """Append what the running transaction has recorded, and delete old rows."""
    rows = [
        (len(keys), account_id, omitted, encode_keys(FEED_KEY, keys)) for account_id, keys, omitted in entries.rows()
    ]
    if rows:
        connection.executemany(_SQL["add"], rows)
        connection.execute(_SQL["prune"], {"kept": MIN_KEYS})


def remove_contact(connection: apsw.Connection, contact: int) -> None:
    """Remove all keys of a contact, in the transaction that erases it."""
    for number, keys in fetch_all(connection, _SQL["find_by_contact"], {"contact": contact.to_bytes(8)}):
        connection.execute(_SQL["update_keys"], (clear_contact(FEED_KEY, keys, contact), number))
