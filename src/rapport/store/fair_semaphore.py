"""A semaphore that accounts use in turn, so that none of them waits for all requests of another one."""

import asyncio
from collections import Counter, deque
from typing import Final

from rapport.disconnects import CancelledByDisconnect
from rapport.errors import StoreBusy

_RETRY_AFTER: Final = 1


class FairSemaphore:
    """Slots for work on behalf of accounts, and a queue for each account that has to wait.

    An account never holds the last slots, so that another one needn't wait for its slow work (`max_per_account`). It
    may queue work as long as more of the queue is free than it uses: a single account can use half of it.
    """

    def __init__(self, slots: int, max_waiting: int, *, max_per_account: int | None = None) -> None:
        """Create free slots. `max_per_account` is the number of slots that one account may hold; None for all."""
        self._free = slots
        self._max_per_account = slots if max_per_account is None else max_per_account
        self._max_waiting = max_waiting
        self._held = Counter[str]()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._waiting_count = 0
        self._is_closed = False

    async def acquire(self, account_id: str) -> None:
        """Wait for a slot, and hold it until `release`. Raises StoreBusy."""
        if self._is_closed:
            raise StoreBusy(_RETRY_AFTER)
        if self._free and account_id not in self._waiting and self._held[account_id] < self._max_per_account:
            self._hold(account_id)
            return
        queue = self._waiting.get(account_id, ())
        if len(queue) >= self._max_waiting - self._waiting_count:
            raise StoreBusy(_RETRY_AFTER)
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(account_id, deque()).append(granted)
        self._waiting_count += 1
        try:
            with CancelledByDisconnect():
                await granted
        except BaseException:
            if granted.done() and not granted.cancelled() and granted.exception() is None:
                # Cancelled just as it got its slot.
                self.release(account_id)
            else:
                self._leave(account_id, granted)
            raise

    def release(self, account_id: str) -> None:
        """Release a slot, and give it to the next account."""
        self._free += 1
        self._held[account_id] -= 1
        if not self._held[account_id]:
            del self._held[account_id]
        self._grant()

    def close(self) -> None:
        """Refuse all waiting requests, and all later ones."""
        self._is_closed = True
        for queue in self._waiting.values():
            for granted in queue:
                if not granted.done():
                    granted.set_exception(StoreBusy(_RETRY_AFTER))

    def _hold(self, account_id: str) -> None:
        self._free -= 1
        self._held[account_id] += 1

    def _grant(self) -> None:
        for account_id in list(self._waiting):
            if not self._free:
                return
            if self._held[account_id] < self._max_per_account:
                self._grant_one(account_id)

    def _grant_one(self, account_id: str) -> None:
        queue = self._waiting.pop(account_id)
        while queue:
            granted = queue.popleft()
            self._waiting_count -= 1
            if not granted.done():
                self._hold(account_id)
                granted.set_result(None)
                break
        if queue:
            # To the end of the queue.
            self._waiting[account_id] = queue

    def _leave(self, account_id: str, granted: asyncio.Future[None]) -> None:
        queue = self._waiting.get(account_id)
        if queue is not None and granted in queue:
            queue.remove(granted)
            self._waiting_count -= 1
            if not queue:
                del self._waiting[account_id]
