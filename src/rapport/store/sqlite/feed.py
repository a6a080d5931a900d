"""The feed in the file: a row for what each transaction records, and its reading in the event loop."""

import re
from collections.abc import Sequence
from pathlib import Path
from struct import Struct
from typing import Any, Final

import apsw

from rapport.activity import Activity
from rapport.store.feed import (
    MOST_HELD,
    ROWS_AT_ONCE,
    FeedEntryBuilder,
    FeedKey,
    FeedRow,
    packed,
    read_left_out,
    unpacked,
    without_contact,
)
from rapport.store.rows import activity_from_row
from rapport.store.sqlite.connection import Values, every, one, translate_errors
from rapport.store.statements import read_statements

SQL: Final = read_statements(Path(__file__).parent / "sql" / "feed.sql")

KEY_FORMAT: Final = Struct(">qBqq")
_POSITION: Final = re.compile(r"[0-9]{1,18}", re.ASCII)


def tell(connection: apsw.Connection, news: FeedEntryBuilder[int]) -> None:
    """Add to the feed what the running transaction has recorded, and let go of what is old."""
    rows = [(len(keys), account_id, left_out, packed(KEY_FORMAT, keys)) for account_id, keys, left_out in news.rows()]
    if rows:
        connection.executemany(SQL["add"], rows)
        connection.execute(SQL["prune"], {"held": MOST_HELD})


def forget(connection: apsw.Connection, contact: int) -> None:
    """Leave no key of a contact that is erased, within the transaction that does so."""
    for number, keys in every(connection, SQL["of_contact"], {"contact": contact.to_bytes(8)}):
        connection.execute(SQL["replace"], (without_contact(KEY_FORMAT, keys, contact), number))


class FeedReader:
    """Reads on a connection that only reads. Raises StoreUnavailable."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def end(self) -> str:
        """The position behind all that is recorded."""
        with translate_errors():
            ((number,),) = every(self._connection, SQL["end"])
        return str(number)

    def rows(self, account_ids: Sequence[str], after: str, until: str) -> list[FeedRow] | None:
        """The next rows of these accounts between two positions; None when not all that is behind is held."""
        if _POSITION.fullmatch(after) is None:
            return None
        first, last = int(after), int(until)
        params: Values = {
            "after": first,
            "until": last,
            "account_ids": apsw.carray(tuple(account_ids)),
            "limit": ROWS_AT_ONCE,
        }
        with translate_errors():
            rows = every(self._connection, SQL["rows"], params)
            oldest = one(self._connection, SQL["oldest"])
        if first > last or (oldest is not None and first < oldest[0] - oldest[1] // KEY_FORMAT.size):
            return None
        return [_row(first, *row) for row in rows]

    def activities(self, account_id: str, keys: Sequence[FeedKey]) -> list[Activity | None]:
        """The activities of the account with these keys; None for those that aren't there."""
        found: list[tuple[Any, ...]]
        with translate_errors():
            found = self._connection.executemany(SQL["activity"], ((*key, account_id) for key in keys)).fetchall()
        there = {
            (contact, activity_type, created_time, identity): activity_from_row(
                contact_id, (created_time, identity, activity_type, *rest)
            )
            for contact, activity_type, created_time, identity, contact_id, *rest in found
        }
        return [there.get(key) for key in keys]


def _row(after: int, number: int, account_id: str, left_out: str | None, stored: bytes) -> FeedRow:
    keys = unpacked(KEY_FORMAT, stored)
    begins = number - len(keys)
    if after > begins:
        # What was left out has been told with the first of its keys.
        keys, begins, left_out = keys[after - begins :], after, None
    positions = [str(each) for each in range(begins + 1, number + 1)]
    return FeedRow(account_id, keys, positions, read_left_out(left_out), is_fresh=False)
