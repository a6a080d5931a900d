"""Rate limits. Requests are counted per client id, as Constant Contact counts per application.

See docs/compatibility.md#rate-limits.
"""

import time
from typing import Final, NamedTuple, Protocol

from rapport.errors import QuotaExceeded, Throttled
from rapport.instant import DAY, SECOND, Instant
from rapport.settings import Limits
from rapport.store.rate_limits import RateLimitRepository

GENEROUS_RATE_PER_SECOND: Final = 1_000
VENDOR_RATE_PER_SECOND: Final = 4
VENDOR_DAILY_QUOTA: Final = 10_000

_MAX_CACHED: Final = 10_000


class Quota(NamedTuple):
    """The requests a client may make in a day, how many of them are left, and the seconds until the day ends."""

    limit: int
    remaining: int
    reset: int


class RateLimiter(Protocol):
    """Limits how often a client may send requests."""

    async def acquire(self, client_id: str) -> Quota | None:
        """Count a request of the client and return its remaining quota, if there is an exact one.

        Raises Throttled or QuotaExceeded if it is above the limit.
        """


class NoRateLimiter:
    """Accepts every request."""

    async def acquire(self, client_id: str) -> None:
        """Accept the request."""


class GenerousRateLimiter:
    """Allows a fixed rate per client and worker, with bursts of one second's worth: a guard against runaway clients."""

    def __init__(self, per_second: int = GENEROUS_RATE_PER_SECOND) -> None:
        self._per_second = per_second
        self._free_at: dict[str, float] = {}

    async def acquire(self, client_id: str) -> None:
        """Reserve the request's share of a second. Raises Throttled for a client that is a second ahead."""
        now = time.monotonic()
        free_at = max(self._free_at.get(client_id, now), now) + 1 / self._per_second
        if free_at > now + 1:
            raise Throttled(retry_after=1)
        if len(self._free_at) >= _MAX_CACHED:
            self._free_at.clear()
        self._free_at[client_id] = free_at


class VendorRateLimiter:
    """Constant Contact's own limits, shared by all workers and servers that use the store."""

    def __init__(self, repository: RateLimitRepository) -> None:
        self._repository = repository

    async def acquire(self, client_id: str) -> Quota:
        """Count the request in the store. Raises Throttled for this second, QuotaExceeded until midnight UTC."""
        now = Instant(time.time_ns() // 1_000_000)
        count = await self._repository.count_request(client_id, now, VENDOR_RATE_PER_SECOND)
        reset = (DAY - now % DAY) // SECOND + 1
        if count.in_second > VENDOR_RATE_PER_SECOND:
            raise Throttled(retry_after=1, limit=VENDOR_RATE_PER_SECOND)
        if count.in_day > VENDOR_DAILY_QUOTA:
            raise QuotaExceeded(retry_after=reset, limit=VENDOR_DAILY_QUOTA)
        return Quota(VENDOR_DAILY_QUOTA, VENDOR_DAILY_QUOTA - count.in_day, reset)


def create_rate_limiter(limits: Limits, repository: RateLimitRepository) -> RateLimiter:
    """Return the rate limiter for the setting `limits`."""
    if limits is Limits.OFF:
        return NoRateLimiter()
    if limits is Limits.CONSTANT_CONTACT:
        return VendorRateLimiter(repository)
    return GenerousRateLimiter()
