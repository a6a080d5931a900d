"""Read the feed in PostgreSQL, from snapshot to snapshot.

Transactions commit in a different order than they number their rows. So a reader's position is a snapshot, and what is
new is what a later snapshot contains in addition. Nothing is missed, and no transaction waits for another.
"""

import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import asyncpg

from rapport.activity import Activity
from rapport.store.activity_rows import activity_from_row
from rapport.store.feed import MAX_ROWS, FeedKey, FeedRow, decode_keys, decode_omitted
from rapport.store.postgres.citus.queries import CLUSTER
from rapport.store.postgres.engine import Engine
from rapport.store.postgres.feed_writer import FEED_KEY, FEED_TIMEOUT
from rapport.store.postgres.pool import Connection
from rapport.store.postgres.queries import SQL

_SQL: Final = SQL["feed"]

_MAX_CONCURRENT: Final = 32
"""Transactions with a lower number than the highest committed one; there are hardly ever as many."""

_MAX_LENGTH: Final = 4_000
_SNAPSHOT: Final = re.compile(r"([0-9]{1,18}:[0-9]{1,18}:[0-9,]*)@([0-9]{1,18})", re.ASCII)
_ROW: Final = re.compile(r"([0-9]{1,18})\.([0-9]{1,18})\.([0-9]{1,9})", re.ASCII)

_RowCursor: TypeAlias = tuple[int, int, int]
"""The xid and number of a row, and how many of its keys were read."""

_FIRST_ROW: Final = (0, 0, 0)


class _Snapshot(NamedTuple):
    """A position after everything that was committed at a time: the snapshot, and the highest number in it."""

    snapshot: str
    number: int


class _Position(NamedTuple):
    """A reader's position: everything in one snapshot, and what another contains in addition up to a row."""

    seen: _Snapshot
    next: _Snapshot | None = None
    row: _RowCursor = _FIRST_ROW


class PostgresFeed:
    """Reads the feed."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._pool = engine.reading

    async def head(self) -> str:
        """Return the position after everything that is committed."""
        async with self._pool.acquire(FEED_TIMEOUT) as connection:
            head: str = await connection.fetchval(_SQL["head"])
            return head

    async def read(self, account_ids: Sequence[str], after: str, until: str) -> list[FeedRow] | None:
        """Return the next rows of these accounts, or None if not all rows since `after` are stored."""
        position, end = _parse_position(after), _parse_snapshot(until)
        if position is None or end is None or position.seen.number > end.number:
            return None
        try:
            async with self._pool.acquire(FEED_TIMEOUT) as connection:
                rows: list[FeedRow] = []
                if position.next is not None:
                    rows = await self._list_rows_between(
                        connection, account_ids, position.seen, position.next, position.row
                    )
                    position = position if rows else _Position(position.next)
                if not rows:
                    rows = await self._list_rows_between(connection, account_ids, position.seen, end, _FIRST_ROW)
                pruned: int = await connection.fetchval(_SQL["get_pruned"])
        except asyncpg.DataError:
            # It has the form of a snapshot, but isn't one.
            return None
        return rows if not pruned or pruned <= position.seen.number - _MAX_CONCURRENT else None

    async def get_activities(self, account_id: str, keys: Sequence[FeedKey]) -> list[Activity | None]:
        """Return the activities with these keys; None for those that don't exist. Keys contain the account."""
        del account_id
        query = _SQL["get_activities"] if self._engine.cluster is None else CLUSTER["get_activities"]
        contacts = [bytes(contact) for contact, *_ in keys]
        columns = [[key[column] for key in keys] for column in range(1, 4)]
        async with self._pool.acquire(FEED_TIMEOUT, contacts=contacts) as connection:
            rows = await connection.fetch(query, list(range(len(keys))), contacts, *columns)
        activities = {index: activity_from_row(contact_id, tuple(row)) for index, contact_id, *row in rows}
        return [activities.get(index) for index in range(len(keys))]

    async def _list_rows_between(
        self, connection: Connection, account_ids: Sequence[str], seen: _Snapshot, end: _Snapshot, row: _RowCursor
    ) -> list[FeedRow]:
        xid, number, read = row
        params = str(xid), number, list(account_ids), MAX_ROWS
        records = await connection.fetch(_SQL["list_rows"], seen.snapshot, end.snapshot, *params)
        rows = [
            _feed_row(seen, end, tuple(row), read if (int(row[0]), row[1]) == (xid, number) else 0) for row in records
        ]
        # On a cluster, activities may become readable a moment later than their row in the feed.
        is_cluster = self._engine.cluster is not None
        return [row._replace(may_lag=row.may_lag and is_cluster) for row in rows if row.keys]


def _feed_row(seen: _Snapshot, end: _Snapshot, row: tuple[Any, ...], read: int) -> FeedRow:
    xid, number, account_id, omitted, stored, is_recent = row
    keys = decode_keys(FEED_KEY, stored)
    prefix = f"{seen.snapshot}@{seen.number}~{end.snapshot}@{end.number}~{xid}.{number}"
    positions = [f"{prefix}.{count}" for count in range(read + 1, len(keys) + 1)]
    # The omitted counts were returned with the first of the keys.
    return FeedRow(account_id, keys[read:], positions, decode_omitted(None if read else omitted), is_recent)


def _parse_position(text: str) -> _Position | None:
    if len(text) > _MAX_LENGTH:
        return None
    first, *rest = text.split("~")
    seen = _parse_snapshot(first)
    if seen is None or not rest:
        return None if seen is None else _Position(seen)
    row = _ROW.fullmatch(rest[-1])
    end = _parse_snapshot(rest[0])
    if len(rest) != 2 or row is None or end is None:
        return None
    return _Position(seen, end, (int(row[1]), int(row[2]), int(row[3])))


def _parse_snapshot(text: str) -> _Snapshot | None:
    match = _SNAPSHOT.fullmatch(text)
    return None if match is None else _Snapshot(match[1], int(match[2]))
