"""Reading a file of activities in a process of its own, beside the one that writes: an import keeps two cores busy.

`read_beside` starts the process; this module run as a program is it. What it has read goes over its standard output
in frames: a length of four bytes, then a `Chunk` in MessagePack.
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
from rapport.recording.decoding import ACTIVITIES
from rapport.recording.files import ByteFile, read_file
from rapport.recording.lines import excerpt
from rapport.recording.options import NO_OPTIONS, ImportOptions
from rapport.recording.reading_log import Notice, ReadingLog
from rapport.recording.tables import InvalidLine
from rapport.store.batch import Batch, build_batch
from rapport.worker import tune_gc

CHUNK: Final = 20_000
"""Lines read, and then recorded, together: enough to share an fsync, few enough that a server beside waits briefly."""

OBJECTS: Final = 100 * CHUNK
"""More than what lives between the reading of a chunk and its recording, so that no garbage is looked for in it."""

_MOST_KEPT: Final = 16 * 1024 * 1024
"""Characters of rejected lines in one chunk, at which it ends."""

T = TypeVar("T")

_LENGTH: Final = struct.Struct(">I")


class Rejected(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line that can't be recorded: its number, counted from 1, what is wrong, its text, and its file of several."""

    line: int
    field: str
    value: str | int | float | bool | None
    reason: str
    text: str
    file: str | None = None


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """What some lines of a file turned out to be; the last chunk says why reading ended, if not at the file's end."""

    batch: Batch
    rejected: list[Rejected]
    is_last: bool
    unreadable: str | None = None
    notes: list[str] = []
    skipped: dict[str, int] = {}
    notices: list[Notice] = []


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Chunk)


def read_chunks(
    file: ByteFile, name: str, account_id: str, now: Instant, options: ImportOptions = NO_OPTIONS
) -> Iterator[Chunk]:
    """Yield the file's lines, chunk by chunk; see `read_file` for `name`. The last one may be empty."""
    log = ReadingLog()
    lines = read_file(file, name, now, ACTIVITIES, options=options, log=log)
    is_last = False
    unreadable: str | None = None
    while not is_last:
        read: list[Activity | InvalidLine] = []
        try:
            # What was read before the file broke off counts all the same.
            is_last = _read_some(lines, read)
        except UnreadableFile as problem:
            is_last, unreadable = True, str(problem)
        notes, skipped, notices = log.drain()
        yield Chunk(
            batch=build_batch(account_id, (line for line in read if isinstance(line, Activity))),
            rejected=[rejected(line, log.member) for line in read if isinstance(line, InvalidLine)],
            is_last=is_last,
            unreadable=unreadable,
            notes=notes,
            skipped=skipped,
            notices=notices,
        )


def _read_some(lines: Iterator[T | InvalidLine], read: list[T | InvalidLine]) -> bool:
    """Append a chunk's worth of lines, fewer where many are rejected, as their texts are kept. Whether it was all."""
    kept = 0
    for line in lines:
        read.append(line)
        if isinstance(line, InvalidLine):
            kept += len(line.text)
        if len(read) == CHUNK or kept > _MOST_KEPT:
            return False
    return True


def rejected(line: InvalidLine, member: str = "") -> Rejected:
    """Return the line as its file of rejected ones has it; `member` names the file in an archive of several."""
    problem = line.problem
    return Rejected(line.number, problem.field, excerpt(problem.value), problem.reason, line.text, member or None)


@contextlib.contextmanager
def read_beside(
    file: BinaryIO, name: str, account_id: str, now: Instant, options: ImportOptions = NO_OPTIONS
) -> Iterator[Iterator[Chunk]]:
    """`read_chunks` in another process. Ends it when this ends."""
    # -P: what lies in the folder that somebody imports from is no part of the program.
    encoded = msgspec.json.encode(options).decode()
    program = [sys.executable, "-P", "-m", __name__, name, account_id, str(now), encoded]
    with subprocess.Popen(program, stdin=file, stdout=subprocess.PIPE) as process:  # noqa: S603 - ourselves
        try:
            yield _frames(process, name)
        finally:
            process.kill()


def _frames(process: "subprocess.Popen[bytes]", name: str) -> Iterator[Chunk]:
    pipe: Any = process.stdout
    is_last = False
    while not is_last:
        head = pipe.read(_LENGTH.size)
        if len(head) < _LENGTH.size:
            raise UnreadableFile(f"{name}: reading it ended with exit code {process.wait()}; start the import again")
        chunk = _DECODER.decode(pipe.read(*_LENGTH.unpack(head)))
        is_last = chunk.is_last
        yield chunk


def _main(name: str, account_id: str, now: Instant, options: ImportOptions) -> None:
    # Ctrl-C is the other process's to answer; when that is gone, writing to it ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    tune_gc(OBJECTS)
    file: Any = BufferedReader(os.fdopen(0, "rb", buffering=0), 1 << 20)
    with os.fdopen(1, "wb") as pipe:
        for chunk in read_chunks(file, name, account_id, now, options):
            frame = _ENCODER.encode(chunk)
            pipe.write(_LENGTH.pack(len(frame)) + frame)
            pipe.flush()


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2], Instant(int(sys.argv[3])), msgspec.json.decode(sys.argv[4], type=ImportOptions))
