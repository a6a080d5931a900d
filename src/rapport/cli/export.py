"""`rapport export`: all that is held about one contact, as NDJSON."""

import asyncio
import sys

import click

from rapport.cli.command import TAKES_ID, Id, account_option, data_option, open_command_store, settings_for
from rapport.recording.exporting import export_activities, export_contact
from rapport.settings import Settings


@click.command(context_settings=TAKES_ID, short_help="Print what is held about a contact, as NDJSON.")
@click.argument("contact_id", type=Id())
@click.option(
    "--what",
    type=click.Choice(("activities", "contact")),
    default="activities",
    show_default=True,
    help="What the contact did, or what was stated of it and its permission.",
)
@data_option
@account_option
def export(contact_id: str, what: str, data: str | None, account: str) -> None:
    """Print a contact's activities as NDJSON, newest first; or what was stated of it besides.

    Both together are all that is held about it. What is printed can be imported again as it is, here or elsewhere:

    \b
      rapport export 42 > 42.ndjson
      rapport import 42.ndjson --data ./another
      rapport export 42 --what contact > contact.ndjson
      rapport import contact.ndjson --what contacts --data ./another

    A contact of which nothing is held prints nothing, and ends with exit code 1.
    """
    if not asyncio.run(_export(settings_for(data=data), account, contact_id, what)):
        nothing = "has no activities of" if what == "activities" else "was told nothing of"
        raise click.ClickException(f"the account {account} {nothing} contact {contact_id}")


async def _export(settings: Settings, account: str, contact_id: str, what: str) -> int:
    exported = 0
    async with open_command_store(settings) as store:
        if what == "activities":
            lines = export_activities(store.activities, account, contact_id)
        else:
            lines = export_contact(store.contacts, store.activities, account, contact_id)
        async for line in lines:
            sys.stdout.buffer.write(line)
            exported += 1
    sys.stdout.buffer.flush()
    return exported
