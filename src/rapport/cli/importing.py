"""`rapport import`: import files of activities, contacts and campaigns."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from rapport.cli.command import account_option, create_option, data_option, now, open_command_store, settings_for
from rapport.errors import UnreadableFile
from rapport.recording.catalog_codec import CAMPAIGNS, CONTACTS
from rapport.recording.files import STANDARD_INPUT
from rapport.recording.importing import ImportResult, import_file, import_updates
from rapport.recording.reader_process import GC_THRESHOLD, RejectedLine
from rapport.settings import Settings
from rapport.store.protocol import Store
from rapport.worker import tune_gc

_SWITCH_INTERVAL: Final = 0.001
"""Seconds that a thread may run while another one waits: a fifth of Python's default."""


@click.command("import", short_help="Record the activities, contacts or campaigns in files of NDJSON or CSV.")
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@click.option(
    "--what",
    type=click.Choice(("activities", "contacts", "campaigns")),
    default="activities",
    show_default=True,
    help="What the lines of the files state.",
)
@data_option
@account_option
@create_option
def import_files(files: tuple[str, ...], what: str, data: str | None, account: str, *, create: bool) -> None:
    """Record the activities in files: .ndjson or .csv, either with .gz, or - for standard input.

    A line of NDJSON is an object, a CSV has the same names as columns. Required are contact_id,
    campaign_activity_id, tracking_activity_type and created_time (ISO 8601 with an offset, or milliseconds
    since 1970). Optional are event_id, campaign_activity_name, campaign_id, email_address, first_name,
    last_name, link_url, url_id, device_type, bounce_code and opt_out_reason.

    \b
      {"contact_id": "42", "campaign_activity_id": "spring", "tracking_activity_type": "em_opens",
       "created_time": "2026-04-02T05:11:34Z"}         (on one line)

    With --what contacts a line has contact_id, and any of updated_at, email_address, first_name, last_name,
    permission_to_send, created_at and deleted_at. With --what campaigns it has campaign_id, and any of updated_at,
    campaign_name, type, type_code, current_status, created_at and campaign_activities, a list; a row of CSV states
    one campaign activity, and one of its links. Of two statements the later by updated_at holds.

    What was recorded before counts as a duplicate and changes nothing, so an import that was interrupted is
    simply started again. Lines that can't be taken go to FILE.rejected.ndjson, each with its number and the
    reason; the exit code is then 1. The first import into an empty directory takes --create.
    """
    settings = settings_for(data=data)
    tune_gc(GC_THRESHOLD)
    # A second thread prepares the next lines and must not delay the writing thread after each round trip.
    sys.setswitchinterval(_SWITCH_INTERVAL)
    try:
        totals = asyncio.run(_import_all(settings, account, files, what, create=create))
    except KeyboardInterrupt:
        click.echo("Stopped. What was counted so far is recorded; start the same import again to go on.", err=True)
        sys.exit(130)
    if len(files) > 1:
        click.echo(f"all: {_format_result(totals.result)}")
    if totals.result.rejected or totals.unreadable:
        sys.exit(1)


class _Totals:
    """The counts of all files together."""

    def __init__(self) -> None:
        self.result = ImportResult()
        self.unreadable = 0

    def add(self, result: ImportResult) -> None:
        """Add the counts of a file."""
        self.result.accepted += result.accepted
        self.result.duplicate += result.duplicate
        self.result.rejected += result.rejected


async def _import_all(settings: Settings, account: str, files: tuple[str, ...], what: str, *, create: bool) -> _Totals:
    totals = _Totals()
    async with open_command_store(settings, create=create) as store:
        for name in files:
            result = ImportResult()
            try:
                await _import_one(store, account, name, what, result)
            except UnreadableFile as exc:
                totals.unreadable += 1
                click.echo(f"Error: {exc if str(exc).startswith(name) else f'{name}: {exc}'}", err=True)
                if result == ImportResult():
                    # Nothing was read: a line of zeros would look like a result.
                    continue
            where = f"; see {_rejected_file(name)}" if result.rejected else ""
            click.echo(f"{name}: {_format_result(result)}{where}")
            totals.add(result)
    return totals


async def _import_one(store: Store, account: str, name: str, what: str, result: ImportResult) -> None:
    with (
        _open_file(name) as file,
        _write_rejected(_rejected_file(name)) as reject,
        _progress_bar(file, name, result) as progress,
    ):
        if what == "activities":
            await import_file(store, account, file, name, result, now=now(), reject=reject, progress=progress)
        elif what == "contacts":
            contacts = partial(store.upsert_contacts, account)
            await import_updates(contacts, file, name, CONTACTS, result, now=now(), reject=reject, progress=progress)
        else:
            campaigns = partial(store.upsert_campaigns, account)
            await import_updates(campaigns, file, name, CAMPAIGNS, result, now=now(), reject=reject, progress=progress)


def _format_result(result: ImportResult) -> str:
    return f"{result.accepted} accepted, {result.duplicate} duplicate, {result.rejected} rejected"


def _rejected_file(name: str) -> Path:
    # Several imports from standard input can run in the same folder.
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


@contextlib.contextmanager
def _write_rejected(path: Path) -> Iterator[Callable[[RejectedLine], None]]:
    """Yield a function that writes rejected lines to a file, which is created when the first one is written.

    The lines contain email addresses, so only the file's owner may read it.
    """
    file: BinaryIO | None = None

    def reject(line: RejectedLine) -> None:
        nonlocal file
        with _translate_write_errors(path):
            if file is None:
                # O_EXCL: in a folder that others can write to, nobody can redirect the lines to a file of theirs.
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
            f"can't write rejected lines to {path}: {exc.strerror}. Free some space, or run the import in another "
            "folder with the file on standard input"
        ) from exc


@contextlib.contextmanager
def _progress_bar(file: BinaryIO, name: str, result: ImportResult) -> Iterator[Callable[[], None]]:
    """Show a progress bar with the counts, if standard error is a terminal, and yield a function that updates it."""
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

        def show() -> None:
            # The subprocess that reads the file shares its position.
            done = os.lseek(file.fileno(), 0, os.SEEK_CUR) if size is not None else 0
            progress.update(task, completed=done, counts=_format_result(result))

        yield show
