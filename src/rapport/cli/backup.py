"""`rapport backup`: the whole data directory, while the server runs."""

import asyncio
from pathlib import Path

import click

from rapport.cli.command import data_option, open_command_store, settings_for
from rapport.settings import Settings


@click.command(short_help="Copy the data while servers go on.")
@click.argument("folder", type=click.Path(path_type=Path))
@data_option
def backup(folder: Path, data: str | None) -> None:
    """Copy the data as it is at this moment to FOLDER, which must not exist. Servers may go on.

    \b
      rapport backup ../backups/monday
      rapport serve --data ../backups/monday      (to look into it, or to go on from it)
    """
    asyncio.run(_backup(settings_for(data=data), folder))
    click.echo(f"{folder}")


async def _backup(settings: Settings, folder: Path) -> None:
    async with open_command_store(settings) as store:
        await store.backup(folder)
