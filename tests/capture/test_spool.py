"""What was acknowledged is read: after kill -9, on a full disk, with several processes, and however it is read."""

import asyncio
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest

from rapport.capture.errors import SpoolFull, SpoolUnavailable
from rapport.capture.spool import HEADER, SpoolWriter, encode_record, list_segments
from rapport.capture.spool_reader import SpoolReader, read_status
from rapport.instant import Instant
from tests.helpers.loop import run_async

NOW = 1_772_000_000_000
ROOM = 1 << 30


def run(work: Coroutine[object, object, None]) -> None:
    run_async(work)


async def append_all(folder: Path, payloads: list[bytes], max_bytes: int = ROOM) -> None:
    writer = SpoolWriter(folder, max_bytes)
    writer.start()
    try:
        await asyncio.gather(*(writer.append(payload, Instant(NOW + place)) for place, payload in enumerate(payloads)))
    finally:
        await writer.stop()


def read_all(folder: Path, max_entries: int = 100, max_bytes: int = 1 << 20) -> list[bytes]:
    payloads = []
    with SpoolReader(folder) as reader:
        assert reader.try_lock()
        while entries := reader.read(max_entries, max_bytes):
            payloads += [entry.payload for entry in entries]
            reader.commit(entries)
    return payloads


@pytest.mark.slow
def test_records_are_read_once_in_order(tmp_path: Path) -> None:
    rng = random.Random(1)
    payloads = [rng.randbytes(rng.choice([0, 1, 100, 5_000, 2_000_000])) for _ in range(200)]
    run(append_all(tmp_path, payloads))
    assert read_all(tmp_path) == payloads
    assert read_all(tmp_path) == []
    assert list_segments(tmp_path) == []
    assert read_status(tmp_path).waiting_bytes == 0


@pytest.mark.parametrize(("max_entries", "max_bytes"), [(1, 1), (3, 1 << 20), (1_000, 10), (1_000, 1 << 30)])
def test_batch_size_does_not_change_records(tmp_path: Path, max_entries: int, max_bytes: int) -> None:
    payloads = [str(number).encode() * number for number in range(200)]
    run(append_all(tmp_path, payloads))
    assert read_all(tmp_path, max_entries, max_bytes) == payloads


def test_uncommitted_records_are_read_again(tmp_path: Path) -> None:
    payloads = [str(number).encode() for number in range(10)]
    run(append_all(tmp_path, payloads))
    reader = SpoolReader(tmp_path)
    assert reader.try_lock()
    reader.commit(reader.read(3, ROOM))
    assert [entry.payload for entry in reader.read(2, ROOM)] == payloads[3:5]
    reader.rewind()
    assert [entry.payload for entry in reader.read(2, ROOM)] == payloads[3:5]
    reader.close()
    assert read_all(tmp_path) == payloads[3:]


def test_lost_progress_repeats_records(tmp_path: Path) -> None:
    payloads = [str(number).encode() for number in range(10)]
    run(append_all(tmp_path, payloads))
    with SpoolReader(tmp_path) as reader:
        assert reader.try_lock()
        reader.commit(reader.read(3, ROOM))
    for content in (b"", b"{", b'{"x": 1}'):
        (tmp_path / "progress.json").write_bytes(content)
        assert read_status(tmp_path).waiting_bytes == sum(HEADER.size + len(payload) for payload in payloads)
    assert read_all(tmp_path) == payloads


def test_spool_has_one_reader(tmp_path: Path) -> None:
    first, second = SpoolReader(tmp_path), SpoolReader(tmp_path)
    assert first.try_lock()
    assert first.try_lock()
    assert not second.try_lock()
    first.close()
    assert second.try_lock()
    second.close()


def test_records_are_read_while_they_are_written(tmp_path: Path) -> None:
    async def both() -> None:
        writer, reader = SpoolWriter(tmp_path, ROOM), SpoolReader(tmp_path)
        writer.start()
        assert reader.try_lock()
        for number in range(20):
            await writer.append(str(number).encode(), Instant(NOW))
            [entry] = reader.read(100, ROOM)
            assert entry.payload == str(number).encode()
            reader.commit([entry])
            assert reader.read(100, ROOM) == []
            assert len(list_segments(tmp_path)) == 1
        await writer.stop()
        assert reader.read(100, ROOM) == []
        assert list_segments(tmp_path) == []
        reader.close()

    run(both())


def test_old_segments_are_closed_and_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rapport.capture.spool._SEGMENT_SECONDS", 0.05)

    async def write() -> None:
        writer, reader = SpoolWriter(tmp_path, ROOM), SpoolReader(tmp_path)
        writer.start()
        await writer.append(b"secret", Instant(NOW))
        assert reader.try_lock()
        reader.commit(reader.read(10, ROOM))
        async with asyncio.timeout(5):
            while list_segments(tmp_path):
                await asyncio.sleep(0.02)
                assert reader.read(10, ROOM) == []
        await writer.append(b"next", Instant(NOW))
        assert [entry.payload for entry in reader.read(10, ROOM)] == [b"next"]
        reader.close()
        await writer.stop()

    run(write())


def test_clock_set_back_keeps_order(tmp_path: Path) -> None:
    async def write() -> None:
        for part in range(3):
            writer = SpoolWriter(tmp_path, ROOM)
            writer.start()
            for number in range(5):
                await writer.append(f"{part}:{number}".encode(), Instant(NOW - part * 1_000_000 - number * 1_000))
            await writer.stop()

    run(write())
    payloads = [payload.decode() for payload in read_all(tmp_path)]
    for part in range(3):
        assert [payload for payload in payloads if payload.startswith(f"{part}:")] == [f"{part}:{n}" for n in range(5)]
    assert len(payloads) == 15


def test_spool_is_bounded(tmp_path: Path) -> None:
    async def fill() -> None:
        writer = SpoolWriter(tmp_path, 10_000)
        writer.start()
        with pytest.raises(SpoolFull):
            await writer.append(b"x" * 10_001, Instant(NOW))
        for _ in range(9):
            await writer.append(b"x" * 1_000, Instant(NOW))
        with pytest.raises(SpoolFull):
            await writer.append(b"x" * 1_000, Instant(NOW))
        await writer.stop()
        with pytest.raises(SpoolUnavailable):
            await writer.append(b"x", Instant(NOW))

    run(fill())
    assert sum(path.stat().st_size for path in list_segments(tmp_path)) <= 10_000
    assert len(read_all(tmp_path)) == 9


def test_limit_includes_other_processes(tmp_path: Path) -> None:
    run(append_all(tmp_path, [b"x" * 9_000]))
    with pytest.raises(SpoolFull):
        run(append_all(tmp_path, [b"x" * 2_000], max_bytes=10_000))


@pytest.mark.slow
def test_acknowledged_records_survive_sigkill(tmp_path: Path) -> None:
    for attempt in range(3):
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.helpers.spooling", str(tmp_path), "20", "100000"], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(200)]
        time.sleep(0.05 * attempt)
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.read().splitlines()
        process.wait()
        process.stdout.close()
        kept = [line.split()[1] for line in lines if line.startswith(b"kept ") and line.count(b":") == 1]
        # The last line may have been cut off by the kill.
        acknowledged = set(kept[:-1])
        payloads = read_all(tmp_path)
        names = [payload[: len(payload) // 50] for payload in payloads]
        assert acknowledged <= set(names)
        assert len(names) == len(set(names))
        for sender in range(20):
            numbers = [int(name.partition(b":")[2]) for name in names if name.startswith(b"%d:" % sender)]
            assert numbers == list(range(len(numbers)))
        assert list_segments(tmp_path) == []


def test_full_disk_rejects_and_keeps_acknowledged_records(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.helpers.spooling", str(tmp_path), "10", "50", "20000"]
    lines = subprocess.run(command, capture_output=True, check=True).stdout.splitlines()
    kept = {line.split()[1] for line in lines if line.startswith(b"kept ")}
    refused = {line.split()[1] for line in lines if line.startswith(b"refused ")}
    assert kept
    assert refused
    assert len(kept) + len(refused) == 500
    names = [payload[: len(payload) // 50] for payload in read_all(tmp_path)]
    assert sorted(names) == sorted(kept)


@pytest.mark.slow
def test_several_processes_append(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.helpers.spooling", str(tmp_path), "5", "100"]
    processes = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(3)]
    names = []
    while any(process.poll() is None for process in processes):
        names += [payload[: len(payload) // 50] for payload in read_all(tmp_path)]
    names += [payload[: len(payload) // 50] for payload in read_all(tmp_path)]
    assert sorted(names) == sorted(3 * [f"{sender}:{number}".encode() for sender in range(5) for number in range(100)])
    assert list_segments(tmp_path) == []


def _cut(data: bytes) -> bytes:
    return data[:-3]


def _cut_header(data: bytes) -> bytes:
    return data[: -(HEADER.size + 6) + 4]


def _flip(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def _garbage_length(data: bytes) -> bytes:
    return data[: -(HEADER.size + 6)] + b"\xff" * 22


@pytest.mark.parametrize(
    ("damage", "is_set_aside"), [(_cut, False), (_cut_header, False), (_flip, True), (_garbage_length, True)]
)
def test_damaged_end_loses_only_itself(tmp_path: Path, damage: Callable[[bytes], bytes], is_set_aside: bool) -> None:
    run(append_all(tmp_path, [b"first!", b"second", b"third!"]))
    [path] = list_segments(tmp_path)
    path.write_bytes(damage(path.read_bytes()))
    run(append_all(tmp_path, [b"fourth"]))
    assert sorted(read_all(tmp_path)) == [b"first!", b"fourth", b"second"]
    assert list_segments(tmp_path) == []
    assert bool(read_status(tmp_path).damaged) is is_set_aside


def test_status_contains_oldest_record(tmp_path: Path) -> None:
    assert read_status(tmp_path / "missing").oldest_time is None
    run(append_all(tmp_path, [b"a", b"b"]))
    assert read_status(tmp_path).oldest_time == NOW
    with SpoolReader(tmp_path) as reader:
        assert reader.try_lock()
        reader.commit(reader.read(1, ROOM))
    status = read_status(tmp_path)
    assert (status.oldest_time, status.segments, status.waiting_bytes) == (NOW + 1, 1, len(encode_record(b"b", 0)))


def test_spool_files_are_private_to_owner(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    run(append_all(folder, [b"a"]))
    assert folder.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.iterdir())


def test_unusable_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolUnavailable, match="can't be created"):
        run(append_all(tmp_path / "file" / "spool", [b"a"]))


def test_deleted_segment_is_replaced(tmp_path: Path) -> None:
    async def write() -> None:
        writer = SpoolWriter(tmp_path, ROOM)
        writer.start()
        await writer.append(b"first", Instant(NOW))
        for path in list_segments(tmp_path):
            path.unlink()
        await writer.append(b"second", Instant(NOW))
        await writer.stop()

    run(write())
    assert read_all(tmp_path) == [b"second"]


def test_no_descriptor_is_leaked(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        run(append_all(tmp_path, [b"a", b"b"]))
        assert len(read_all(tmp_path)) == 2
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 1
