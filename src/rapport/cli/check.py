"""`rapport check`: are the counts what the activities add up to?"""

import asyncio
import sys

import click

from rapport.activity import TYPE_NAMES, ActivityType, BounceCode, DeviceType
from rapport.catalogue import OptOutSource, PermissionToSend
from rapport.cli.command import data_option, open_command_store, settings_for
from rapport.instant import iso
from rapport.settings import Settings
from rapport.store.permission import PermissionColumns
from rapport.store.verification import CounterMismatch, Counts, PermissionMismatch


@click.command()
@data_option
@click.option("--repair", is_flag=True, help="Put right what differs.")
def check(data: str | None, *, repair: bool) -> None:
    """Recount all activities, and compare what was counted.

    The permission of every contact is compared as well with what its opt-outs, sign-ups and statements come to.

    They change in the transaction that records, so there is nothing to find unless somebody wrote to the database by
    other means. Every difference is a line; with any that was not put right the exit code is 1. Servers may go on:
    who records waits only while a campaign activity that differs is recounted.

    \b
      rapport check
      rapport check --repair
    """
    found = asyncio.run(_check(settings_for(data=data), repair=repair))
    if found == 0:
        click.echo("All counts are right.")
    elif repair:
        click.echo(f"{found} were wrong, and are right now.")
    else:
        click.echo(f"{found} are wrong: rapport check --repair puts them right.", err=True)
        sys.exit(1)


async def _check(settings: Settings, *, repair: bool) -> int:
    found = 0
    async with open_command_store(settings) as store:
        async for difference in store.verification.verify(repair=repair):
            click.echo(
                format_permission(difference) if isinstance(difference, PermissionMismatch) else told(difference)
            )
            found += 1
    return found


def format_permission(difference: PermissionMismatch) -> str:
    """Return a contact's permission that differs as a line."""
    where = f"{difference.account_id} contact {difference.contact_id}"
    return f"{where}: {_format_columns(difference.stored)}, should be {_format_columns(difference.expected)}"


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


def told(difference: CounterMismatch) -> str:
    """A difference as a line."""
    of = [TYPE_NAMES[difference.type]]
    if difference.detail is not None:
        of.append(_detail(difference.type, difference.detail))
    if difference.url_id is not None:
        of.append(f"link {difference.url_id}")
    if difference.hour is not None:
        of.append(f"from {iso(difference.hour)} on, an hour long")
    if difference.contact_id is not None:
        of.append(f"contact {difference.contact_id}")
    where = f"{difference.account_id} {difference.campaign_activity_id} {' '.join(of)}"
    of_contact = difference.contact_id is not None
    return f"{where}: {_counts(difference.stored, of_contact)}, should be {_counts(difference.expected, of_contact)}"


def _detail(activity_type: ActivityType, detail: int) -> str:
    if activity_type is ActivityType.EM_BOUNCES:
        return BounceCode(detail).name
    return DeviceType(detail).name.lower()


def _counts(counts: Counts | None, of_contact: bool) -> str:  # noqa: FBT001 - what is told
    if counts is None:
        return "none"
    number, *rest = counts
    if not rest:
        return f"{number}"
    if of_contact:
        (last_time,) = rest
        return f"{number} until {_time(last_time)}"
    contacts, last_time = rest
    return f"{number}{'' if contacts is None else f' of {contacts} contacts'} until {_time(last_time)}"


def _time(time: int | None) -> str:
    return "never" if time is None else iso(time)
