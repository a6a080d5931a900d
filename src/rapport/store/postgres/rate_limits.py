"""Counts of requests in PostgreSQL, so that all servers count together."""

from rapport.instant import DAY, SECOND, Instant
from rapport.store.postgres.engine import Engine
from rapport.store.postgres.queries import SQL
from rapport.store.postgres.writer import WRITE_TIMEOUT
from rapport.store.rate_limits import RequestCount


class PostgresRateLimits:
    """Counts requests in the database."""

    def __init__(self, engine: Engine) -> None:
        self._pool = engine.writing

    async def count_request(self, client_id: str, now: Instant, max_per_second: int) -> RequestCount:
        """Count a request of the client."""
        query = SQL["rate_limits"]["count_request"]
        async with self._pool.acquire(WRITE_TIMEOUT, client_id) as connection:
            row = await connection.fetchrow(query, client_id, now // SECOND, now // DAY, max_per_second)
            return RequestCount(*row)
