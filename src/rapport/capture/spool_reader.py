"""Reading the spool: every process's segments, in the order in which their records arrived."""

import contextlib
import fcntl
import heapq
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

import msgspec
import structlog

from rapport.capture.errors import SpoolUnavailable
from rapport.capture.spool import HEADER, MAX_RECORD_BYTES, checksum, list_segments, make_spool_folder
from rapport.instant import Instant

_LOCK: Final = "reader.lock"
_PROGRESS: Final = "progress.json"
_READ_BYTES: Final = 1024 * 1024
_DAMAGED: Final = ".damaged"

_log = structlog.get_logger("rapport.capture")


class SpoolEntry(NamedTuple):
    """A record, and where it ends in its segment."""

    segment: str
    end: int
    received_time: Instant
    payload: bytes


class SpoolStatus(NamedTuple):
    """The size of the waiting requests, and the damaged segments."""

    waiting_bytes: int
    segments: int
    oldest_time: Instant | None
    damaged: tuple[str, ...]
    """Segments that were set aside because they can't be read to their end."""


def read_status(folder: Path) -> SpoolStatus:
    """Return what waits in the spool. Raises SpoolUnavailable."""
    try:
        progress = _load_progress(folder)
        waiting = segments = 0
        oldest: list[int] = []
        for path in list_segments(folder):
            with contextlib.suppress(FileNotFoundError):
                start = progress.get(path.name, 0)
                rest = path.stat().st_size - start
                if rest > 0:
                    waiting, segments = waiting + rest, segments + 1
                    oldest += [entry.received_time for entry in _first(path, start)]
        damaged = tuple(sorted(path.name for path in folder.glob(f"*{_DAMAGED}")))
    except OSError as exc:
        raise SpoolUnavailable(f"the spool {folder} can't be read: {exc.strerror}") from exc
    return SpoolStatus(waiting, segments, Instant(min(oldest)) if oldest else None, damaged)


class SpoolReader:
    """Reads records, and deletes those that were recorded. Only one process at a time can read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock: int | None = None
        self._segments: dict[str, _Segment] = {}
        self._using = threading.Lock()
        """One group may be committed in a thread while the next one is read in another."""

    def try_lock(self) -> bool:
        """Return True if this process is now the one that reads. Raises SpoolUnavailable."""
        if self._lock is not None:
            return True
        make_spool_folder(self._folder)
        try:
            descriptor = os.open(self._folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return False
        except OSError as exc:
            raise SpoolUnavailable(f"the spool {self._folder} can't be read: {exc.strerror}") from exc
        self._lock = descriptor
        return True

    def close(self) -> None:
        """Release the lock, so that another process can read."""
        for segment in self._segments.values():
            segment.close()
        self._segments.clear()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.close()

    def read(self, max_entries: int, max_bytes: int) -> list[SpoolEntry]:
        """Return the next records in the order in which they arrived, up to the end. Raises SpoolUnavailable."""
        try:
            with self._using:
                return self._read(max_entries, max_bytes)
        except OSError as exc:
            raise SpoolUnavailable(f"the spool {self._folder} can't be read: {exc.strerror}") from exc

    def _read(self, max_entries: int, max_bytes: int) -> list[SpoolEntry]:
        self._find_segments()
        entries: list[SpoolEntry] = []
        size = 0
        merged = heapq.merge(*(iter(segment) for segment in self._segments.values()), key=_received_time)
        for entry in merged:
            if entries and (len(entries) >= max_entries or size + len(entry.payload) > max_bytes):
                break
            self._segments[entry.segment].read_end = entry.end
            entries.append(entry)
            size += len(entry.payload)
        if not entries:
            self._forget_finished()
        return entries

    def rewind(self) -> None:
        """Continue with the first record that wasn't committed."""
        with self._using:
            for segment in self._segments.values():
                segment.read_end = segment.done_end

    def commit(self, entries: Sequence[SpoolEntry]) -> None:
        """Mark records as recorded. Raises SpoolUnavailable; some of them may then be read again."""
        try:
            with self._using:
                for entry in entries:
                    segment = self._segments[entry.segment]
                    segment.done_end = max(segment.done_end, entry.end)
                self._forget_finished()
                self._save_progress()
        except OSError as exc:
            raise SpoolUnavailable(f"the spool {self._folder} can't be written: {exc.strerror}") from exc

    def _find_segments(self) -> None:
        progress: dict[str, int] | None = None
        for path in list_segments(self._folder):
            if path.name not in self._segments:
                if progress is None:
                    progress = _load_progress(self._folder)
                with contextlib.suppress(FileNotFoundError):
                    self._segments[path.name] = _Segment(path, progress.get(path.name, 0))

    def _forget_finished(self) -> None:
        for name, segment in list(self._segments.items()):
            if not segment.is_at_end():
                continue
            if segment.is_damaged():
                _log.error("spool segment is damaged and was set aside", segment=name)
                segment.path.rename(segment.path.with_suffix(_DAMAGED))
            else:
                segment.path.unlink(missing_ok=True)
            segment.close()
            del self._segments[name]

    def _save_progress(self) -> None:
        # Not synced: after a power failure some records are read again, which changes nothing.
        unfinished = self._folder / f"{_PROGRESS}.new"
        unfinished.write_bytes(
            msgspec.json.encode({name: segment.done_end for name, segment in self._segments.items()})
        )
        unfinished.replace(self._folder / _PROGRESS)


class _Segment:
    """A segment that is being read. Iterating yields its records from `read_end` on."""

    def __init__(self, path: Path, done_end: int) -> None:
        self.path = path
        self.read_end = self.done_end = done_end
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._is_closed_by_writer = False

    def __iter__(self) -> Iterator[SpoolEntry]:
        return _read_entries(self._file, self.path.name, self.read_end)

    def is_at_end(self) -> bool:
        """Return True if the writer has closed the segment, and everything readable in it was recorded."""
        if not self._is_closed_by_writer:
            try:
                fcntl.flock(self._file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            fcntl.flock(self._file, fcntl.LOCK_UN)
            self._is_closed_by_writer = True
        return next(_read_entries(self._file, self.path.name, self.done_end), None) is None

    def is_damaged(self) -> bool:
        """Return True if a complete record with a wrong checksum follows, not just one that was never finished."""
        header = os.pread(self._file, HEADER.size, self.done_end)
        if len(header) < HEADER.size:
            return False
        length: int = HEADER.unpack(header)[0]
        return length > MAX_RECORD_BYTES or os.fstat(self._file).st_size >= self.done_end + HEADER.size + length

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def _read_entries(file: int, name: str, start: int) -> Iterator[SpoolEntry]:
    """Yield the records from `start` on, up to the end or to an incomplete one."""
    data, offset = b"", 0
    while True:
        needed = HEADER.size
        if len(data) - offset >= HEADER.size:
            length, expected, received_time = HEADER.unpack_from(data, offset)
            if length > MAX_RECORD_BYTES:
                return
            needed += length
        if len(data) - offset < needed:
            start += offset
            data, offset = os.pread(file, max(_READ_BYTES, needed), start), 0
            if len(data) < needed:
                return
            continue
        payload = data[offset + HEADER.size : offset + needed]
        if checksum(payload, received_time) != expected:
            return
        offset += needed
        yield SpoolEntry(name, start + offset, Instant(received_time), payload)


def _first(path: Path, start: int) -> list[SpoolEntry]:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        entry = next(_read_entries(file, path.name, start), None)
    finally:
        os.close(file)
    return [] if entry is None else [entry]


def _received_time(entry: SpoolEntry) -> int:
    return entry.received_time


def _load_progress(folder: Path) -> dict[str, int]:
    try:
        return msgspec.json.decode((folder / _PROGRESS).read_bytes(), type=dict[str, int])
    except (FileNotFoundError, msgspec.DecodeError):
        # Everything is read again, which changes nothing.
        return {}
