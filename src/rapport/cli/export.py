"""`rapport export`: write the data of a contact, a report or an account as NDJSON, CSV or Parquet."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rapport.activity import EARLIEST, is_id
from rapport.catalog import DefinitionType
from rapport.cli.command import TAKES_ID, Id, account_option, data_option, get_settings, open_command_store
from rapport.errors import UnreadableFile
from rapport.instant import MAX_INSTANT, Instant, from_datetime, parse_instant
from rapport.recording.export import (
    ACTIVITY_COLUMNS,
    CONTACT_COLUMNS,
    DEFINITION_COLUMNS,
    MERGE_COLUMNS,
    ExportPeriod,
    Rows,
    export_account_activities,
    export_campaigns,
    export_contact,
    export_contact_activities,
    export_contacts,
    export_definitions,
    export_merges,
    export_report,
    get_campaign_columns,
    write_rows,
)
from rapport.recording.export_formats import Column, ExportFormat, Row, make_writer
from rapport.settings import Settings
from rapport.store.contacts import ContactQuery
from rapport.store.store import Store
from rapport.store.tracking import TRACKING_REPORTS
from rapport.worker import tune_gc

_ACTIVITIES: Final = "activities"
_CONTACTS: Final = "contacts"
_CAMPAIGNS: Final = "campaigns"
_MERGES: Final = "merges"
_DEFINITIONS: Final = {
    "lists": DefinitionType.LIST,
    "tags": DefinitionType.TAG,
    "custom_fields": DefinitionType.CUSTOM_FIELD,
}


class _Time(click.ParamType[Instant]):
    """A date, or an ISO 8601 time with an offset. A date is the start of its day in UTC, or the end with `at_end`."""

    name = "time"

    def __init__(self, *, at_end: bool) -> None:
        self._at_end = at_end

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Instant:
        """Return the instant."""
        text = str(value).strip()
        with contextlib.suppress(ValueError):
            day = date.fromisoformat(text)
            clock = time(23, 59, 59, 999_000) if self._at_end else time()
            return from_datetime(datetime.combine(day, clock, UTC))
        try:
            return parse_instant(text)
        except ValueError:
            self.fail(f"{text!r} must be a date or a time with an offset: 2026-04-02, 2026-04-02T05:11:34Z", param, ctx)


class _Request(NamedTuple):
    """What to export."""

    data_type: str
    contact_id: str | None
    activity_id: str | None
    report: str
    period: ExportPeriod


@click.command(context_settings=TAKES_ID, short_help="Export data as NDJSON, CSV or Parquet.")
@click.argument("contact_id", type=Id(), required=False)
@click.option(
    "--type",
    "data_type",
    type=click.Choice((_ACTIVITIES, _CONTACTS, _CAMPAIGNS, *_DEFINITIONS, _MERGES)),
    default=_ACTIVITIES,
    show_default=True,
    help="The type of the data.",
)
@click.option("--activity", "activity_id", metavar="ID", help="Only a report on this campaign activity.")
@click.option(
    "--report",
    type=click.Choice(tuple(TRACKING_REPORTS)),
    default="sends",
    show_default=True,
    help="The report on the campaign activity.",
)
@click.option("--after", type=_Time(at_end=False), help="Only activities at this date or time, or later.")
@click.option("--before", type=_Time(at_end=True), help="Only activities at this date or time, or earlier.")
@click.option(
    "--format",
    "export_format",
    type=click.Choice([export_format.value for export_format in ExportFormat]),
    help="The format. [default: the suffix of the output file, or ndjson]",
)
@click.option("--bom", is_flag=True, help="Begin CSV with a byte order mark, so that Excel reads it as UTF-8.")
@click.option("--output", "-o", metavar="FILE", help="The file to write. [default: standard output]")
@data_option
@account_option
def export(
    contact_id: str | None,
    *,
    data_type: str,
    activity_id: str | None,
    report: str,
    after: Instant | None,
    before: Instant | None,
    export_format: str | None,
    bom: bool,
    output: str | None,
    data: str | None,
    account: str,
) -> None:
    """Export the data of a contact, a report on a campaign activity, or a whole account, newest first.

    The output can be imported again, here or elsewhere. In CSV, an apostrophe before a cell that begins with =, +, -
    or @ keeps spreadsheets from computing it; an import removes it again.

    \b
      rapport export 42                                 The activities of a contact
      rapport export 42 --type contacts                 Its attributes and its permission to send
      rapport export --activity spring-1 --report opens -o opens.csv --bom
      rapport export --after 2026-01-01 --before 2026-03-31 -o quarter.parquet
      rapport export --type contacts -o contacts.csv    All contacts

    If there is no data, the exit code is 1.
    """
    if contact_id is not None and (activity_id is not None or data_type not in {_ACTIVITIES, _CONTACTS}):
        raise click.UsageError("a contact can't be combined with --activity, nor with --type except contacts")
    if data_type != _ACTIVITIES and (activity_id is not None or after is not None or before is not None):
        raise click.UsageError("--activity, --after and --before are for --type activities only")
    if activity_id is not None and not is_id(activity_id):
        raise click.UsageError(f"--activity {activity_id!r} isn't a valid id")
    chosen = _choose_format(export_format, output)
    if bom and chosen is not ExportFormat.CSV:
        raise click.UsageError("--bom is for CSV only")
    period = ExportPeriod(EARLIEST if after is None else after, MAX_INSTANT if before is None else before)
    tune_gc()
    request = _Request(data_type, contact_id, activity_id, report, period)
    if not asyncio.run(_export(get_settings(data=data), account, request, chosen, output, with_bom=bom)):
        raise click.ClickException(_describe_missing(request, account))


def _choose_format(name: str | None, output: str | None) -> ExportFormat:
    if name is None:
        suffix = "" if output is None else Path(output).suffix.removeprefix(".").lower()
        name = suffix if suffix in {export_format.value for export_format in ExportFormat} else "ndjson"
    return ExportFormat(name)


def _describe_missing(request: _Request, account: str) -> str:
    missing = "attributes" if request.data_type == _CONTACTS else request.data_type.replace("_", " ")
    of = "" if request.contact_id is None else f" for contact {request.contact_id}"
    of = of if request.activity_id is None else f" in the report {request.report} on {request.activity_id}"
    return f"no {missing}{of} in account {account}"


async def _export(
    settings: Settings,
    account: str,
    request: _Request,
    export_format: ExportFormat,
    output: str | None,
    *,
    with_bom: bool,
) -> int:
    """Write the rows, and return how many."""
    async with open_command_store(settings) as store:
        columns, rows = _select(store, account, request, export_format)
        writer = make_writer(export_format, columns, with_bom=with_bom)
        whole_account = request.data_type == _ACTIVITIES and request.contact_id is None and request.activity_id is None
        contacts = await store.contacts.count(account, ContactQuery(limit=1)) if whole_account else None
        with _open_output(output) as file, _show_progress(contacts, output) as count:
            async for part in write_rows(count(rows), writer):
                file.write(part)
            file.flush()
        return count.rows


def _select(
    store: Store, account: str, request: _Request, export_format: ExportFormat
) -> tuple[Sequence[Column], Rows]:
    if request.data_type == _CAMPAIGNS:
        return get_campaign_columns(export_format), export_campaigns(store, account, export_format)
    if request.data_type in _DEFINITIONS:
        definition_type = _DEFINITIONS[request.data_type]
        return DEFINITION_COLUMNS[definition_type], export_definitions(store, account, definition_type)
    if request.data_type == _MERGES:
        return MERGE_COLUMNS, export_merges(store, account)
    if request.data_type == _CONTACTS:
        contact_id = request.contact_id
        rows = export_contacts(store, account) if contact_id is None else export_contact(store, account, contact_id)
        return CONTACT_COLUMNS, rows
    return ACTIVITY_COLUMNS, _select_activities(store, account, request)


def _select_activities(store: Store, account: str, request: _Request) -> Rows:
    if request.contact_id is not None:
        return export_contact_activities(store, account, request.contact_id, request.period)
    if request.activity_id is not None:
        report = TRACKING_REPORTS[request.report]
        return export_report(store, account, request.activity_id, report, request.period)
    return export_account_activities(store, account, request.period)


@contextlib.contextmanager
def _open_output(output: str | None) -> Iterator[BinaryIO]:
    """Open the output: a new file that only its owner can read, as it contains personal data."""
    if output is None or output == "-":
        yield sys.stdout.buffer
        return
    path = Path(output)
    try:
        with path.open("wb") as file:
            path.chmod(0o600)
            yield file
    except OSError as exc:
        raise UnreadableFile(f"{output} can't be written: {exc.strerror}") from exc


class _Counter:
    """Counts rows, and the contacts that they belong to, while they are exported."""

    def __init__(self, update: Callable[[int, int], None]) -> None:
        self.rows = 0
        self._contacts = 0
        self._last: object = None
        self._update = update

    async def __call__(self, rows: Rows) -> AsyncIterator[Sequence[Row]]:
        """Yield the rows."""
        async for batch in rows:
            for row in batch:
                if row[0] != self._last:
                    self._last = row[0]
                    self._contacts += 1
            self.rows += len(batch)
            yield batch
            self._update(self._contacts, self.rows)


@contextlib.contextmanager
def _show_progress(contacts: int | None, output: str | None) -> Iterator[_Counter]:
    """Show a bar on standard error that follows the contacts, unless it isn't a terminal or rows are printed there."""
    console = Console(stderr=True)
    is_shown = console.is_terminal and not (output is None and sys.stdout.isatty())
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("contacts, {task.fields[rows]:,} rows"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not is_shown, transient=True) as progress:
        task = progress.add_task(output or "export", total=contacts, rows=0)
        yield _Counter(lambda done, rows: progress.update(task, completed=done, rows=rows))
