"""A durable queue on the local disk, for requests that wait to be recorded.

Every process that receives requests appends to segment files of its own; one process at a time reads them all. A record
is on the disk when `append` returns, even if the process crashes afterwards. After a crash it may be read twice.

A segment is a file of records, `<number>-<process>-<random>.spool`; its writer holds a lock on it. A record is its
length, a checksum, the time at which it arrived, and its bytes.
"""

import asyncio
import contextlib
import fcntl
import os
import secrets
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import structlog

from rapport.capture.errors import SpoolFull, SpoolUnavailable
from rapport.instant import Instant

SUFFIX: Final = ".spool"
HEADER: Final = struct.Struct(">IIq")
"""Length of the bytes, CRC-32 of the time and the bytes, time of arrival."""

_TIME: Final = struct.Struct(">q")
MAX_RECORD_BYTES: Final = 64 * 1024 * 1024
_SEGMENT_BYTES: Final = 16 * 1024 * 1024
_SEGMENT_SECONDS: Final = 60.0
"""A segment is closed after this time, so that recorded requests are deleted soon."""
_USAGE_SECONDS: Final = 0.5
"""How long the total size of all segments is cached for checking the limit."""

_log = structlog.get_logger("rapport.capture")


def make_spool_folder(folder: Path) -> None:
    """Create the directory for its owner only. Raises SpoolUnavailable."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise SpoolUnavailable(f"the spool {folder} can't be created: {exc.strerror}") from exc


def list_segments(folder: Path) -> list[Path]:
    """Return the segments, oldest first. Raises OSError."""
    return sorted(path for path in folder.iterdir() if path.suffix == SUFFIX) if folder.exists() else []


def encode_record(payload: bytes, received_time: int) -> bytes:
    """Return a record as it is in the file."""
    return HEADER.pack(len(payload), checksum(payload, received_time), received_time) + payload


def checksum(payload: bytes | memoryview, received_time: int) -> int:
    """Return the checksum of a record."""
    return zlib.crc32(payload, zlib.crc32(_TIME.pack(received_time)))


class SpoolWriter:
    """Appends records. Records that arrive while the disk is busy are written and synced together."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rapport-spool")
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._waiting_bytes = 0
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._is_stopping = False
        self._segment: _OpenSegment | None = None
        self._used_bytes = 0
        self._used_checked = float("-inf")

    def start(self) -> None:
        """Start the task that writes. The directory is created when it is needed."""
        self._task = asyncio.create_task(self._write_groups(), name="spool")

    async def stop(self) -> None:
        """Write the waiting records, and close the segment."""
        self._is_stopping = True
        self._arrived.set()
        if self._task is not None:
            await self._task
        self._thread.shutdown()

    async def append(self, payload: bytes, received_time: Instant) -> None:
        """Append a record; it is on the disk when this returns. Raises SpoolFull and SpoolUnavailable."""
        if self._is_stopping or self._task is None:
            raise SpoolUnavailable("the server is stopping")
        if len(payload) > MAX_RECORD_BYTES:
            raise SpoolFull(f"a record must have at most {MAX_RECORD_BYTES} bytes, not {len(payload)}")
        record = encode_record(payload, received_time)
        if self._used() + self._waiting_bytes + len(record) > self._max_bytes:
            raise SpoolFull(f"the spool has reached its limit of {self._max_bytes} bytes")
        written = asyncio.get_running_loop().create_future()
        self._waiting.append((record, written))
        self._waiting_bytes += len(record)
        self._arrived.set()
        # Shielded, because the sender may disconnect.
        await asyncio.shield(written)

    def _used(self) -> int:
        now = asyncio.get_running_loop().time()
        if now - self._used_checked > _USAGE_SECONDS:
            try:
                self._used_bytes = sum(path.stat().st_size for path in list_segments(self._folder))
            except FileNotFoundError:
                # A segment was finished, and deleted, between the two.
                return self._used_bytes
            except OSError as exc:
                raise SpoolUnavailable(f"the spool {self._folder} can't be read: {exc.strerror}") from exc
            self._used_checked = now
        return self._used_bytes

    async def _write_groups(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._is_stopping or self._waiting:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_SEGMENT_SECONDS):
                    await self._arrived.wait()
            self._arrived.clear()
            group, self._waiting = self._waiting, []
            size, self._waiting_bytes = self._waiting_bytes, 0
            try:
                await loop.run_in_executor(self._thread, self._write, [record for record, _ in group], loop.time())
            except SpoolUnavailable as exc:
                self._settle(group, exc)
            except OSError as exc:
                _log.warning("spool write failed", requests=len(group), error=exc.strerror)
                self._settle(group, SpoolUnavailable(f"the spool can't be written: {exc.strerror}"))
            else:
                self._used_bytes += size
                self._settle(group, None)
        await loop.run_in_executor(self._thread, self._close_segment)

    def _settle(self, group: list[tuple[bytes, asyncio.Future[None]]], error: SpoolUnavailable | None) -> None:
        for _, written in group:
            if written.done():
                continue
            if error is None:
                written.set_result(None)
            else:
                written.set_exception(error)

    def _write(self, records: list[bytes], now: float) -> None:
        """Write the records to the disk. Raises OSError, and has then acknowledged none of them."""
        segment = self._segment
        if segment is not None and segment.is_finished(now):
            self._close_segment()
            segment = None
        if not records:
            return
        if segment is None:
            make_spool_folder(self._folder)
            segment = self._segment = _OpenSegment(self._folder, now)
        try:
            segment.write(b"".join(records))
        except OSError:
            # After a failed sync, the content of the file is unknown, so nothing more is appended to it.
            self._close_segment()
            raise

    def _close_segment(self) -> None:
        segment, self._segment = self._segment, None
        if segment is not None:
            segment.close()


class _OpenSegment:
    """The segment that a writer appends to."""

    def __init__(self, folder: Path, now: float) -> None:
        number = max((int(path.name.partition("-")[0]) for path in list_segments(folder)), default=0) + 1
        self._path = folder / f"{number:012}-{os.getpid()}-{secrets.token_hex(4)}{SUFFIX}"
        self._began = now
        self._size = 0
        # A reader must not see the file before it is locked: it would take it for a finished one, and delete it.
        unlocked = self._path.with_suffix(".new")
        self._file = os.open(unlocked, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            unlocked.rename(self._path)
            _sync_folder(folder)
        except OSError:
            os.close(self._file)
            raise

    def is_finished(self, now: float) -> bool:
        """Return True if the next record goes to another segment: this one is large, old, or deleted."""
        is_old = self._size > 0 and now - self._began >= _SEGMENT_SECONDS
        return self._size >= _SEGMENT_BYTES or is_old or os.fstat(self._file).st_nlink == 0

    def write(self, data: bytes) -> None:
        """Append to the file, and return when it is on the disk. Raises OSError."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
            os.fdatasync(self._file)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._size)
            raise
        self._size += len(data)

    def close(self) -> None:
        """Close the file, which releases its lock; delete it if it is empty."""
        if self._size == 0:
            self._path.unlink(missing_ok=True)
        os.close(self._file)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
