"""`rapport migrate`: migrate the schema, and distribute the tables over a cluster."""

import asyncio

import click

from rapport.cli.command import create_option, data_option, get_settings, open_command_store
from rapport.settings import Settings


@click.command(short_help="Bring the schema up to date.")
@data_option
@create_option
def migrate(data: str | None, *, create: bool) -> None:
    """Migrate the schema, and distribute the tables over a Citus cluster.

    Every command migrates the schema automatically; running several at once is safe. Only this command distributes
    the tables of a database with the Citus extension: all data of a contact goes to one shard, and the small tables to
    every node. Stop the servers first. A new database needs --create.

    \b
      rapport migrate --data postgresql://rapport@coordinator/rapport
    """
    for change in asyncio.run(_migrate(get_settings(data=data), create=create)):
        click.echo(change)
    click.echo("Schema is up to date.")


async def _migrate(settings: Settings, *, create: bool) -> list[str]:
    async with open_command_store(settings, create=create) as store:
        return await store.migrate()
