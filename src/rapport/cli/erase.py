"""`rapport erase`: a person is forgotten."""

import asyncio
import sys

import click

from rapport.cli.command import TAKES_ID, Id, account_option, data_option, open_command_store, settings_for
from rapport.settings import Settings


@click.command(context_settings=TAKES_ID)
@click.argument("contact_id", type=Id())
@data_option
@account_option
@click.option("--yes", is_flag=True, help="Don't ask.")
def erase(contact_id: str, data: str | None, account: str, *, yes: bool) -> None:
    """Erase a contact and all that it did, for good.

    The counts of its campaigns keep their numbers. What comes in later about the time until now, an old file
    that is imported again say, counts as a duplicate and does not bring the contact back. Backups that were made
    before still hold it, and so do exports.

    \b
      rapport export 42 > 42.ndjson     what is held of the contact, to hand over
      rapport erase 42
    """
    if not yes:
        if sys.stdin is None:
            raise click.UsageError("standard input is closed, so nobody can confirm: add --yes")
        click.confirm(f"Erase contact {contact_id} of account {account} and all that it did, for good?", abort=True)
    if not asyncio.run(_erase(settings_for(data=data), account, contact_id)):
        raise click.ClickException(f"the account {account} has no contact {contact_id}")
    click.echo(f"Contact {contact_id} is erased.")


async def _erase(settings: Settings, account: str, contact_id: str) -> bool:
    async with open_command_store(settings) as store:
        return await store.erasure.erase(account, contact_id)
