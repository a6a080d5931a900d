"""`rapport import`: import files of activities, contacts, lists, tags, custom fields and campaigns."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final

import click

from rapport.cli.command import account_option, create_option, data_option, get_settings, now, open_command_store
from rapport.cli.import_options import reading_options
from rapport.cli.import_output import Mistakes, format_counts, format_remarks, show_progress, write_rejected
from rapport.cli.import_preview import preview
from rapport.errors import UnreadableFile
from rapport.recording.activity_codec import LineFormat
from rapport.recording.catalog_codec import CAMPAIGNS, CONTACTS, MERGES
from rapport.recording.decoding import ACTIVITIES
from rapport.recording.definition_codec import CUSTOM_FIELDS, LISTS, TAGS
from rapport.recording.files import STANDARD_INPUT
from rapport.recording.importing import ImportResult, import_file, import_updates
from rapport.recording.options import ImportOptions
from rapport.recording.reader_process import GC_THRESHOLD, RejectedLine
from rapport.settings import Settings
from rapport.store.store import Store
from rapport.worker import tune_gc

_SWITCH_INTERVAL: Final = 0.001
"""Seconds that a thread may run while another one waits: a fifth of Python's default."""

_LINE_FORMATS: Final[dict[str, LineFormat[Any]]] = {
    "activities": ACTIVITIES,
    "contacts": CONTACTS,
    "campaigns": CAMPAIGNS,
    "lists": LISTS,
    "tags": TAGS,
    "custom_fields": CUSTOM_FIELDS,
    "merges": MERGES,
}


@click.command("import", short_help="Import activities, contacts, lists or campaigns.")
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@click.option(
    "--type",
    "data_type",
    type=click.Choice(tuple(_LINE_FORMATS)),
    default="activities",
    show_default=True,
    help="The type of the data in the files.",
)
@reading_options
@click.option("--preview", "is_preview", is_flag=True, help="Show the first rows as they would be recorded, and stop.")
@data_option
@account_option
@create_option
def import_files(
    files: tuple[str, ...],
    *,
    data_type: str,
    options: ImportOptions,
    data: str | None,
    account: str,
    is_preview: bool,
    create: bool,
) -> None:
    """Import activities from files, or - for standard input: CSV, JSON, NDJSON or Excel, also compressed.

    A line of NDJSON is an object; a CSV file has the same names as columns. Exports of other systems are recognized:
    see docs/import.md. Required are contact_id,
    campaign_activity_id, tracking_activity_type and created_time (ISO 8601 with an offset, or seconds or
    milliseconds since 1970). Optional are event_id, campaign_activity_name, campaign_id, email_address, first_name,
    last_name, link_url, url_id, device_type, bounce_code and opt_out_reason.

    \b
      {"contact_id": "42", "campaign_activity_id": "spring", "tracking_activity_type": "em_opens",
       "created_time": "2026-04-02T05:11:34Z"}         (on one line)

    With --type contacts, a line has contact_id, and any of updated_at, email_address, first_name, last_name,
    permission_to_send, created_at, deleted_at, list_memberships, taggings, custom_fields and others: see
    docs/recording.md. With --type lists, tags or custom_fields, it has list_id, tag_id or custom_field_id, and any of
    updated_at, name (label of a custom field), created_at and deleted_at. With --type campaigns, it has campaign_id,
    and any of updated_at, campaign_name, type, type_code, current_status, created_at and campaign_activities (a list);
    a row of CSV has one campaign activity with one of its links. Of two updates, the one with the later updated_at
    wins.

    Lines that were recorded before count as duplicates and change nothing, so an interrupted import can be run
    again. Invalid lines are written to FILE.rejected.ndjson with their line numbers and the reasons; the exit code is
    then 1. The first import into an empty directory needs --create.
    """
    if is_preview:
        _preview_all(files, _LINE_FORMATS[data_type], options)
        return
    settings = get_settings(data=data)
    tune_gc(GC_THRESHOLD)
    # A second thread prepares the next lines and must not delay the writing thread after each round trip.
    sys.setswitchinterval(_SWITCH_INTERVAL)
    try:
        totals = asyncio.run(_import_all(settings, account, files, data_type, options, create=create))
    except KeyboardInterrupt:
        click.echo("Stopped. Run the same command again to continue; recorded lines are skipped.", err=True)
        sys.exit(130)
    if len(files) > 1:
        click.echo(f"all: {format_counts(totals.result)}")
    if totals.result.rejected or totals.unreadable:
        sys.exit(1)


class _Totals:
    """The totals of all files."""

    def __init__(self) -> None:
        self.result = ImportResult()
        self.unreadable = 0

    def add(self, result: ImportResult) -> None:
        """Add the result of a file."""
        self.result.accepted += result.accepted
        self.result.duplicate += result.duplicate
        self.result.rejected += result.rejected
        self.result.add([], result.skipped, result.notices)


def _preview_all(files: tuple[str, ...], line_format: LineFormat[Any], options: ImportOptions) -> None:
    mistakes = 0
    for name in files:
        try:
            with _open_file(name) as file:
                mistakes += preview(file, name, line_format, options)
        except UnreadableFile as exc:
            mistakes += 1
            click.echo(f"Error: {_with_name(exc, name)}", err=True)
    if mistakes:
        sys.exit(1)


def _with_name(exc: UnreadableFile, name: str) -> str:
    return str(exc) if str(exc).startswith(name) else f"{name}: {exc}"


async def _import_all(
    settings: Settings, account: str, files: tuple[str, ...], data_type: str, options: ImportOptions, *, create: bool
) -> _Totals:
    totals = _Totals()
    async with open_command_store(settings, create=create) as store:
        for name in files:
            result = ImportResult()
            mistakes = Mistakes(name)
            try:
                await _import_one(store, account, name, data_type, options=options, result=result, mistakes=mistakes)
            except UnreadableFile as exc:
                totals.unreadable += 1
                click.echo(f"Error: {_with_name(exc, name)}", err=True)
                if not (result.accepted or result.duplicate or result.rejected):
                    # Nothing was read, and a line of zeros would look like a result.
                    continue
            where = f"; see {_rejected_file(name)}" if result.rejected else ""
            click.echo(f"{name}: {format_counts(result)}{where}")
            for remark in format_remarks(result):
                click.echo(f"  {remark}")
            for advice in mistakes.advise(_rejected_file(name)):
                click.echo(f"rapport: {advice}", err=True)
            totals.add(result)
    return totals


async def _import_one(
    store: Store,
    account: str,
    name: str,
    data_type: str,
    *,
    options: ImportOptions,
    result: ImportResult,
    mistakes: Mistakes,
) -> None:
    with (
        _open_file(name) as file,
        write_rejected(_rejected_file(name)) as write,
        show_progress(file, name, result) as (progress, echo),
    ):
        mistakes.echo = echo

        def reject(line: RejectedLine) -> None:
            write(line)
            mistakes.add(line)

        rest: dict[str, Any] = {"now": now(), "reject": reject, "progress": progress, "options": options}
        if data_type == "activities":
            await import_file(store.ingest, account, file, name, result, **rest)
        elif data_type == "merges":
            await import_updates(partial(store.merges.merge_all, account), file, name, MERGES, result, **rest)
        else:
            repositories: dict[str, Any] = {"contacts": store.contacts, "campaigns": store.campaigns}
            upsert = repositories.get(data_type, store.definitions).upsert
            await import_updates(partial(upsert, account), file, name, _LINE_FORMATS[data_type], result, **rest)


def _rejected_file(name: str) -> Path:
    # Of several imports from standard input in one folder, each has its own.
    return Path((f"stdin-{os.getpid()}" if name == STANDARD_INPUT else name) + ".rejected.ndjson")


@contextlib.contextmanager
def _open_file(name: str) -> Iterator[BinaryIO]:
    if name == STANDARD_INPUT:
        if sys.stdin is None:
            raise UnreadableFile(f"{name}: standard input is closed")
        yield sys.stdin.buffer
        return
    with contextlib.ExitStack() as files:
        try:
            file = files.enter_context(Path(name).open("rb"))
        except OSError as exc:
            raise UnreadableFile(f"{name}: {exc.strerror}") from None
        yield file
