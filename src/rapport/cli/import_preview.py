"""`rapport import --preview`: show the first rows of a file as they would be recorded."""

import itertools
from typing import Any, BinaryIO, Final

import click

from rapport.activity import Activity
from rapport.catalog import CampaignUpdate, ContactUpdate, DefinitionUpdate
from rapport.cli.command import now
from rapport.cli.import_output import format_rejected, format_warning
from rapport.recording.activity_codec import LineFormat, encode_activity
from rapport.recording.catalog_codec import encode_contact
from rapport.recording.files import read_file
from rapport.recording.options import ImportOptions
from rapport.recording.reader_process import describe_rejected
from rapport.recording.reading_log import ReadingLog
from rapport.recording.tables import InvalidLine

ROWS: Final = 10


def preview(file: BinaryIO, name: str, line_format: LineFormat[Any], options: ImportOptions) -> int:
    """Print the first rows, with warnings and mistakes. Return how many can't be recorded. Raises UnreadableFile."""
    log = ReadingLog()
    mistakes = 0
    for line in itertools.islice(read_file(file, name, now(), line_format, options=options, log=log), ROWS):
        for note in log.notes:
            click.echo(f"{name}: {note}")
        log.notes.clear()
        if isinstance(line, InvalidLine):
            mistakes += 1
            click.echo(f"rejected, {format_rejected(describe_rejected(line, log.member))}")
            continue
        click.echo(f"line {log.line}: {_encode(line)}")
        for notice in log.notices.values():
            click.echo(f"  warning: {format_warning(notice)}")
        log.notices.clear()
    for label, count in log.skipped.items():
        click.echo(f"skipped: {count} {label}")
    click.echo("This is a preview: nothing was recorded.")
    return mistakes


def _encode(line: Activity | ContactUpdate | CampaignUpdate | DefinitionUpdate) -> str:
    if isinstance(line, Activity):
        return encode_activity(line).decode()
    if isinstance(line, ContactUpdate):
        return encode_contact(line).decode()
    if isinstance(line, DefinitionUpdate):
        noun = line.type.name.lower().replace("_", " ")
        return f"{noun} {line.definition_id}" + (f": {line.name}" if line.name else "")
    names = ", ".join(activity.campaign_activity_id for activity in line.campaign_activities)
    return f"campaign {line.campaign_id}" + (f" with {names}" if names else "")
