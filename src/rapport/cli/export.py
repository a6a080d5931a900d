"""`rapport export`: all that is held about one contact, as NDJSON."""

import asyncio
import sys
from collections.abc import AsyncIterator

import click

from rapport.cli.command import AccountId, account_option, data_option, settings_for
from rapport.recording.catalogue_lines import json_of_contact
from rapport.recording.lines import json_of
from rapport.settings import Settings
from rapport.store.catalogue import statements_of_contact
from rapport.store.engines import opened
from rapport.store.protocol import Store


@click.command(short_help="Print what is held about a contact, as NDJSON.")
@click.argument("contact_id", type=AccountId())
@click.option(
    "--what",
    type=click.Choice(("activities", "contact")),
    default="activities",
    show_default=True,
    help="What the contact did, or what was stated of it besides.",
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
    async with opened(settings, create=False) as store:
        lines = _activities if what == "activities" else _statements
        async for line in lines(store, account, contact_id):
            sys.stdout.buffer.write(line + b"\n")
            exported += 1
    sys.stdout.buffer.flush()
    return exported


async def _activities(store: Store, account: str, contact_id: str) -> AsyncIterator[bytes]:
    async for activity in store.history(account, contact_id):
        yield json_of(activity)


async def _statements(store: Store, account: str, contact_id: str) -> AsyncIterator[bytes]:
    stored = await store.stated_contact(account, contact_id)
    for statement in () if stored is None else statements_of_contact(stored):
        yield json_of_contact(statement)
