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
    FeedKey,
    FeedRow,
    News,
    packed,
    read_left_out,
    unpacked,
    without_contact,
)
from rapport.store.rows import whole_activity
from rapport.store.sqlite.connection import Values, every, one, told_as_unavailable
from rapport.store.statements import read_statements

SQL: Final = read_statements(Path(__file__).parent / "sql" / "feed.sql")

_KEY: Final = Struct(">qBqq")
_POSITION: Final = re.compile(r"[0-9]{1,18}", re.ASCII)


def tell(connection: apsw.Connection, news: News[int]) -> None:
    """Add to the feed what the running transaction has recorded, and let go of what is old."""
    rows = [(len(keys), account_id, left_out, packed(_KEY, keys)) for account_id, keys, left_out in news.rows()]
    if rows:
        connection.executemany(SQL["add"], rows)
        connection.execute(SQL["prune"], {"held": MOST_HELD})


def forget(connection: apsw.Connection, contact: int) -> None:
    """Leave no key of a contact that is erased, within the transaction that does so."""
    for number, keys in every(connection, SQL["of_contact"], {"contact": contact.to_bytes(8)}):
        connection.execute(SQL["replace"], (without_contact(_KEY, keys, contact), number))


class FeedReader:
    """Reads on a connection that only reads. Raises StoreUnavailable."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def end(self) -> str:
        """The position behind all that is recorded."""
        with told_as_unavailable():
            ((number,),) = every(self._connection, SQL["end"])
        return str(number)

    def rows(self, account_ids: Sequence[str], behind: str, until: str) -> list[FeedRow] | None:
        """The next rows of these accounts between two positions; None when not all that is behind is held."""
        if _POSITION.fullmatch(behind) is None:
            return None
        first, last = int(behind), int(until)
        asked: Values = {
            "behind": first,
            "until": last,
            "account_ids": apsw.carray(tuple(account_ids)),
            "limit": ROWS_AT_ONCE,
        }
        with told_as_unavailable():
            rows = every(self._connection, SQL["rows"], asked)
            oldest = one(self._connection, SQL["oldest"])
        if first > last or (oldest is not None and first < oldest[0] - oldest[1] // _KEY.size):
            return None
        return [_row(first, *row) for row in rows]

    def activities(self, account_id: str, keys: Sequence[FeedKey]) -> list[Activity | None]:
        """The activities of the account with these keys; None for those that aren't there."""
        found: list[tuple[Any, ...]]
        with told_as_unavailable():
            found = self._connection.executemany(SQL["activity"], ((*key, account_id) for key in keys)).fetchall()
        there = {
            (contact, kind, created_time, identity): whole_activity(contact_id, (created_time, identity, kind, *rest))
            for contact, kind, created_time, identity, contact_id, *rest in found
        }
        return [there.get(key) for key in keys]


def _row(behind: int, number: int, account_id: str, left_out: str | None, stored: bytes) -> FeedRow:
    keys = unpacked(_KEY, stored)
    begins = number - len(keys)
    if behind > begins:
        # What was left out has been told with the first of its keys.
        keys, begins, left_out = keys[behind - begins :], behind, None
    positions = [str(each) for each in range(begins + 1, number + 1)]
    return FeedRow(account_id, keys, positions, read_left_out(left_out), is_fresh=False)
