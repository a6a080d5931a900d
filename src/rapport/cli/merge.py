"""`rapport merge`: make two contacts one."""

import asyncio

import click

from rapport.catalog import ContactMerge
from rapport.cli.command import TAKES_ID, Id, account_option, data_option, get_settings, open_command_store
from rapport.settings import Settings
from rapport.store.merges import MergeResult


@click.command(context_settings=TAKES_ID)
@click.argument("old_id", metavar="OLD", type=Id())
@click.argument("new_id", metavar="NEW", type=Id())
@data_option
@account_option
def merge(old_id: str, new_id: str, data: str | None, account: str) -> None:
    """Merge the contact OLD into the contact NEW.

    NEW gets the activities and attributes of OLD, and whatever arrives under the id OLD later. Activities that both
    have count once. Both ids stand for one contact from then on, which can't be undone, and are erased together.
    Neither contact has to exist yet. To merge many contacts, import a file:

    \b
      rapport merge crm-4711 42
      rapport import merges.csv --type merges     (with the columns contact_id and merged_into)
    """
    request = ContactMerge(old_id, new_id)
    result = asyncio.run(_merge(get_settings(data=data), account, request))
    if result.is_changed:
        activities = f"{result.moved} activities moved, {result.duplicate} duplicate"
        click.echo(f"Merged contact {old_id} into {result.contact_id}: {activities}.")
    else:
        click.echo(f"{old_id} and {new_id} are one contact already: {result.contact_id}.")


async def _merge(settings: Settings, account: str, request: ContactMerge) -> MergeResult:
    async with open_command_store(settings) as store:
        return await store.merges.merge(account, request.contact_id, request.merged_into)
