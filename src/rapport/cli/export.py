"""`rapport export`: what is recorded of one contact, as NDJSON."""

import asyncio
import sys

import click

from rapport.cli.command import AccountId, account_option, data_option, settings_for
from rapport.recording.lines import json_of
from rapport.settings import Settings
from rapport.store.engines import opened


@click.command()
@click.argument("contact_id", type=AccountId())
@data_option
@account_option
def export(contact_id: str, data: str | None, account: str) -> None:
    """Print a contact's activities as NDJSON, newest first.

    What is printed can be imported again as it is, here or elsewhere:

    \b
      rapport export 42 > 42.ndjson
      rapport import 42.ndjson --data ./another

    A contact that isn't known prints nothing, and ends with exit code 1.
    """
    if not asyncio.run(_export(settings_for(data=data), account, contact_id)):
        raise click.ClickException(f"the account {account} has no contact {contact_id}")


async def _export(settings: Settings, account: str, contact_id: str) -> int:
    exported = 0
    async with opened(settings, create=False) as store:
        async for activity in store.history(account, contact_id):
            sys.stdout.buffer.write(json_of(activity) + b"\n")
            exported += 1
    sys.stdout.buffer.flush()
    return exported
