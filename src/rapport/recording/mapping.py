"""Map the rows and objects of a file to what is recorded: by their own names, by `--map`, or by a preset."""

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from operator import itemgetter
from typing import Any, Final, Generic, NamedTuple, TypeVar

import msgspec

from rapport.activity import Activity
from rapport.errors import InvalidField, UnreadableFile
from rapport.recording.activity_codec import FIELDS, IGNORED_FIELDS, Context, LineFormat, RawActivity
from rapport.recording.decoding import (
    ACTIVITIES,
    build_or_repair,
    decode_object,
    find_nearest,
    normalize_name,
    raise_unknown_field,
)
from rapport.recording.options import ImportOptions
from rapport.recording.presets import PRESETS, find_by_header, find_by_object, find_contacts
from rapport.recording.presets.base import Preset
from rapport.recording.presets.contacts import ContactPreset
from rapport.recording.reading_log import ReadingLog
from rapport.recording.tables import InvalidLine
from rapport.recording.times import TimeFormat, guess_order, is_ambiguous

T = TypeVar("T")

_LINE_FIELDS: Final = RawActivity.__struct_fields__
_TIME_FIELDS: Final = frozenset({"created_time", "updated_at", "created_at", "deleted_at", "opt_out_date"})

_MAX_UNKNOWN: Final = 5
"""Unknown columns that an error names."""


class RowPlan(NamedTuple, Generic[T]):
    """Decodes the rows of a table."""

    decode: Callable[[list[str], Context], Iterable[T | InvalidLine]]
    times: TimeFormat


class Planner(Generic[T]):
    """Plans how a file with one type of data is read."""

    def __init__(self, line_format: LineFormat[T], options: ImportOptions, log: ReadingLog) -> None:
        self._line_format = line_format
        self._options = options
        self._log = log
        self._columns = {normalize_name(column): field for column, field in options.columns.items()}
        for field in (*options.columns.values(), *options.constants):
            if field not in line_format.fields:
                nearest = find_nearest(field, line_format.fields)
                hint = f" Did you mean {nearest}?" if nearest else ""
                raise UnreadableFile(
                    f"{field!r} is not a field of {line_format.noun}.{hint} "
                    f"Expected one of {', '.join(line_format.fields)}"
                )

    def is_known(self, name: str) -> bool:
        """Return True if a column of this name is a field, or is mapped to one."""
        name = normalize_name(name)
        return name in self._line_format.fields or name in self._columns

    def plan_rows(self, header: list[str], sample: Sequence[Sequence[str]]) -> RowPlan[T]:
        """Return a plan for decoding the rows below this header. Raises UnreadableFile."""
        if not header:
            return RowPlan(lambda _row, _context: (), self._options.times)
        preset = self._find_preset(header)
        if preset is None:
            contacts = (
                None if self._has_required_fields(header) else find_contacts([normalize_name(name) for name in header])
            )
            if contacts is None:
                return self._plan_field_rows(header, sample)
            return self._plan_contacts(contacts, header, sample)
        names = [self._columns.get(name, name) for name in map(normalize_name, header)]
        times = self._times(preset)
        _check_dates(sample, range(len(header)), times)

        def decode(row: list[str], context: Context) -> Iterable[T | InvalidLine]:
            lines = preset.convert_row(dict(zip(names, row, strict=False)), self._log.skip)
            if len(lines) == 1:
                return (self._build(lines[0], context),)
            return self._build_each(lines, context)

        return RowPlan(decode, times)

    def plan_objects(self, first: Mapping[str, Any] | None) -> Callable[[bytes, Context], Iterable[T | InvalidLine]]:
        """Return a decoder of the JSON objects of a file, given its first one if that is valid JSON."""
        preset = self._preset_by_name()
        if preset is None and first is not None and self._is_activities and not self._options.columns:
            preset = find_by_object(first)
        if preset is not None:
            self._announce(preset)
            return self._object_decoder(preset)
        list_name = None if first is None else self._find_list(first)
        if first is not None and list_name is not None:
            return self._list_decoder(list_name, first)
        if not (self._options.columns or self._options.constants or self._options.ignore_unknown):
            decode_json = self._line_format.decode_json
            return lambda line, context: (decode_json(line, context),)
        return lambda line, context: (self._line_format.decode_fields(self._map_object(decode_object(line)), context),)

    def _plan_contacts(self, preset: ContactPreset, header: list[str], sample: Sequence[Sequence[str]]) -> RowPlan[T]:
        if "updated_at" not in self._line_format.fields or "contact_id" not in self._line_format.fields:
            raise UnreadableFile(f"this looks like a list of contacts ({preset.title}): add --type contacts")
        self._log.note(f"read as {preset.title}")
        given = self._options.times
        times = TimeFormat(given.zone or preset.times.zone, given.dates or preset.times.dates)
        _check_dates(sample, range(len(header)), times)
        names = [self._columns.get(name, name) for name in map(normalize_name, header)]

        def decode(row: list[str], context: Context) -> Iterable[T]:
            fields = preset.convert_row(dict(zip(names, row, strict=False)))
            return (self._line_format.decode_fields({**fields, **self._options.constants}, context),)

        return RowPlan(decode, times)

    @property
    def _is_activities(self) -> bool:
        return self._line_format.fields == ACTIVITIES.fields

    def _preset_by_name(self) -> Preset | None:
        return None if self._options.preset is None else PRESETS[self._options.preset]

    def _find_preset(self, header: list[str]) -> Preset | None:
        preset = self._preset_by_name()
        if preset is None and self._is_activities and not self._has_required_fields(header):
            preset = find_by_header([normalize_name(name) for name in header])
        if preset is not None:
            self._announce(preset)
        return preset

    def _has_required_fields(self, header: list[str]) -> bool:
        """Return True if the header has the required fields under their own or mapped names."""
        known = {self._columns.get(name, name) for name in map(normalize_name, header)} | self._options.constants.keys()
        if not self._is_activities:
            return bool(self._options.columns) or "contact_id" in known or "campaign_id" in known
        return {"contact_id", "campaign_activity_id", "created_time"} <= known

    def _announce(self, preset: Preset) -> None:
        self._log.note(f"read as a file of {preset.title}")

    def _times(self, preset: Preset) -> TimeFormat:
        given = self._options.times
        return TimeFormat(given.zone or preset.times.zone, given.dates or preset.times.dates)

    def _build(self, line: RawActivity, context: Context) -> Any:  # noqa: ANN401 - presets are of activities alone
        for field, value in self._options.constants.items():
            if not getattr(line, field):
                setattr(line, field, value)
        return build_or_repair(line, context)

    def _build_each(self, lines: Iterable[RawActivity], context: Context) -> Iterator[T | InvalidLine]:
        """Build several activities of one row or object; an invalid one doesn't affect the others."""
        for line in lines:
            try:
                yield self._build(line, context)
            except InvalidField as exc:
                yield InvalidLine(self._log.line, exc, msgspec.json.encode(line).decode())

    def _object_decoder(self, preset: Preset) -> Callable[[bytes, Context], Iterable[T | InvalidLine]]:
        times = self._times(preset)

        def decode(line: bytes, context: Context) -> Iterable[T | InvalidLine]:
            record = decode_object(line)
            context = context._replace(times=times)
            if record.keys().isdisjoint(preset.lists):
                lines = preset.convert_object(record, self._log.skip)
                return (self._build(lines[0], context),) if len(lines) == 1 else self._build_each(lines, context)
            return self._decode_lists(preset, record, context)

        return decode

    def _decode_lists(self, preset: Preset, record: Mapping[str, Any], context: Context) -> Iterator[T | InvalidLine]:
        for name in preset.lists:
            items = record.get(name)
            for item in items if isinstance(items, list) else ():
                if isinstance(item, Mapping):
                    yield from self._build_each(preset.convert_object(item, self._log.skip), context)
                else:
                    error = InvalidField(name, item, "must hold objects")
                    yield InvalidLine(self._log.line, error, msgspec.json.encode(item).decode())

    def _find_list(self, document: Mapping[str, Any]) -> str | None:
        """Return the key of the only list of objects in a document without own fields, such as a page of an API."""
        if any(self.is_known(name) for name in document):
            return None
        names = [
            name
            for name, items in document.items()
            if isinstance(items, list) and all(isinstance(item, Mapping) for item in items)
        ]
        return names[0] if len(names) == 1 else None

    def _list_decoder(
        self, name: str, document: Mapping[str, Any]
    ) -> Callable[[bytes, Context], Iterable[T | InvalidLine]]:
        self._log.note(f"read as documents with a list {name!r}")
        decode_item = self.plan_objects(next(iter(document[name]), None))

        def decode(line: bytes, context: Context) -> Iterator[T | InvalidLine]:
            items = decode_object(line).get(name)
            if not isinstance(items, list):
                raise InvalidField(name, items, "must be a list, as in the first document")
            for item in items:
                content = msgspec.json.encode(item)
                try:
                    yield from decode_item(content, context)
                except InvalidField as exc:
                    yield InvalidLine(self._log.line, exc, content.decode())

        return decode

    def _map_object(self, record: Mapping[str, Any]) -> dict[str, Any]:
        fields: dict[str, Any] = dict(self._options.constants)
        for name, value in record.items():
            field = name if name in self._line_format.fields else self._columns.get(normalize_name(name), name)
            if field in self._line_format.fields:
                fields[field] = value
            elif field not in IGNORED_FIELDS and not self._options.ignore_unknown:
                raise_unknown_field(name, value, self._line_format.fields, self._line_format.noun)
        return fields

    def _plan_field_rows(self, header: list[str], sample: Sequence[Sequence[str]]) -> RowPlan[T]:
        positions = self._positions(header)
        times = self._options.times
        _check_dates(sample, [positions[field] for field in _TIME_FIELDS if field in positions], times)
        constants = {field: value for field, value in self._options.constants.items() if field not in positions}
        decode = _activity_rows(positions, constants) if self._is_activities else self._field_rows(positions, constants)
        fallbacks = [
            (positions[field], value) for field, value in self._options.constants.items() if field in positions
        ]
        if not fallbacks:
            return RowPlan(decode, times)

        def fill_and_decode(row: list[str], context: Context) -> Iterable[T | InvalidLine]:
            for position, value in fallbacks:
                row[position] = row[position] or value
            return decode(row, context)

        return RowPlan(fill_and_decode, times)

    def _field_rows(
        self, positions: Mapping[str, int], constants: Mapping[str, str]
    ) -> Callable[[list[str], Context], Iterable[T | InvalidLine]]:
        decode_fields = self._line_format.decode_fields

        def decode(row: list[str], context: Context) -> Iterable[T]:
            return (decode_fields({**constants, **{field: row[at] for field, at in positions.items()}}, context),)

        return decode

    def _positions(self, header: list[str]) -> dict[str, int]:
        """Return the position of each field in the rows. Raises UnreadableFile."""
        positions: dict[str, int] = {}
        unknown: list[int] = []
        for position, column in enumerate(header):
            name = normalize_name(column)
            field = self._columns.get(name, name)
            if field in self._line_format.fields:
                if field in positions:
                    raise UnreadableFile(f"the column {column!r} occurs twice")
                positions[field] = position
            elif name not in IGNORED_FIELDS and not self._options.ignore_unknown:
                unknown.append(position)
        if unknown:
            raise UnreadableFile(self._explain_unknown(unknown, header))
        missing = {name for name in self._columns if name not in set(map(normalize_name, header))}
        for column in self._options.columns:
            if normalize_name(column) in missing:
                raise UnreadableFile(f"there is no column {column!r}; the columns are {', '.join(header)[:500]}")
        self._check_required({*positions, *self._options.constants}, header)
        return positions

    def _check_required(self, known: AbstractSet[str], header: list[str]) -> None:
        """Raise UnreadableFile if no row can be recorded, because columns are missing."""
        missing = [fields[0] for fields in self._line_format.required if known.isdisjoint(fields)]
        if missing:
            mapped = " ".join(f"--map COLUMN={field}" for field in missing)
            constant = " ".join(f"--set {field}=VALUE" for field in missing)
            raise UnreadableFile(
                f"there is no column for {_join(missing)}. If columns have other names, add {mapped}; if all rows have "
                f"the same value, add {constant}. The columns are {', '.join(header)[:500]}"
            )

    def _explain_unknown(self, unknown: Sequence[int], header: list[str]) -> str:
        known = {self._columns.get(name, name) for name in map(normalize_name, header)}
        free = [field for field in self._line_format.fields if field not in known]
        mappings: list[str] = []
        names: list[str] = []
        for position in unknown[:_MAX_UNKNOWN]:
            column = header[position][:50]
            if not column:
                names.append(f"column {position + 1}, which has no name")
                continue
            nearest = find_nearest(column, free or self._line_format.fields, 0.0)
            if nearest in free:
                free.remove(nearest)
            names.append(
                f"the column {column!r} is not a field of {self._line_format.noun}; the nearest one is {nearest}"
            )
            mappings.append(f"--map {shlex.quote(f'{column}={nearest}')}")
        what = "; ".join(names) + (f"; and {len(unknown) - _MAX_UNKNOWN} more" if len(unknown) > _MAX_UNKNOWN else "")
        use = f"To use {'it' if len(mappings) == 1 else 'them'}, add {' '.join(mappings)}. " if mappings else ""
        leave = "To leave out all such columns, add --ignore-unknown. "
        start = ""
        if not any(map(self.is_known, header)):
            start, leave = "the first line must be a header that names the columns, but ", ""
        return f"{start}{what}. {use}{leave}The fields are {', '.join(self._line_format.fields)}"


def _join(names: Sequence[str]) -> str:
    return " and ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else names[0]


def _activity_rows(
    positions: Mapping[str, int], constants: Mapping[str, str]
) -> Callable[[list[str], Context], Iterable[Any]]:
    """Return a decoder of rows of activities: this is where an import of CSV spends its time."""
    width = max(positions.values(), default=-1) + 1
    # Fields that rows lack are taken from the values appended to each row: None, or the constants.
    extra: list[str | None] = [None, *constants.values()]
    appended = {field: width + number for number, field in enumerate(constants, 1)}
    take = itemgetter(*(positions.get(field, appended.get(field, width)) for field in _LINE_FIELDS))

    def decode(row: list[str], context: Context) -> tuple[Activity]:
        return (build_or_repair(RawActivity(*take([*row[:width], *extra])), context),)

    return decode


def _check_dates(sample: Sequence[Sequence[str]], positions: Iterable[int], times: TimeFormat) -> None:
    """Raise UnreadableFile if the order of day and month is neither given nor clear from the file."""
    if times.dates is not None:
        return
    for position in positions:
        cells = [row[position] for row in sample if position < len(row)]
        if any(map(is_ambiguous, cells)) and not any(map(guess_order, cells)):
            example = next(filter(is_ambiguous, cells))
            raise UnreadableFile(
                f"dates such as {example!r} can be read as month/day or as day/month: add --dates mdy or --dates dmy"
            )


def infer_dates(sample: Sequence[Sequence[str]]) -> Any:  # noqa: ANN401 - a DateOrder or None
    """Return the order of day and month that a table's cells show, or None."""
    orders = {order for row in sample for cell in row if (order := guess_order(cell)) is not None}
    return orders.pop() if len(orders) == 1 else None


def decode_first(line: bytes) -> Mapping[str, Any] | None:
    """Return the object that a line holds, or None if it holds none."""
    try:
        value = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return value if isinstance(value, Mapping) else None


assert set(FIELDS) <= set(_LINE_FIELDS)  # noqa: S101 - rows are decoded by position
