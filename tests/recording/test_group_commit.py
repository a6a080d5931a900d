"""Group commits: groups, bounds, slow and failing disks."""

import asyncio
from collections.abc import Sequence
from contextvars import ContextVar

import pytest

from rapport.activity import Activity, ActivityType
from rapport.errors import RecorderBusy, StoreUnavailable
from rapport.instant import Instant
from rapport.recording.group_commit import MAX_GROUP_SIZE, GroupCommitter
from rapport.settings import Settings
from rapport.store.batch import Batch, Part, build_batch
from rapport.store.engines import create_store, open_store
from rapport.store.ingest import Recorded
from tests.helpers.activities import NOON


def make_numbered_activity(number: int) -> Activity:
    return Activity(
        contact_id="c", campaign_activity_id="m", type=ActivityType.EM_OPENS, created_time=Instant(NOON + number)
    )


class SlowDisk:
    """A real store, whose commits wait for an event and may fail."""

    def __init__(self, data: str) -> None:
        self._store = create_store(Settings(data=data))
        self.go = asyncio.Event()
        self.groups: list[list[int]] = []
        self.failure: Exception | None = None

    async def open(self) -> None:
        await self._store.open()

    async def close(self) -> None:
        await self._store.close()

    async def partition(self, batch: Batch) -> Sequence[Part]:
        return [(None, batch)]

    async def record(self, batches: Sequence[Batch]) -> list[Recorded]:
        self.groups.append([batch.size for batch in batches])
        await self.go.wait()
        if self.failure is not None and any(batch.account_id == "bad" for batch in batches):
            raise self.failure
        return await self._store.ingest.record(batches)


class DividedStore(SlowDisk):
    """A sharded store; batches with odd counts wait for an event or fail."""

    async def partition(self, batch: Batch) -> Sequence[Part]:
        activities = {parity: [] for parity in (0, 1)}
        for _, time, *_ in batch.rows[ActivityType.EM_OPENS]:
            activities[time % 2].append(make_numbered_activity(time - NOON))
        return [(parity, build_batch(batch.account_id, some)) for parity, some in activities.items() if some]

    async def record(self, batches: Sequence[Batch]) -> list[Recorded]:
        if any(row[1] % 2 for batch in batches for rows in batch.rows.values() for row in rows):
            return await super().record(batches)
        return await self._store.ingest.record(batches)


async def run_committer(location: str, most_waiting: int = 100_000) -> tuple[SlowDisk, GroupCommitter]:
    return await start(SlowDisk(location), most_waiting)


async def start(disk: SlowDisk, most_waiting: int = 100_000) -> tuple[SlowDisk, GroupCommitter]:
    await disk.open()
    recorder = GroupCommitter(disk, most_waiting)  # type: ignore[arg-type]
    recorder.start()
    return disk, recorder


async def send(recorder: GroupCommitter, *numbers: int, account: str = "a") -> "asyncio.Task[Recorded]":
    task = asyncio.create_task(recorder.record(build_batch(account, map(make_numbered_activity, numbers))))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return task


async def test_batches_arriving_during_commit_form_next_group(location: str) -> None:
    disk, recorder = await run_committer(location)
    tasks = [await send(recorder, number) for number in range(20)]
    assert disk.groups == [[1]]
    disk.go.set()
    outcomes = await asyncio.gather(*tasks)
    assert disk.groups == [[1], [1] * 19]
    assert all(outcome.duplicate == 0 for outcome in outcomes)
    await recorder.stop()
    await disk.close()


async def test_group_size_is_bounded(location: str) -> None:
    disk, recorder = await run_committer(location)
    half = MAX_GROUP_SIZE // 2 + 1
    tasks = [await send(recorder, *range(first, first + half)) for first in (0, half, 2 * half)]
    disk.go.set()
    await asyncio.gather(*tasks)
    assert disk.groups == [[half]] * 3
    await recorder.stop()
    await disk.close()


async def test_full_queue_rejects_batches_with_retry_after(location: str) -> None:
    disk, recorder = await run_committer(location, most_waiting=5)
    first = await send(recorder, 0)
    second = await send(recorder, 1, 2, 3, 4)
    with pytest.raises(RecorderBusy) as busy:
        await recorder.record(build_batch("a", [make_numbered_activity(5)]))
    assert busy.value.retry_after > 0
    disk.go.set()
    await asyncio.gather(first, second)
    assert (await recorder.record(build_batch("a", [make_numbered_activity(5)]))).duplicate == 0
    await recorder.stop()
    await disk.close()


async def test_oversized_batch_is_accepted_when_queue_is_empty(location: str) -> None:
    disk, recorder = await run_committer(location, most_waiting=5)
    disk.go.set()
    assert (
        sum((await recorder.record(build_batch("a", map(make_numbered_activity, range(20))))).accepted.values()) == 20
    )
    await recorder.stop()
    await disk.close()


async def test_failed_commit_is_reported_to_all_waiters_and_committer_continues(location: str) -> None:
    disk, recorder = await run_committer(location)
    disk.failure = StoreUnavailable("disk full")
    first = await send(recorder, 0, account="bad")
    second = await send(recorder, 1, account="bad")
    disk.go.set()
    outcomes = await asyncio.gather(first, second, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [StoreUnavailable] * 2
    disk.failure = None
    assert (
        await recorder.record(build_batch("bad", [make_numbered_activity(0), make_numbered_activity(1)]))
    ).duplicate == 0
    await recorder.stop()
    await disk.close()


async def test_failing_batch_does_not_fail_others_in_group(location: str) -> None:
    disk, recorder = await run_committer(location)
    first = await send(recorder, 0)
    others = [await send(recorder, 1), await send(recorder, 2, account="bad"), await send(recorder, 3)]
    disk.failure = ValueError("a defect of ours")
    disk.go.set()
    assert (await first).duplicate == 0
    outcomes = await asyncio.gather(*others, return_exceptions=True)
    assert [isinstance(outcome, Recorded) for outcome in outcomes] == [True, False, True]
    await recorder.stop()
    await disk.close()


async def test_shutdown_commits_queued_batches(location: str) -> None:
    disk, recorder = await run_committer(location)
    tasks = [await send(recorder, number) for number in range(5)]
    stopping = asyncio.create_task(recorder.stop())
    await asyncio.sleep(0)
    with pytest.raises(RecorderBusy):
        await recorder.record(build_batch("a", [make_numbered_activity(9)]))
    disk.go.set()
    await stopping
    assert all(task.done() and not task.exception() for task in tasks)
    await disk.close()
    async with open_store(Settings(data=location)) as store:
        assert len([activity async for activity in store.activities.iterate("a", "c")]) == 5


async def test_cancelled_sender_does_not_affect_group(location: str) -> None:
    disk, recorder = await run_committer(location)
    gone, stays = await send(recorder, 0), await send(recorder, 1)
    gone.cancel()
    disk.go.set()
    assert (await stays).duplicate == 0
    assert (await recorder.record(build_batch("a", [make_numbered_activity(0)]))).duplicate == 1
    await recorder.stop()
    await disk.close()


@pytest.mark.parametrize("fails", [False, True])
async def test_shards_are_committed_independently(location: str, *, fails: bool) -> None:
    store, recorder = await start(DividedStore(location), 10)
    odd = [await send(recorder, number, account="bad") for number in (1, 3, 5)]
    mixed = await send(recorder, 6, 7, 8, account="bad")
    for number in range(0, 400, 2):
        # Batches waiting for one shard don't fill the queue of another.
        assert (await recorder.record(build_batch("a", [make_numbered_activity(number)]))).accepted == {
            ActivityType.EM_OPENS: 1
        }
    assert not any(task.done() for task in (*odd, mixed))
    store.failure = StoreUnavailable("gone") if fails else None
    store.go.set()
    outcomes = await asyncio.gather(*odd, mixed, return_exceptions=True)
    if fails:
        assert [type(outcome) for outcome in outcomes] == [StoreUnavailable] * 4
        store.failure = None
    else:
        assert outcomes[-1] == Recorded(accepted={ActivityType.EM_OPENS: 3}, duplicate=0)
    again = await recorder.record(build_batch("bad", map(make_numbered_activity, (6, 7, 8))))
    assert again.duplicate == (2 if fails else 3)
    await recorder.stop()
    await store.close()


async def test_commits_run_outside_request_context(location: str) -> None:
    """Otherwise, the first sender would cancel all later commits by disconnecting."""
    request = ContextVar("request", default="none")
    seen: list[str] = []

    class Observed(SlowDisk):
        async def record(self, batches: Sequence[Batch]) -> list[Recorded]:
            seen.append(request.get())
            return await self._store.ingest.record(batches)

    disk, recorder = await start(Observed(location))
    request.set("first")
    await recorder.record(build_batch("a", [make_numbered_activity(1)]))
    await recorder.stop()
    await disk.close()
    assert seen == ["none"]
