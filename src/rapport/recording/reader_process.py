"""Read a file of activities in a subprocess while this process writes to the store, so that an import uses two cores.

`read_in_subprocess` starts the subprocess, which runs this module as a program. It sends what it has read over its
standard output in frames: a length of four bytes, then a `Chunk` in MessagePack.
"""

import contextlib
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from io import BufferedReader
from typing import Any, BinaryIO, Final, TypeVar

import msgspec

from rapport.activity import Activity
from rapport.errors import UnreadableFile
from rapport.instant import Instant
from rapport.recording.activity_codec import excerpt
from rapport.recording.decoding import ACTIVITIES
from rapport.recording.files import ByteFile, read_file
from rapport.recording.options import NO_OPTIONS, ImportOptions
from rapport.recording.reading_log import Notice, ReadingLog
from rapport.recording.tables import InvalidLine
from rapport.store.batch import Batch, build_batch
from rapport.worker import tune_gc

GC_THRESHOLD: Final = 5_000_000
"""More objects than exist between reading and recording a chunk, so that the garbage collector doesn't scan them."""

_MAX_REJECTED_CHARS: Final = 16 * 1024 * 1024
"""A chunk ends when its rejected lines have this many characters in total."""

T = TypeVar("T")

_LENGTH: Final = struct.Struct(">I")


class RejectedLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of the file of rejected lines: the line's number, counted from 1, what is wrong with it, and its text.

    `file` is its file in an archive that holds several.
    """

    line: int
    field: str
    value: str | int | float | bool | None
    reason: str
    text: str
    file: str | None = None


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """The activities and rejected lines of a part of a file, and what was noted about it (`ReadingLog`).

    In the last chunk, `unreadable` says why reading ended before the end of the file, if it did.
    """

    batch: Batch
    rejected: list[RejectedLine]
    is_last: bool
    unreadable: str | None = None
    notes: list[str] = []
    skipped: dict[str, int] = {}
    notices: list[Notice] = []


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Chunk)


def read_chunks(
    file: ByteFile, name: str, account_id: str, now: Instant, *, size: int, options: ImportOptions = NO_OPTIONS
) -> Iterator[Chunk]:
    """Yield the file's lines in chunks of a size; the last one may be empty. `read_file` documents `name`."""
    log = ReadingLog()
    lines = read_file(file, name, now, ACTIVITIES, options=options, log=log)
    is_last = False
    unreadable: str | None = None
    while not is_last:
        read: list[Activity | InvalidLine] = []
        try:
            # Lines read before the error are recorded all the same.
            is_last = _read_chunk(lines, read, size)
        except UnreadableFile as exc:
            is_last, unreadable = True, str(exc)
        notes, skipped, notices = log.drain()
        yield Chunk(
            batch=build_batch(account_id, (line for line in read if isinstance(line, Activity))),
            rejected=[describe_rejected(line, log.member) for line in read if isinstance(line, InvalidLine)],
            is_last=is_last,
            unreadable=unreadable,
            notes=notes,
            skipped=skipped,
            notices=notices,
        )


def _read_chunk(lines: Iterator[T | InvalidLine], read: list[T | InvalidLine], size: int) -> bool:
    """Append the lines of one chunk to `read`. Return True at the end of the file.

    A chunk has fewer lines if many are rejected, because their texts are kept in memory.
    """
    kept = 0
    for line in lines:
        read.append(line)
        if isinstance(line, InvalidLine):
            kept += len(line.text)
        if len(read) == size or kept > _MAX_REJECTED_CHARS:
            return False
    return True


def describe_rejected(line: InvalidLine, member: str = "") -> RejectedLine:
    """Return the line as it is written to the file of rejected lines; `member` is its file in an archive of several."""
    error = line.error
    return RejectedLine(line.number, error.field, excerpt(error.value), error.reason, line.text, member or None)


@contextlib.contextmanager
def read_in_subprocess(
    file: BinaryIO, name: str, account_id: str, now: Instant, *, size: int, options: ImportOptions = NO_OPTIONS
) -> Iterator[Iterator[Chunk]]:
    """Run `read_chunks` in a subprocess, which is killed when the context ends."""
    # -P: don't import modules from the current directory, which may be anybody's.
    encoded = msgspec.json.encode(options).decode()
    program = [sys.executable, "-P", "-m", __name__, name, account_id, str(now), str(size), encoded]
    with subprocess.Popen(program, stdin=file, stdout=subprocess.PIPE) as process:  # noqa: S603 - runs this module
        try:
            yield _read_frames(process, name)
        finally:
            process.kill()


def _read_frames(process: "subprocess.Popen[bytes]", name: str) -> Iterator[Chunk]:
    pipe: Any = process.stdout
    is_last = False
    while not is_last:
        head = pipe.read(_LENGTH.size)
        if len(head) < _LENGTH.size:
            raise UnreadableFile(
                f"{name}: the process that reads it ended with exit code {process.wait()}; run the import again"
            )
        chunk = _DECODER.decode(pipe.read(*_LENGTH.unpack(head)))
        is_last = chunk.is_last
        yield chunk


def _main(name: str, account_id: str, now: Instant, size: int, options: ImportOptions) -> None:
    # The parent process handles Ctrl-C; once it is gone, writing to the pipe ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    tune_gc(GC_THRESHOLD)
    file: Any = BufferedReader(os.fdopen(0, "rb", buffering=0), 1 << 20)
    with os.fdopen(1, "wb") as pipe:
        for chunk in read_chunks(file, name, account_id, now, size=size, options=options):
            frame = _ENCODER.encode(chunk)
            pipe.write(_LENGTH.pack(len(frame)) + frame)
            pipe.flush()


if __name__ == "__main__":
    _, of_file, of_account, at, lines, encoded_options = sys.argv
    _main(of_file, of_account, Instant(int(at)), int(lines), msgspec.json.decode(encoded_options, type=ImportOptions))
