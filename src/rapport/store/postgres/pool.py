"""A pool of connections with deadlines, whose errors are translated."""

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
from rapport.store.fair_semaphore import FairSemaphore
from rapport.store.postgres.setup import check_version, describe_connecting, explain

Connection: TypeAlias = PoolConnectionProxy

_CONNECT_TIMEOUT: Final = 5.0
_MAX_IDLE: Final = 300.0
_MAX_WAITING: Final = 1_000
_RETRY_AFTER: Final = 1
SHARED: Final = ""
"""The turn of work for several accounts: no account has this id."""
_CHECKS_CLIENT_CONNECTION: Final = 14
"""The first version of PostgreSQL that checks during a query whether its client is still connected."""
EPOCH_2000: Final = 946_684_800_000
"""The database's epoch in milliseconds since 1970. It counts microseconds since 2000."""
_START_OF_CURSORS: Final = 2**63 - 1
"""The time of cursors that precede all rows, newest first."""
_LATEST_TIME: Final = 9_224_318_015_999_999
"""The latest time that a timestamptz can have, in milliseconds since 1970."""

_SETTINGS: Final = {
    "application_name": "rapport",
    # On a cluster: writes to several shards happen in the same order in all transactions.
    "citus.multi_shard_modify_mode": "sequential",
    # Otherwise a cluster scans all tables of the catalog, for seconds, when the driver looks up an array type.
    "citus.override_table_visibility": "off",
}

# Errors that are temporary, or that an administrator has to fix, by SQLSTATE: nothing else is reliable in the errors of
# a cluster.
_OPERATIONAL_CLASSES: Final = ("08", "28", "40", "53", "57", "58")
_OPERATIONAL_STATES: Final = frozenset({"25006", "3D000", "55006", "55P03", "XX000"})
_CONNECTION_ERRORS: Final = (InterfaceError, InternalClientError, OSError, EOFError)


class TimedOut(StoreUnavailable):
    """The database did not respond in time."""


class _Connection(_BaseConnection):
    """A connection that isn't reset between two uses, as its state never changes. That saves a round trip."""

    def get_reset_query(self) -> str:
        return ""


class Reach(Enum):
    """The contacts that a call reads or writes, if they aren't listed."""

    ALL = 0
    """All contacts, or something that every node of a cluster has."""
    MAYBE_ALL = 1
    """The same, unless the call turns out not to need them."""


Contacts: TypeAlias = Sequence[bytes] | Reach
"""The keys of the contacts that a call reads or writes."""


class Call(Protocol):
    """A running call."""

    def connected(self, terminate: Callable[[], None]) -> None:
        """Register how to terminate the call's connection. Raises StoreUnavailable if the call can't succeed."""


class CircuitBreaker(Protocol):
    """Watches calls to a cluster, of which some can't succeed while others can."""

    async def begin(self, contacts: Contacts) -> Any:  # noqa: ANN401 - a Call, which `end` takes
        """Register a call. Raises StoreUnavailable if it can't succeed."""

    def end(self, call: Any) -> None:  # noqa: ANN401 - the same
        """Unregister a call."""


class Pool:
    """A fixed number of connections of one worker."""

    circuit_breaker: CircuitBreaker | None = None
    """Watches the calls that name contacts."""

    def __init__(self, url: str, size: int, *, use_pgbouncer: bool) -> None:
        self._url = url
        self._size = size
        self._use_pgbouncer = use_pgbouncer
        self._pool: asyncpg.Pool | None = None
        # A quarter, and at least one, is left for other accounts.
        self._semaphore = FairSemaphore(size, _MAX_WAITING, max_per_account=max(1, size - max(1, size // 4)))
        self._acquired: set[Connection] = set()

    async def open(self) -> None:
        """Connect once to check that the database is available. Raises StoreUnavailable."""
        try:
            self._pool = await asyncpg.create_pool(
                self._url,
                min_size=1,
                max_size=self._size,
                timeout=_CONNECT_TIMEOUT,
                max_inactive_connection_lifetime=_MAX_IDLE,
                connection_class=_Connection,
                init=_prepare if self._use_pgbouncer else _prepare_direct,
                # PgBouncer uses another connection for every transaction, without prepared statements.
                statement_cache_size=0 if self._use_pgbouncer else 100,
                server_settings={} if self._use_pgbouncer else _SETTINGS,
            )
        except (PostgresError, *_CONNECTION_ERRORS) as exc:
            raise StoreUnavailable(f"the database can't be reached: {describe_connecting(exc)}") from exc
        except (ValueError, OverflowError, InterfaceError) as exc:
            raise StoreUnavailable(f"the database's URL can't be used: {exc}") from exc
        async with self.acquire(_CONNECT_TIMEOUT) as connection:
            version = connection.get_server_version()
        unsupported = check_version(version.major, f"{version.major}.{version.minor}")
        if unsupported is not None:
            raise StoreUnavailable(unsupported)

    async def close(self) -> None:
        """Close all connections, and terminate those that hang."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT):
                await pool.close()
        except TimeoutError:
            pool.terminate()

    def stop(self) -> None:
        """Refuse callers that wait for a connection, and terminate the acquired connections."""
        self._semaphore.close()
        for connection in list(self._acquired):
            _terminate(connection)

    @asynccontextmanager
    async def acquire(
        self,
        timeout: float,  # noqa: ASYNC109 - includes the wait for a turn, which is reported differently
        account_id: str = SHARED,
        contacts: Contacts = (),
    ) -> AsyncIterator[Connection]:
        """Acquire a connection, in the turn of the account, for `timeout` seconds including the wait.

        `contacts` are those that the caller reads or writes. At the deadline the connection is terminated: a cluster
        whose node hangs doesn't respond to a cancellation. Raises StoreUnavailable for operational errors.
        """
        if self._pool is None:
            raise StoreUnavailable("the store is not open")
        deadline = asyncio.get_running_loop().time() + timeout
        breaker = self.circuit_breaker if contacts else None
        call: Call | None = None if breaker is None else await breaker.begin(contacts)
        try:
            try:
                async with asyncio.timeout_at(deadline):
                    await self._semaphore.acquire(account_id)
            except TimeoutError as exc:
                raise StoreBusy(_RETRY_AFTER) from exc
            try:
                with CancelledByDisconnect():
                    async with self._connection(deadline, timeout, call) as connection:
                        yield connection
            finally:
                self._semaphore.release(account_id)
        finally:
            if breaker is not None:
                breaker.end(call)

    @asynccontextmanager
    async def _connection(self, deadline: float, seconds: float, call: Call | None) -> AsyncIterator[Connection]:
        if self._pool is None:
            raise StoreUnavailable("the store is not open")
        try:
            async with asyncio.timeout_at(deadline):
                connection: Connection = await self._pool.acquire()
        except PostgresError as exc:
            raise StoreUnavailable(f"the database can't be reached: {describe_connecting(exc)}") from exc
        except (TimeoutError, *_CONNECTION_ERRORS) as exc:
            raise _unavailable(exc, seconds) or exc from exc
        timer = _Timer(connection, deadline)
        self._acquired.add(connection)
        try:
            if call is not None:
                call.connected(timer.terminate)
            if self._use_pgbouncer:
                async with connection.transaction():
                    yield connection
            else:
                yield connection
        except BaseException as exc:
            if not isinstance(exc, PostgresError | StoreUnavailable):
                # The connection may be in the middle of something.
                _terminate(connection)
            unavailable = _unavailable(TimeoutError() if timer.has_expired else exc, seconds)
            if isinstance(exc, PostgresError) and not timer.has_expired:
                explanation = await explain(connection, exc)
                unavailable = unavailable if explanation is None else StoreUnavailable(explanation)
            if unavailable is not None:
                raise unavailable from exc
            raise
        finally:
            timer.cancel()
            self._acquired.discard(connection)
            await self._pool.release(connection)


async def connect(url: str, *, use_pgbouncer: bool) -> Connection:
    """Open a connection outside of a pool. Raises StoreUnavailable."""
    try:
        connection: Connection = await asyncpg.connect(
            url,
            timeout=_CONNECT_TIMEOUT,
            statement_cache_size=0 if use_pgbouncer else 100,
            server_settings={} if use_pgbouncer else _SETTINGS,
        )
        return connection  # noqa: TRY300 - can't fail
    except (TimeoutError, PostgresError, *_CONNECTION_ERRORS) as exc:
        raise StoreUnavailable(f"the database can't be reached: {exc}") from exc


async def copy(connection: Connection, table: str, columns: Sequence[str], rows: bytes) -> None:
    """Copy rows that `rapport.store.postgres.binary` has encoded to a table."""
    # asyncpg takes bytes for the path of a file.
    await connection.copy_to_table(table, source=memoryview(rows), columns=columns, format="binary")


def _terminate(connection: Connection) -> None:
    # A lost connection has returned to the pool already.
    with suppress(InterfaceError):
        connection.terminate()


class _Timer:
    """Terminates a connection at a deadline. A cancelled caller would roll back, and wait for that."""

    def __init__(self, connection: Connection, deadline: float) -> None:
        self.has_expired = False
        self._connection = connection
        self._timer = asyncio.get_running_loop().call_at(deadline, self.terminate)

    def terminate(self) -> None:
        """Terminate the connection now."""
        self.has_expired = True
        _terminate(self._connection)

    def cancel(self) -> None:
        """Cancel the timer."""
        self._timer.cancel()


async def _prepare(connection: Any) -> None:  # noqa: ANN401 - asyncpg's own
    await connection.set_type_codec(
        "timestamptz", schema="pg_catalog", format="tuple", encoder=_encode_time, decoder=_decode_time
    )


async def _prepare_direct(connection: Any) -> None:  # noqa: ANN401 - asyncpg's own
    await _prepare(connection)
    if connection.get_server_version().major >= _CHECKS_CLIENT_CONNECTION:
        # A query ends soon after its connection was terminated.
        await connection.execute("SET client_connection_check_interval = 500")


def _encode_time(milliseconds: int) -> tuple[int]:
    if _LATEST_TIME < milliseconds <= _START_OF_CURSORS:
        milliseconds = _LATEST_TIME
    return ((milliseconds - EPOCH_2000) * 1_000,)


def _decode_time(microseconds: tuple[int]) -> int:
    return microseconds[0] // 1_000 + EPOCH_2000


def _unavailable(exc: BaseException, seconds: float) -> StoreUnavailable | None:
    if isinstance(exc, TimeoutError):
        return TimedOut(f"the database did not respond within {seconds:g} s")
    if isinstance(exc, PostgresError):
        state = str(getattr(exc, "sqlstate", ""))
        if state[:2] in _OPERATIONAL_CLASSES or state in _OPERATIONAL_STATES:
            return StoreUnavailable(f"{type(exc).__name__}: {exc}")
        return None
    if isinstance(exc, _CONNECTION_ERRORS):
        return StoreUnavailable(f"the connection to the database was lost: {exc}")
    return None
