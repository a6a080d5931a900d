"""`rapport copy`: everything from one store to another."""

import asyncio
from dataclasses import replace

import click
from rich.console import Console
from rich.progress import Progress

from rapport.cli.command import create_option, open_command_store, settings_for
from rapport.store.copying import Copied, copy


@click.command("copy", short_help="Copy everything from one store to another.")
@click.option("--from", "source", required=True, metavar="DATA", help="What to copy: a directory or a PostgreSQL URL.")
@click.option("--to", "target", required=True, metavar="DATA", help="Where to: an empty one, or an earlier copy.")
@create_option
def copy_store(source: str, target: str, *, create: bool) -> None:
    """Copy everything from one store to another: accounts, keys, contacts, activities.

    Every contact is read back and compared. Stopped, it is simply started again: what is there already is passed
    over. So it also brings a copy up to date; for the last time with the servers stopped. The first copy takes
    --create: without it, --to must be a store already.

    \b
      rapport copy --from ./data --to postgresql://rapport@localhost/rapport --create
    """
    if source == target:
        raise click.UsageError("--from and --to are the same: name another --to.")
    try:
        copied = asyncio.run(_copy(source, target, create=create))
    except KeyboardInterrupt:
        click.echo("Stopped. Start the same copy again to go on.", err=True)
        raise SystemExit(130) from None
    click.echo(
        f"{copied.accounts} accounts, {copied.contacts} contacts, {copied.activities} activities are the same in both "
        f"({copied.already_there} contacts were there already); digest {copied.digest.hex()}"
    )


async def _copy(source: str, target: str, *, create: bool) -> Copied:
    console = Console(stderr=True)
    settings = settings_for(data=source)
    async with (
        open_command_store(settings, how_to_create="check --from") as reading,
        open_command_store(
            replace(settings, data=target), create=create, how_to_create="check --to, or add --create to make it"
        ) as writing,
    ):
        with Progress(console=console, disable=not console.is_terminal, transient=True) as progress:
            task = progress.add_task("copying", total=None)

            def show(copied: Copied) -> None:
                progress.update(
                    task, description=f"{copied.contacts} contacts, {copied.activities} activities compared"
                )

            return await copy(reading, writing, show)
