"""`rapport migrate`: the schema, and on a cluster where its tables lie."""

import asyncio

import click

from rapport.cli.command import create_option, data_option, open_command_store, settings_for
from rapport.settings import Settings


@click.command(short_help="Bring the schema up to date.")
@data_option
@create_option
def migrate(data: str | None, *, create: bool) -> None:
    """Bring the schema up to date, and spread the tables over a cluster.

    Every command brings the schema up to date by itself, and several at once are safe. What is left to this one is
    Citus: on a database that has the extension, it puts all of a contact on one shard and the small tables on every
    node, with whatever is in them. Servers are to be stopped meanwhile. A new database takes --create.

    \b
      rapport migrate --data postgresql://rapport@coordinator/rapport
    """
    for sentence in asyncio.run(_migrate(settings_for(data=data), create=create)):
        click.echo(sentence)
    click.echo("All is up to date.")


async def _migrate(settings: Settings, *, create: bool) -> list[str]:
    async with open_command_store(settings, create=create) as store:
        return await store.migrate()
