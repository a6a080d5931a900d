"""`rapport check`: verify the counters against the activities."""

import asyncio
import sys

import click

from rapport.activity import TYPE_NAMES, ActivityType, BounceCode, DeviceType
from rapport.catalog import DefinitionType, OptOutSource, PermissionToSend
from rapport.cli.command import data_option, get_settings, open_command_store
from rapport.instant import iso
from rapport.settings import Settings
from rapport.store.permission import PermissionColumns
from rapport.store.rollups import COMPLAINT
from rapport.store.subresources import DerivedContact
from rapport.store.verification import CounterMismatch, Counts, DerivedMismatch, PermissionMismatch


@click.command(short_help="Verify all counters against the activities.")
@data_option
@click.option("--repair", is_flag=True, help="Correct the mismatches.")
def check(data: str | None, *, repair: bool) -> None:
    """Count all activities and compare the result with the stored counters.

    The permission of each contact is compared too, with the result of its opt-outs, sign-ups and updates, and so are
    its lists and tags, and when it was created.

    Counters are updated in the transaction that records, so mismatches are only expected if the database was changed
    by other means. Each mismatch is printed on a line; if any isn't repaired, the exit code is 1. Servers can keep
    running; requests that record activities have to wait only while a mismatching campaign activity is counted again.

    \b
      rapport check
      rapport check --repair
    """
    mismatches = asyncio.run(_check(get_settings(data=data), repair=repair))
    if mismatches == 0:
        click.echo("All counters match.")
    elif repair:
        click.echo(f"{mismatches} mismatches repaired.")
    else:
        click.echo(f"{mismatches} mismatches found; run `rapport check --repair`.", err=True)
        sys.exit(1)


async def _check(settings: Settings, *, repair: bool) -> int:
    mismatches = 0
    async with open_command_store(settings) as store:
        async for mismatch in store.verification.verify(repair=repair):
            if isinstance(mismatch, PermissionMismatch):
                click.echo(format_permission(mismatch))
            elif isinstance(mismatch, DerivedMismatch):
                click.echo(format_derived(mismatch))
            else:
                click.echo(format_counter(mismatch))
            mismatches += 1
    return mismatches


def format_permission(mismatch: PermissionMismatch) -> str:
    """Return a line about a contact's mismatching permission."""
    subject = f"{mismatch.account_id} contact {mismatch.contact_id}"
    return f"{subject}: {_format_columns(mismatch.stored)}, should be {_format_columns(mismatch.expected)}"


def format_derived(mismatch: DerivedMismatch) -> str:
    """Return a line about the mismatching creation, lists and tags of a contact."""
    subject = f"{mismatch.account_id} contact {mismatch.contact_id}"
    return f"{subject}: {_format_contact(mismatch.stored)}, should be {_format_contact(mismatch.expected)}"


def _format_contact(contact: DerivedContact) -> str:
    rows = sorted(contact.memberships)
    names = [f"{DefinitionType(row.type).name.lower()} {row.definition_id} from {iso(row.created_at)}" for row in rows]
    times = f"created {_format_time(contact.created_at)} updated {_format_time(contact.updated_at)}"
    return " ".join([times, *names])


def _format_columns(columns: PermissionColumns) -> str:
    permission, date, source, reason = columns
    words = ["no permission" if permission is None else PermissionToSend(permission).name.lower()]
    if date is not None:
        words.append(f"since {iso(date)}")
    if source is not None:
        words.append(f"by {OptOutSource(source).name.lower()}")
    if reason is not None:
        words.append(repr(reason))
    return " ".join(words)


def format_counter(mismatch: CounterMismatch) -> str:
    """Return a line about a mismatching counter."""
    words = [TYPE_NAMES[mismatch.type]]
    if mismatch.detail is not None:
        words.append(_format_detail(mismatch.type, mismatch.detail))
    if mismatch.url_id is not None:
        words.append(f"link {mismatch.url_id}")
    if mismatch.hour is not None:
        words.append(f"in the hour from {iso(mismatch.hour)}")
    if mismatch.contact_id is not None:
        words.append(f"contact {mismatch.contact_id}")
    subject = f"{mismatch.account_id} {mismatch.campaign_activity_id} {' '.join(words)}"
    is_contact = mismatch.contact_id is not None
    stored, expected = (
        _format_counts(counts, is_contact=is_contact) for counts in (mismatch.stored, mismatch.expected)
    )
    return f"{subject}: {stored}, should be {expected}"


def _format_detail(activity_type: ActivityType, detail: int) -> str:
    if activity_type is ActivityType.EM_BOUNCES:
        return BounceCode(detail).name
    if detail == COMPLAINT:
        return "complaints"
    return DeviceType(detail).name.lower()


def _format_counts(counts: Counts | None, *, is_contact: bool) -> str:
    if counts is None:
        return "none"
    number, *rest = counts
    if not rest:
        return f"{number}"
    if is_contact:
        (last_time,) = rest
        return f"{number} until {_format_time(last_time)}"
    contacts, last_time = rest
    return f"{number}{'' if contacts is None else f' of {contacts} contacts'} until {_format_time(last_time)}"


def _format_time(time: int | None) -> str:
    return "never" if time is None else iso(time)
