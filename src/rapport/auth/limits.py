"""How often a client may ask. Counted by client id, as the vendor counts by application.

See docs/compatibility.md#rate-limits.
"""

import time
from typing import Final, NamedTuple, Protocol

from rapport.errors import QuotaExceeded, Throttled
from rapport.instant import DAY, SECOND, Instant
from rapport.settings import Limits
from rapport.store.rate_limits import RateLimitRepository

GENEROUS_A_SECOND: Final = 1_000
VENDOR_A_SECOND: Final = 4
VENDOR_A_DAY: Final = 10_000

_MOST_REMEMBERED: Final = 10_000


class Quota(NamedTuple):
    """How many requests a client may make in a day, how many of them are left, and in how many seconds the day ends."""

    limit: int
    remaining: int
    reset: int


class Limiter(Protocol):
    """Lets a client's request through, or not."""

    async def admit(self, client_id: str) -> Quota | None:
        """Return if the client may ask now, with what is left if that is counted exactly.

        Raises Throttled and QuotaExceeded.
        """


class NoLimiter:
    """Lets everything through."""

    async def admit(self, client_id: str) -> None:
        """Return."""


class GenerousLimiter:
    """So many a second, for each client and worker, with bursts of a second's worth: against runaways only."""

    def __init__(self, a_second: int = GENEROUS_A_SECOND) -> None:
        self._a_second = a_second
        self._free_at: dict[str, float] = {}

    async def admit(self, client_id: str) -> None:
        """Return, or raise Throttled. Each request books its share of a second; who is a second ahead waits."""
        now = time.monotonic()
        free_at = max(self._free_at.get(client_id, now), now) + 1 / self._a_second
        if free_at > now + 1:
            raise Throttled(retry_after=1)
        if len(self._free_at) >= _MOST_REMEMBERED:
            self._free_at.clear()
        self._free_at[client_id] = free_at


class VendorLimiter:
    """The vendor's own limits to the letter, over all workers and servers at one store."""

    def __init__(self, repository: RateLimitRepository) -> None:
        self._repository = repository

    async def admit(self, client_id: str) -> Quota:
        """Return, or raise Throttled within a second of too many, QuotaExceeded until midnight in UTC."""
        now = Instant(time.time_ns() // 1_000_000)
        count = await self._repository.count_request(client_id, now, VENDOR_A_SECOND)
        reset = (DAY - now % DAY) // SECOND + 1
        if count.in_second > VENDOR_A_SECOND:
            raise Throttled(retry_after=1, limit=VENDOR_A_SECOND)
        if count.in_day > VENDOR_A_DAY:
            raise QuotaExceeded(retry_after=reset, limit=VENDOR_A_DAY)
        return Quota(VENDOR_A_DAY, VENDOR_A_DAY - count.in_day, reset)


def limiter_for(limits: Limits, repository: RateLimitRepository) -> Limiter:
    """The limiter that the setting names."""
    if limits is Limits.OFF:
        return NoLimiter()
    if limits is Limits.CONSTANT_CONTACT:
        return VendorLimiter(repository)
    return GenerousLimiter()
