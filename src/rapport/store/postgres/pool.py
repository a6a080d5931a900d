"""Connections to the database: lent for a time, taken back at a deadline, and their failures told in our own words."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from enum import Enum
from typing import Any, Final, Protocol, TypeAlias

import asyncpg
from asyncpg import Connection as _BaseConnection
from asyncpg.exceptions import InterfaceError, InternalClientError, PostgresError
from asyncpg.pool import PoolConnectionProxy

from rapport.disconnects import CancelledByDisconnect
from rapport.errors import StoreBusy, StoreUnavailable
from rapport.store.postgres.setup import check_version, describe_connecting, explain
from rapport.store.turns import Turns

Connection: TypeAlias = PoolConnectionProxy

_CONNECT_WITHIN: Final = 5.0
_IDLE_FOR: Final = 300.0
_MAX_WAITING: Final = 1_000
_RETRY_AFTER: Final = 1
SHARED: Final = ""
"""The turn of what accounts do together: no account has this id."""
_CHECKS_ITS_CLIENT: Final = 14
"""The first version of the database that looks, during a query, whether its client is still there."""
EPOCH_2000: Final = 946_684_800_000
"""The database counts microseconds since 2000, we count milliseconds since 1970: its beginning by ours."""
LATEST_TIME: Final = 9_224_318_015_999_999
"""The latest time that a timestamptz can have, in milliseconds since 1970."""

_SETTINGS: Final = {
    "application_name": "rapport",
    # Of a cluster: whoever writes to several shards does so in the same order as all others.
    "citus.multi_shard_modify_mode": "sequential",
    # Which would have it look over every table of the catalogue when the driver asks what an array is: for seconds.
    "citus.override_table_visibility": "off",
}

# What passes by itself, or when somebody has put the database in order. By SQLSTATE: a cluster's errors have
# nothing else that can be relied on.
_PASSING_CLASSES: Final = ("08", "28", "40", "53", "57", "58")
_PASSING_STATES: Final = frozenset({"25006", "3D000", "55006", "55P03", "XX000"})
_OF_THE_CONNECTION: Final = (InterfaceError, InternalClientError, OSError, EOFError)


class TimedOut(StoreUnavailable):
    """The database did not answer in time."""


class _Connection(_BaseConnection):
    """A connection that needs no clearing up between two uses, as nobody changes its state: a round trip less."""

    def get_reset_query(self) -> str:
        return ""


class Every(Enum):
    """What a call touches, if it isn't the contacts that are named."""

    CONTACT = 0
    """All contacts, or what every node of a cluster has."""
    PERHAPS = 1
    """The same, unless it is found that this isn't needed."""


Touched: TypeAlias = Sequence[bytes] | Every
"""The contacts that a call touches, by their keys."""


class Call(Protocol):
    """A call that is under way."""

    def connected(self, cut: Callable[[], None]) -> None:
        """It has a connection, which `cut` cuts. Raises StoreUnavailable if it can't be answered."""


class Watch(Protocol):
    """Watches calls; on a cluster, where some can't be answered while others are."""

    async def begin(self, contacts: Touched) -> Any:  # noqa: ANN401 - a Call, that `end` takes back
        """Take note of a call. Raises StoreUnavailable if it can't be answered."""

    def end(self, call: Any) -> None:  # noqa: ANN401 - the same
        """The call is over."""


class Pool:
    """So many connections of one worker."""

    watch: Watch | None = None
    """Who watches the calls that say which contacts they touch."""

    def __init__(self, url: str, size: int, *, by_pgbouncer: bool) -> None:
        self._url = url
        self._size = size
        self._by_pgbouncer = by_pgbouncer
        self._pool: asyncpg.Pool | None = None
        # A quarter, and one at least, is left for the others.
        self._turns = Turns(size, _MAX_WAITING, for_one=max(1, size - max(1, size // 4)))
        self._lent: set[Connection] = set()

    async def open(self) -> None:
        """Connect once, to know that the database is there. Raises StoreUnavailable."""
        try:
            self._pool = await asyncpg.create_pool(
                self._url,
                min_size=1,
                max_size=self._size,
                timeout=_CONNECT_WITHIN,
                max_inactive_connection_lifetime=_IDLE_FOR,
                connection_class=_Connection,
                init=_prepare if self._by_pgbouncer else _prepare_own,
                # PgBouncer hands out another connection for every transaction, which knows no prepared statement.
                statement_cache_size=0 if self._by_pgbouncer else 100,
                server_settings={} if self._by_pgbouncer else _SETTINGS,
            )
        except (PostgresError, *_OF_THE_CONNECTION) as problem:
            raise StoreUnavailable(f"the database can't be reached: {describe_connecting(problem)}") from problem
        except (ValueError, OverflowError, InterfaceError) as problem:
            raise StoreUnavailable(f"the database's URL can't be used: {problem}") from problem
        async with self.acquire(_CONNECT_WITHIN) as connection:
            version = connection.get_server_version()
        unsupported = check_version(version.major, f"{version.major}.{version.minor}")
        if unsupported is not None:
            raise StoreUnavailable(unsupported)

    async def close(self) -> None:
        """Let go of all connections; one that hangs is cut."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            async with asyncio.timeout(_CONNECT_WITHIN):
                await pool.close()
        except TimeoutError:
            pool.terminate()

    def stop(self) -> None:
        """Refuse those that wait for a connection, and cut the connections that are lent."""
        self._turns.close()
        for connection in list(self._lent):
            _cut(connection)

    @asynccontextmanager
    async def acquire(self, seconds: float, turn_of: str = SHARED, contacts: Touched = ()) -> AsyncIterator[Connection]:
        """A connection for at most `seconds`, the wait for it included, when it is the turn of the account.

        It is for what these contacts have, if that can be told.
        After that it is cut: a cluster whose node hangs doesn't answer a cancellation either. Raises
        StoreUnavailable for whatever passes by itself.
        """
        if self._pool is None:
            raise StoreUnavailable("the store is not open")
        ends = asyncio.get_running_loop().time() + seconds
        watch = self.watch if contacts else None
        call: Call | None = None if watch is None else await watch.begin(contacts)
        try:
            try:
                async with asyncio.timeout_at(ends):
                    await self._turns.take(turn_of)
            except TimeoutError as problem:
                raise StoreBusy(_RETRY_AFTER) from problem
            try:
                with CancelledByDisconnect():
                    async with self._connection(ends, seconds, call) as connection:
                        yield connection
            finally:
                self._turns.release(turn_of)
        finally:
            if watch is not None:
                watch.end(call)

    @asynccontextmanager
    async def _connection(self, ends: float, seconds: float, call: Call | None) -> AsyncIterator[Connection]:
        if self._pool is None:
            raise StoreUnavailable("the store is not open")
        try:
            async with asyncio.timeout_at(ends):
                connection: Connection = await self._pool.acquire()
        except PostgresError as problem:
            raise StoreUnavailable(f"the database can't be reached: {describe_connecting(problem)}") from problem
        except (TimeoutError, *_OF_THE_CONNECTION) as problem:
            raise _unavailable(problem, seconds) or problem from problem
        deadline = _Deadline(connection, ends)
        self._lent.add(connection)
        try:
            if call is not None:
                call.connected(deadline.cut)
            if self._by_pgbouncer:
                async with connection.transaction():
                    yield connection
            else:
                yield connection
        except BaseException as problem:
            if not isinstance(problem, PostgresError | StoreUnavailable):
                # Whatever it is, it may have left the connection in the middle of something.
                _cut(connection)
            unavailable = _unavailable(TimeoutError() if deadline.passed else problem, seconds)
            if isinstance(problem, PostgresError) and not deadline.passed:
                explanation = await explain(connection, problem)
                unavailable = unavailable if explanation is None else StoreUnavailable(explanation)
            if unavailable is not None:
                raise unavailable from problem
            raise
        finally:
            deadline.lift()
            self._lent.discard(connection)
            await self._pool.release(connection)


async def connect(url: str, *, by_pgbouncer: bool) -> Connection:
    """A connection of its own, of no pool. Raises StoreUnavailable."""
    try:
        connection: Connection = await asyncpg.connect(
            url,
            timeout=_CONNECT_WITHIN,
            statement_cache_size=0 if by_pgbouncer else 100,
            server_settings={} if by_pgbouncer else _SETTINGS,
        )
        return connection  # noqa: TRY300 - nothing of it fails
    except (TimeoutError, PostgresError, *_OF_THE_CONNECTION) as problem:
        raise StoreUnavailable(f"the database can't be reached: {problem}") from problem


async def copy(connection: Connection, table: str, columns: Sequence[str], rows: bytes) -> None:
    """Copy rows, as `rapport.store.postgres.binary` makes them, to a table."""
    # Bytes would be taken for the path of a file.
    await connection.copy_to_table(table, source=memoryview(rows), columns=columns, format="binary")


def _cut(connection: Connection) -> None:
    # One that was lost is the pool's again already.
    with suppress(InterfaceError):
        connection.terminate()


class _Deadline:
    """Cuts a connection at a time. Not a cancellation: whoever is cancelled rolls back, and waits for that."""

    def __init__(self, connection: Connection, ends: float) -> None:
        self.passed = False
        self._connection = connection
        self._timer = asyncio.get_running_loop().call_at(ends, self.cut)

    def cut(self) -> None:
        """Cut it now."""
        self.passed = True
        _cut(self._connection)

    def lift(self) -> None:
        """It is over in time."""
        self._timer.cancel()


async def _prepare(connection: Any) -> None:  # noqa: ANN401 - asyncpg's own
    await connection.set_type_codec(
        "timestamptz", schema="pg_catalog", format="tuple", encoder=_encode_time, decoder=_decode_time
    )


async def _prepare_own(connection: Any) -> None:  # noqa: ANN401 - asyncpg's own
    await _prepare(connection)
    if connection.get_server_version().major >= _CHECKS_ITS_CLIENT:
        # So that a query ends soon after its connection was cut, as nobody waits for its answer any more.
        await connection.execute("SET client_connection_check_interval = 500")


def _encode_time(milliseconds: int) -> tuple[int]:
    return ((milliseconds - EPOCH_2000) * 1_000,)


def _decode_time(microseconds: tuple[int]) -> int:
    return microseconds[0] // 1_000 + EPOCH_2000


def _unavailable(problem: BaseException, seconds: float) -> StoreUnavailable | None:
    if isinstance(problem, TimeoutError):
        return TimedOut(f"the database did not answer within {seconds:g} s")
    if isinstance(problem, PostgresError):
        state = str(getattr(problem, "sqlstate", ""))
        if state[:2] in _PASSING_CLASSES or state in _PASSING_STATES:
            return StoreUnavailable(f"{type(problem).__name__}: {problem}")
        return None
    if isinstance(problem, _OF_THE_CONNECTION):
        return StoreUnavailable(f"the connection to the database was lost: {problem}")
    return None
