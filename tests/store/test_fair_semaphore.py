"""Fair queueing of accounts."""

import asyncio

import pytest

from rapport.errors import StoreBusy
from rapport.store.fair_semaphore import FairSemaphore


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_accounts_take_turns() -> None:
    async with asyncio.timeout(20):
        semaphore = FairSemaphore(1, 100)
        order: list[str] = []

        async def use(account_id: str) -> None:
            await semaphore.acquire(account_id)
            order.append(account_id)
            await asyncio.sleep(0)
            semaphore.release(account_id)

        async with asyncio.TaskGroup() as group:
            for account_id in ["a"] * 6 + ["b"] * 3 + ["c"]:
                group.create_task(use(account_id))
        assert order.index("b") <= 2
        assert order.index("c") <= 3
        assert sorted(order) == sorted(["a"] * 6 + ["b"] * 3 + ["c"])


async def test_account_never_holds_last_slot() -> None:
    async with asyncio.timeout(20):
        semaphore = FairSemaphore(3, 100, max_per_account=2)
        await semaphore.acquire("a")
        await semaphore.acquire("a")
        third = asyncio.create_task(semaphore.acquire("a"))
        await settle()
        assert not third.done()
        await semaphore.acquire("b")
        semaphore.release("a")
        await third
        semaphore.release("b")


async def test_account_fills_at_most_half_of_queue() -> None:
    async with asyncio.timeout(20):
        semaphore = FairSemaphore(1, 10)
        await semaphore.acquire("a")
        waiting = [asyncio.create_task(semaphore.acquire("a")) for _ in range(5)]
        await settle()
        with pytest.raises(StoreBusy):
            await semaphore.acquire("a")
        other = asyncio.create_task(semaphore.acquire("b"))
        await settle()
        assert not other.done()
        semaphore.release("a")
        await settle()
        semaphore.release("a")
        await other
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_cancelled_wait_leaves_queue_without_losing_slot() -> None:
    async with asyncio.timeout(20):
        semaphore = FairSemaphore(1, 4)
        for moment in range(50):
            await semaphore.acquire("a")
            first, second = asyncio.create_task(semaphore.acquire("b")), asyncio.create_task(semaphore.acquire("b"))
            await settle()
            if moment % 3 == 0:
                first.cancel()
                semaphore.release("a")
            elif moment % 3 == 1:
                semaphore.release("a")
                first.cancel()
            else:
                first.cancel()
                await settle()
                semaphore.release("a")
            await asyncio.gather(first, return_exceptions=True)
            if not first.cancelled():
                semaphore.release("b")
            await second
            semaphore.release("b")


async def test_close_rejects_waiting_and_later_requests() -> None:
    async with asyncio.timeout(20):
        semaphore = FairSemaphore(1, 10)
        await semaphore.acquire("a")
        waiting = [asyncio.create_task(semaphore.acquire(account_id)) for account_id in "aabc"]
        await settle()
        semaphore.close()
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {StoreBusy}
        semaphore.release("a")
        with pytest.raises(StoreBusy):
            await semaphore.acquire("d")
