"""Counts of requests in SQLite, so that all workers count together."""

import apsw

from rapport.instant import DAY, SECOND, Instant
from rapport.store.rate_limits import RequestCount
from rapport.store.sqlite.connection import Values, fetch_all
from rapport.store.sqlite.engine import Engine
from rapport.store.sqlite.queries import SQL


class SQLiteRateLimits:
    """Counts requests in the database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def count_request(self, client_id: str, now: Instant, max_per_second: int) -> RequestCount:
        """Count a request of the client."""
        params: Values = {
            "client_id": client_id,
            "second": now // SECOND,
            "day": now // DAY,
            "max_per_second": max_per_second,
        }

        def count(connection: apsw.Connection) -> RequestCount:
            ((in_second, in_day),) = fetch_all(connection, SQL["rate_limits"]["count_request"], params)
            return RequestCount(in_second, in_day)

        # Without waiting for the disk: a power failure can only lose a count, and let some requests through.
        return await self._engine.write(client_id, count, is_durable=False)
