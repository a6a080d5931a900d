"""Counts of requests, for rate limits."""

from typing import NamedTuple, Protocol

from rapport.instant import Instant


class RequestCount(NamedTuple):
    """The number of requests of a client in the current second and day, including this one."""

    in_second: int
    in_day: int


class RateLimitRepository(Protocol):
    """Counts requests across all servers that share a store."""

    async def count_request(self, client_id: str, now: Instant, max_per_second: int) -> RequestCount:
        """Count a request of the client. Raises StoreUnavailable.

        Requests beyond `max_per_second` in a second don't add to the day's count.
        """
        ...
