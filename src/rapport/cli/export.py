"""`rapport export`: print the data of one contact, as NDJSON."""

import asyncio
import sys

import click

from rapport.cli.command import TAKES_ID, Id, account_option, data_option, get_settings, open_command_store
from rapport.recording.exporting import export_activities, export_contact
from rapport.settings import Settings

_ACTIVITIES = "activities"
_CONTACTS = "contacts"


@click.command(context_settings=TAKES_ID, short_help="Print a contact's data, as NDJSON.")
@click.argument("contact_id", type=Id())
@click.option(
    "--type",
    "data_type",
    type=click.Choice((_ACTIVITIES, _CONTACTS)),
    default=_ACTIVITIES,
    show_default=True,
    help="The contact's activities, or the contact's attributes and permission.",
)
@data_option
@account_option
def export(contact_id: str, data_type: str, data: str | None, account: str) -> None:
    """Print a contact's activities as NDJSON, newest first, or its attributes and permission.

    Together they are all data about the contact. The output can be imported again, here or elsewhere:

    \b
      rapport export 42 > 42.ndjson
      rapport import 42.ndjson --data ./another
      rapport export 42 --type contacts > contact.ndjson
      rapport import contact.ndjson --type contacts --data ./another

    If there is no data, nothing is printed and the exit code is 1.
    """
    if not asyncio.run(_export(get_settings(data=data), account, contact_id, data_type)):
        missing = "activities" if data_type == _ACTIVITIES else "attributes"
        raise click.ClickException(f"no {missing} for contact {contact_id} in account {account}")


async def _export(settings: Settings, account: str, contact_id: str, data_type: str) -> int:
    exported = 0
    async with open_command_store(settings) as store:
        if data_type == _ACTIVITIES:
            lines = export_activities(store.activities, account, contact_id)
        else:
            lines = export_contact(store.contacts, store.activities, account, contact_id)
        async for line in lines:
            sys.stdout.buffer.write(line)
            exported += 1
    sys.stdout.buffer.flush()
    return exported
