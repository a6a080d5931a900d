"""`rapport erase`: erase a contact."""

import asyncio
import sys

import click

from rapport.cli.command import TAKES_ID, Id, account_option, data_option, get_settings, open_command_store
from rapport.settings import Settings


@click.command(context_settings=TAKES_ID)
@click.argument("contact_id", type=Id())
@data_option
@account_option
@click.option("--yes", is_flag=True, help="Don't ask for confirmation.")
def erase(contact_id: str, data: str | None, account: str, *, yes: bool) -> None:
    """Erase a contact and all of its activities permanently.

    Campaign totals stay the same. Activities from before the erasure that arrive later, for example in an old file that
    is imported again, count as duplicates and don't bring the contact back. Earlier backups and exports still contain
    the contact.

    \b
      rapport export 42 > 42.ndjson     (the contact's data, to hand over)
      rapport erase 42
    """
    if not yes:
        if sys.stdin is None:
            raise click.UsageError("standard input is closed, so nobody can confirm: add --yes")
        question = f"Erase contact {contact_id} of account {account} and all of its activities permanently?"
        click.confirm(question, abort=True)
    if not asyncio.run(_erase(get_settings(data=data), account, contact_id)):
        raise click.ClickException(f"no contact {contact_id} in account {account}")
    click.echo(f"Erased contact {contact_id}.")


async def _erase(settings: Settings, account: str, contact_id: str) -> bool:
    async with open_command_store(settings) as store:
        return await store.erasure.erase(account, contact_id)
