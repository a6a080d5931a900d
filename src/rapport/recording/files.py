"""Read files in constant memory: tables, JSON and NDJSON, recognized by their content."""

import itertools
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Final, TypeAlias, TypeVar

from rapport.errors import InvalidField, UnreadableFile
from rapport.instant import Instant
from rapport.recording.activity_codec import WHOLE_LINE, Context, LineFormat
from rapport.recording.content import READ_ERRORS, SAMPLE_BYTES, Content, FileFormat, Source, open_sources
from rapport.recording.json_values import split_values
from rapport.recording.mapping import Planner, decode_first, infer_dates
from rapport.recording.options import NO_OPTIONS, ImportOptions
from rapport.recording.reading_log import ReadingLog
from rapport.recording.tables import CsvTable, InvalidLine, Table, WorkbookTable, split_lines, too_long

STANDARD_INPUT: Final = "-"

MAX_DOCUMENT: Final = 64 * 1024 * 1024
"""Bytes of a JSON document, such as a page of an API with many records."""

_TOO_SHORT: Final = "has fewer cells than the header has columns; the missing ones are taken as empty"

T = TypeVar("T")

ByteFile: TypeAlias = Content
"""A buffered binary file."""


def read_file(
    raw: "ByteFile | BinaryIO",
    name: str,
    now: Instant,
    line_format: LineFormat[T],
    *,
    options: ImportOptions = NO_OPTIONS,
    log: ReadingLog | None = None,
) -> Iterator[T | InvalidLine]:
    """Decode the lines, rows or objects of the open file in order; yield an InvalidLine for those that fail.

    The content decides how the file is read; `name` is used in messages. Warnings and notes go to the log. Raises
    UnreadableFile if reading ends early; everything yielded before is valid.
    """
    log = ReadingLog() if log is None else log
    context = Context(now, log.warn, options.times)
    planner = Planner(line_format, options, log)
    problems: list[str] = []
    try:
        for source in open_sources(raw, options.encoding):
            log.member = source.name
            if source.note is not None:
                log.note(source.note)
            try:
                yield from _read_source(source, planner, context, log)
            except UnreadableFile as exc:
                if not source.name:
                    raise
                # The other files of the archive are read.
                problems.append(f"{source.name}: {exc}")
    except UnreadableFile as exc:
        problems.append(str(exc))
    except READ_ERRORS as exc:
        problems.append(f"can't be read to the end: {exc}")
    if problems:
        raise UnreadableFile(f"{name}: " + "; ".join(problems))


def _read_source(source: Source, planner: Planner[T], context: Context, log: ReadingLog) -> Iterator[T | InvalidLine]:
    if source.format is FileFormat.NDJSON:
        return _read_lines(source, planner, context, log)
    if source.format is FileFormat.JSON:
        return _read_values(source, planner, context, log)
    if source.format is FileFormat.TABLE:
        return _read_table(CsvTable(source.head, source.content, planner.is_known, log.note), planner, context, log)
    return _read_table(WorkbookTable(source.content, log.note), planner, context, log)


def _read_lines(source: Source, planner: Planner[T], context: Context, log: ReadingLog) -> Iterator[T | InvalidLine]:
    first = next(filter(None, map(decode_first, itertools.islice(source.head.splitlines(), 100))), None)
    decode = planner.plan_objects(first)
    for number, line, quotes in split_lines(source.content):
        if quotes is not None:
            yield too_long(number, line)
            continue
        log.line = number
        try:
            yield from decode(line, context)
        except InvalidField as exc:
            text = line.decode(errors="replace").rstrip("\r\n")
            if text.strip():
                yield InvalidLine(number, exc, text)


def _read_values(source: Source, planner: Planner[T], context: Context, log: ReadingLog) -> Iterator[T | InvalidLine]:
    values = split_values(lambda: source.content.read(SAMPLE_BYTES), MAX_DOCUMENT)
    first_values = list(itertools.islice(values, 100))
    first = next((item for value in first_values if value.content and (item := decode_first(value.content))), None)
    decode = planner.plan_objects(first)
    for number, content in itertools.chain(first_values, values):
        log.line = number
        if content is None:
            yield InvalidLine(
                number, InvalidField(WHOLE_LINE, None, f"must not be longer than {MAX_DOCUMENT} bytes"), ""
            )
            continue
        try:
            yield from decode(content, context)
        except InvalidField as exc:
            yield InvalidLine(number, exc, content[:SAMPLE_BYTES].decode(errors="replace"))


def _read_table(table: Table, planner: Planner[T], context: Context, log: ReadingLog) -> Iterator[T | InvalidLine]:
    sample = table.sample()
    plan = planner.plan_rows(table.header, sample)
    times = plan.times if plan.times.dates is not None else plan.times._replace(dates=infer_dates(sample))
    context = context._replace(times=times)
    decode, next_row = plan.decode, table.next_row
    while (row := next_row()) is not None:
        if isinstance(row, InvalidLine):
            yield row
            continue
        log.line = table.number
        problem = table.problem
        decoded: Iterable[T | InvalidLine]
        try:
            decoded = decode(row, context)
        except InvalidField as exc:
            yield table.reject(problem or exc)
            continue
        if problem is not None:
            context.warn(WHOLE_LINE, None, _TOO_SHORT)
        yield from decoded
