"""The output of `rapport import`: progress, the first mistakes, the result, and advice on mistakes."""

import contextlib
import os
import shlex
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from rapport.errors import UnreadableFile
from rapport.recording.activity_codec import FIELDS, WHOLE_LINE
from rapport.recording.decoding import find_nearest
from rapport.recording.importing import ImportResult
from rapport.recording.reader_process import RejectedLine
from rapport.recording.reading_log import Notice

_FIRST_MISTAKES: Final = 3
"""The number of rejected lines that are shown while an import runs."""
_MAX_MISTAKES: Final = 10
_MAX_SHOWN: Final = 200


class Mistakes:
    """The rejected lines of one file: the first are shown at once; all are counted by field and reason."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.echo: Callable[[str], None] = print
        self._counts: Counter[tuple[str, str]] = Counter()
        self._first: dict[tuple[str, str], int] = {}
        self._shown = 0

    def add(self, line: RejectedLine) -> None:
        """Count a rejected line."""
        mistake = line.field, line.reason
        if mistake not in self._counts and len(self._counts) >= _MAX_MISTAKES:
            mistake = "", "others"
        self._counts[mistake] += 1
        self._first.setdefault(mistake, line.line)
        if self._shown < _FIRST_MISTAKES:
            self._shown += 1
            self.echo(f"{self._name}, {format_rejected(line)}")

    def advise(self, rejected_file: Path) -> Iterator[str]:
        """Yield each mistake, with the number of its lines and what to do about it."""
        for (field, reason), count in self._counts.most_common():
            first = self._first[field, reason]
            lines = f"line {first}" if count == 1 else f"{count:,} lines, the first one {first}"
            what = f"{field} {reason}" if field not in {"", WHOLE_LINE} else reason
            yield f"{lines}: {shorten(what)}{_advise(field, reason)}"
        if self._counts:
            path = shlex.quote(str(rejected_file))
            yield f"Correct these lines, which are in {path}, and import them again: recorded ones count as duplicates."


def _advise(field: str, reason: str) -> str:
    """Return an option that corrects the mistake in the whole file, if there is one."""
    if reason == "is required":
        return (
            f". If it is the same for all lines, add --set {field}=VALUE; if a column has it by another name, add "
            f"--map COLUMN={field}"
        )
    if reason.startswith("is not a field of"):
        nearest = find_nearest(field, FIELDS) or "FIELD"
        mapping = shlex.quote(f"{field}={nearest}")
        return f". To leave such fields out, add --ignore-unknown; to use it, add --map {mapping}"
    return ""


def shorten(text: str) -> str:
    """Return the text, shortened if it is long."""
    return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "…"


def format_rejected(line: RejectedLine) -> str:
    """Return a rejected line in one sentence."""
    where = f"{line.file}, line {line.line}" if line.file else f"line {line.line}"
    if line.field == WHOLE_LINE:
        return shorten(f"{where}: {line.reason}")
    value = "" if line.value is None else f" {line.value!r}"
    return shorten(f"{where}: {line.field}{value} {line.reason}")


def format_counts(result: ImportResult) -> str:
    """Return the counts in one line."""
    counts = f"{result.accepted} accepted, {result.duplicate} duplicate, {result.rejected} rejected"
    skipped, warnings = sum(result.skipped.values()), result.warnings
    if skipped:
        counts += f", {skipped} skipped"
    if warnings:
        counts += f", {warnings} warning{'' if warnings == 1 else 's'}"
    return counts


def format_remarks(result: ImportResult) -> Iterator[str]:
    """Yield remarks about the file: notes, skipped lines and warnings."""
    yield from result.notes
    if result.skipped:
        skipped = ", ".join(f"{count:,} {label}" for label, count in sorted(result.skipped.items()))
        yield f"skipped, because they aren't activities: {skipped}"
    for notice in result.notices:
        times = f"{notice.count:,} lines, the first one {notice.line}" if notice.count > 1 else f"line {notice.line}"
        yield f"{format_warning(notice)} ({times})"


def format_warning(notice: Notice) -> str:
    """Return what was done with a field."""
    if notice.field in {"", WHOLE_LINE}:
        return notice.action
    value = "" if notice.value is None else f" {shorten(str(notice.value))!r}"
    return f"{notice.field}{value}: {notice.action}"


@contextlib.contextmanager
def write_rejected(path: Path) -> Iterator[Callable[[RejectedLine], None]]:
    """Yield a function that writes rejected lines to a file, which is created with the first of them.

    The lines hold addresses, so the file is readable by its owner only.
    """
    file: BinaryIO | None = None

    def reject(line: RejectedLine) -> None:
        nonlocal file
        with _translate_write_errors(path):
            if file is None:
                # O_EXCL: otherwise, others could prepare a file of theirs in a shared folder.
                file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
            file.write(msgspec.json.encode(line) + b"\n")

    with _translate_write_errors(path):
        path.unlink(missing_ok=True)
    try:
        yield reject
    finally:
        if file is not None:
            with _translate_write_errors(path):
                file.close()


@contextlib.contextmanager
def _translate_write_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise UnreadableFile(
            f"can't write rejected lines to {path}: {exc.strerror}. Make room for them, or give the file on "
            "standard input in another folder"
        ) from exc


@contextlib.contextmanager
def show_progress(
    file: BinaryIO, name: str, result: ImportResult
) -> Iterator[tuple[Callable[[], None], Callable[[str], None]]]:
    """Yield two functions: one updates a bar that follows the file, the other prints a line above it."""
    console = Console(stderr=True)
    size = os.fstat(file.fileno()).st_size if file.seekable() else None
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[counts]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task(name, total=size, counts="")

        def update() -> None:
            # The process that reads moves the same position.
            done = os.lseek(file.fileno(), 0, os.SEEK_CUR) if size is not None else 0
            progress.update(task, completed=done, counts=format_counts(result))

        def echo(text: str) -> None:
            if console.is_terminal:
                progress.console.print(f"rapport: {text}", markup=False, highlight=False)
            else:
                click.echo(f"rapport: {text}", err=True)

        yield update, echo
