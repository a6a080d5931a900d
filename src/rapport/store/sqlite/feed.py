"""The feed in SQLite: one row for each transaction and account."""

import re
from collections.abc import Sequence
from typing import Any, Final

import apsw

from rapport.activity import Activity
from rapport.store.activity_rows import activity_from_row
from rapport.store.feed import MAX_ROWS, FeedKey, FeedRow, decode_keys, decode_omitted
from rapport.store.sqlite.connection import Values, fetch_all, fetch_one, translate_errors
from rapport.store.sqlite.engine import Engine
from rapport.store.sqlite.feed_writer import FEED_KEY
from rapport.store.sqlite.queries import SQL

_SQL: Final = SQL["feed"]

_POSITION: Final = re.compile(r"[0-9]{1,18}", re.ASCII)


class SQLiteFeed:
    """Reads the feed in the event loop."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def head(self) -> str:
        """Return the position after everything that is recorded."""
        with translate_errors():
            ((number,),) = fetch_all(self._engine.reading, _SQL["head"])
        return str(number)

    async def read(self, account_ids: Sequence[str], after: str, until: str) -> list[FeedRow] | None:
        """Return the next rows of these accounts, or None if not all rows since `after` are stored."""
        if _POSITION.fullmatch(after) is None:
            return None
        first, last = int(after), int(until)
        params: Values = {
            "after": first,
            "until": last,
            "account_ids": apsw.carray(tuple(account_ids)),
            "limit": MAX_ROWS,
        }
        with translate_errors():
            rows = fetch_all(self._engine.reading, _SQL["list_rows"], params)
            oldest = fetch_one(self._engine.reading, _SQL["oldest"])
        if first > last or (oldest is not None and first < oldest[0] - oldest[1] // FEED_KEY.size):
            return None
        return [_feed_row(first, *row) for row in rows]

    async def get_activities(self, account_id: str, keys: Sequence[FeedKey]) -> list[Activity | None]:
        """Return the account's activities with these keys; None for those that don't exist."""
        rows: list[tuple[Any, ...]]
        params = ((*key, account_id) for key in keys)
        with translate_errors():
            rows = self._engine.reading.executemany(_SQL["get_activity"], params).fetchall()
        activities = {
            (contact, activity_type, created_time, identity): activity_from_row(
                contact_id, (created_time, identity, activity_type, *columns)
            )
            for contact, activity_type, created_time, identity, contact_id, *columns in rows
        }
        return [activities.get(key) for key in keys]


def _feed_row(after: int, number: int, account_id: str, omitted: str | None, stored: bytes) -> FeedRow:
    keys = decode_keys(FEED_KEY, stored)
    start = number - len(keys)
    if after > start:
        # The omitted counts were returned with the first of the keys.
        keys, start, omitted = keys[after - start :], after, None
    positions = [str(position) for position in range(start + 1, number + 1)]
    return FeedRow(account_id, keys, positions, decode_omitted(omitted), may_lag=False)
