"""Fair queueing of accounts."""

import asyncio

import pytest

from rapport.errors import StoreBusy
from rapport.store.turns import Turns


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_accounts_take_turns() -> None:
    async with asyncio.timeout(20):
        turns = Turns(1, 100)
        order: list[str] = []

        async def use(account_id: str) -> None:
            await turns.take(account_id)
            order.append(account_id)
            await asyncio.sleep(0)
            turns.release(account_id)

        async with asyncio.TaskGroup() as group:
            for account_id in ["a"] * 6 + ["b"] * 3 + ["c"]:
                group.create_task(use(account_id))
        assert order.index("b") <= 2
        assert order.index("c") <= 3
        assert sorted(order) == sorted(["a"] * 6 + ["b"] * 3 + ["c"])


async def test_account_never_holds_last_slot() -> None:
    async with asyncio.timeout(20):
        turns = Turns(3, 100, for_one=2)
        await turns.take("a")
        await turns.take("a")
        third = asyncio.create_task(turns.take("a"))
        await settle()
        assert not third.done()
        await turns.take("b")
        turns.release("a")
        await third
        turns.release("b")


async def test_account_fills_at_most_half_of_queue() -> None:
    async with asyncio.timeout(20):
        turns = Turns(1, 10)
        await turns.take("a")
        waiting = [asyncio.create_task(turns.take("a")) for _ in range(5)]
        await settle()
        with pytest.raises(StoreBusy):
            await turns.take("a")
        other = asyncio.create_task(turns.take("b"))
        await settle()
        assert not other.done()
        turns.release("a")
        await settle()
        turns.release("a")
        await other
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_cancelled_wait_leaves_queue_without_losing_slot() -> None:
    async with asyncio.timeout(20):
        turns = Turns(1, 4)
        for moment in range(50):
            await turns.take("a")
            first, second = asyncio.create_task(turns.take("b")), asyncio.create_task(turns.take("b"))
            await settle()
            if moment % 3 == 0:
                first.cancel()
                turns.release("a")
            elif moment % 3 == 1:
                turns.release("a")
                first.cancel()
            else:
                first.cancel()
                await settle()
                turns.release("a")
            await asyncio.gather(first, return_exceptions=True)
            if not first.cancelled():
                turns.release("b")
            await second
            turns.release("b")


async def test_close_rejects_waiting_and_later_requests() -> None:
    async with asyncio.timeout(20):
        turns = Turns(1, 10)
        await turns.take("a")
        waiting = [asyncio.create_task(turns.take(account_id)) for account_id in "aabc"]
        await settle()
        turns.close()
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {StoreBusy}
        turns.release("a")
        with pytest.raises(StoreBusy):
            await turns.take("d")
