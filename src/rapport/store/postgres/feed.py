"""The feed in the database: a row for what each transaction records, and its reading from snapshot to snapshot.

Transactions commit in another order than that in which they number their rows. What a reader has seen is therefore a
snapshot, and what is new is what a later snapshot holds beyond that: nothing is missed, and nobody waits for anybody.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from struct import Struct
from typing import Any, Final, NamedTuple, TypeAlias

import asyncpg

from rapport.activity import Activity
from rapport.errors import StoreUnavailable
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
from rapport.store.postgres.pool import Connection, Pool
from rapport.store.rows import activity_from_row
from rapport.store.statements import read_statements

SQL: Final = read_statements(Path(__file__).parent / "sql" / "feed.sql")

_READ_WITHIN: Final = 3.0
KEY_FORMAT: Final = Struct(">16sBqq")
_PRUNE_AFTER: Final = MOST_HELD // 10
"""Keys that one process adds before it looks for what is old."""
_UNDER_WAY: Final = 32
"""Transactions with a lower number than the highest that is committed: there are hardly ever so many."""

_LONGEST: Final = 4_000
_END: Final = re.compile(r"([0-9]{1,18}:[0-9]{1,18}:[0-9,]*)@([0-9]{1,18})", re.ASCII)
_ROW: Final = re.compile(r"([0-9]{1,18})\.([0-9]{1,18})\.([0-9]{1,9})", re.ASCII)

_Place: TypeAlias = tuple[int, int, int]
"""A row's xid and number, and how many of its keys are read."""

_FIRST: Final = (0, 0, 0)


class _End(NamedTuple):
    """A position behind all that was committed at a time: the snapshot, and the highest number that it holds."""

    snapshot: str
    number: int


class _Position(NamedTuple):
    """Where a reader is: it has seen all of one snapshot, and of what the next holds beyond that up to a place."""

    seen: _End
    next: _End | None = None
    place: _Place = _FIRST


class FeedWriter:
    """Tells the feed what is recorded, and lets go of what is old in passing."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        # Due with the first: a process may record no more than once.
        self._told = _PRUNE_AFTER

    async def tell(self, connection: Connection, news: FeedEntryBuilder[bytes]) -> None:
        """Add what the running transaction has recorded: the last that it does."""
        rows = list(news.rows())
        if rows:
            stored = [packed(KEY_FORMAT, keys) for _, keys, _ in rows]
            await connection.execute(SQL["add"], [row[0] for row in rows], [row[2] for row in rows], stored)
            self._told += sum(len(keys) for _, keys, _ in rows)

    async def prune(self) -> None:
        """Let go of what is old, if much was told since the last time. If it can't be done now, the next does it."""
        if self._told < _PRUNE_AFTER:
            return
        self._told = 0
        with suppress(StoreUnavailable):
            async with self._pool.acquire(_READ_WITHIN) as connection:
                await connection.execute(SQL["prune"], MOST_HELD * KEY_FORMAT.size)


async def forget(connection: Connection, contact: bytes) -> None:
    """Leave no key of a contact that is erased, within the transaction that does so."""
    for number, keys in await connection.fetch(SQL["of_contact"], contact):
        await connection.execute(SQL["replace"], number, without_contact(KEY_FORMAT, keys, contact))


class FeedReader:
    """Reads through a pool. Raises StoreUnavailable."""

    activities_statement = SQL["activities"]
    may_lag = False
    """Whether activities may be readable a moment later than the row of them."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def end(self) -> str:
        """The position behind all that is committed."""
        async with self._pool.acquire(_READ_WITHIN) as connection:
            end: str = await connection.fetchval(SQL["end"])
            return end

    async def rows(self, account_ids: Sequence[str], after: str, until: str) -> list[FeedRow] | None:
        """The next rows of these accounts between two positions; None when not all that is behind is held."""
        position, end = _position(after), _end(until)
        if position is None or end is None or position.seen.number > end.number:
            return None
        try:
            async with self._pool.acquire(_READ_WITHIN) as connection:
                rows: list[FeedRow] = []
                if position.next is not None:
                    rows = await self._between(connection, account_ids, position.seen, position.next, position.place)
                    position = position if rows else _Position(position.next)
                if not rows:
                    rows = await self._between(connection, account_ids, position.seen, end, _FIRST)
                pruned: int = await connection.fetchval(SQL["pruned"])
        except asyncpg.DataError:
            # It looks like a snapshot, and is none.
            return None
        return rows if not pruned or pruned <= position.seen.number - _UNDER_WAY else None

    async def activities(self, account_id: str, keys: Sequence[FeedKey]) -> list[Activity | None]:
        """The activities with these keys; None for those that aren't there. The contact's key is the account's."""
        del account_id
        contacts = [bytes(contact) for contact, *_ in keys]
        columns = [[key[column] for key in keys] for column in range(1, 4)]
        async with self._pool.acquire(_READ_WITHIN, contacts=contacts) as connection:
            rows = await connection.fetch(self.activities_statement, list(range(len(keys))), contacts, *columns)
        found = {place: activity_from_row(contact_id, tuple(row)) for place, contact_id, *row in rows}
        return [found.get(place) for place in range(len(keys))]

    async def _between(
        self, connection: Connection, account_ids: Sequence[str], seen: _End, end: _End, place: _Place
    ) -> list[FeedRow]:
        xid, number, index = place
        params = str(xid), number, list(account_ids), ROWS_AT_ONCE
        found = await connection.fetch(SQL["rows"], seen.snapshot, end.snapshot, *params)
        rows = [_row(seen, end, tuple(row), index if (int(row[0]), row[1]) == (xid, number) else 0) for row in found]
        return [row._replace(is_fresh=row.is_fresh and self.may_lag) for row in rows if row.keys]


def _row(seen: _End, end: _End, row: tuple[Any, ...], read: int) -> FeedRow:
    xid, number, account_id, left_out, stored, is_fresh = row
    keys = unpacked(KEY_FORMAT, stored)
    between = f"{seen.snapshot}@{seen.number}~{end.snapshot}@{end.number}~{xid}.{number}"
    positions = [f"{between}.{each}" for each in range(read + 1, len(keys) + 1)]
    # What was left out has been told with the first of the keys.
    return FeedRow(account_id, keys[read:], positions, read_left_out(None if read else left_out), is_fresh)


def _position(text: str) -> _Position | None:
    if len(text) > _LONGEST:
        return None
    first, *rest = text.split("~")
    seen = _end(first)
    if seen is None or not rest:
        return None if seen is None else _Position(seen)
    row = _ROW.fullmatch(rest[-1])
    end = _end(rest[0])
    if len(rest) != 2 or row is None or end is None:
        return None
    return _Position(seen, end, (int(row[1]), int(row[2]), int(row[3])))


def _end(text: str) -> _End | None:
    matched = _END.fullmatch(text)
    return None if matched is None else _End(matched[1], int(matched[2]))
