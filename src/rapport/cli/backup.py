"""`rapport backup`: copy the data directory while servers run."""

import asyncio
from pathlib import Path

import click

from rapport.cli.command import data_option, get_settings, open_command_store
from rapport.settings import Settings


@click.command(short_help="Back up the data while servers run.")
@click.argument("folder", type=click.Path(path_type=Path))
@data_option
def backup(folder: Path, data: str | None) -> None:
    """Copy the data, as it is now, to FOLDER, which must not exist. Servers can keep running.

    \b
      rapport backup ../backups/monday
      rapport serve --data ../backups/monday      (to inspect or restore it)
    """
    asyncio.run(_backup(get_settings(data=data), folder))
    click.echo(f"{folder}")


async def _backup(settings: Settings, folder: Path) -> None:
    async with open_command_store(settings) as store:
        await store.backup(folder)
