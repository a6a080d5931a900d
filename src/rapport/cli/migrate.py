"""`rapport migrate`: the schema, and on a cluster where its tables lie."""

import asyncio

import click

from rapport.cli.command import data_option, settings_for
from rapport.settings import Settings
from rapport.store.engines import opened


@click.command(short_help="Bring the schema up to date.")
@data_option
def migrate(data: str | None) -> None:
    """Bring the schema up to date, and spread the tables over a cluster.

    Every command brings the schema up to date by itself, and several at once are safe. What is left to this one is
    Citus: on a database that has the extension, it puts all of a contact on one shard and the small tables on every
    node, with whatever is in them. Servers are to be stopped meanwhile.

    \b
      rapport migrate --data postgresql://rapport@coordinator/rapport
    """
    for sentence in asyncio.run(_migrate(settings_for(data=data))):
        click.echo(sentence)
    click.echo("All is up to date.")


async def _migrate(settings: Settings) -> list[str]:
    async with opened(settings) as store:
        return await store.migrate()
