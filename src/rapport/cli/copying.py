"""`rapport copy`: copy a store."""

import asyncio
from dataclasses import replace

import click
from rich.console import Console
from rich.progress import Progress

from rapport.cli.command import create_option, get_settings, open_command_store
from rapport.store.copying import CopyProgress, copy


@click.command("copy", short_help="Copy everything from one store to another.")
@click.option(
    "--from", "source", required=True, metavar="DATA", help="The store to copy: a directory or a PostgreSQL URL."
)
@click.option("--to", "target", required=True, metavar="DATA", help="The target: an empty store, or an earlier copy.")
@create_option
def copy_store(source: str, target: str, *, create: bool) -> None:
    """Copy everything from one store to another: accounts, keys, contacts and activities.

    Each contact is read back and compared. An interrupted copy can be started again; it skips what was copied before,
    so running it again also updates a copy. Stop the servers before the last run. The first copy needs --create;
    without it, --to must be an existing store.

    \b
      rapport copy --from ./data --to postgresql://rapport@localhost/rapport --create
    """
    if source == target:
        raise click.UsageError("--from and --to are the same; choose another --to.")
    try:
        copied = asyncio.run(_copy(source, target, create=create))
    except KeyboardInterrupt:
        click.echo("Stopped. Run the same command again to continue.", err=True)
        raise SystemExit(130) from None
    click.echo(
        f"{copied.accounts} accounts, {copied.contacts} contacts, {copied.activities} activities are the same in both "
        f"({copied.unchanged} contacts were there already); digest {copied.digest.hex()}"
    )


async def _copy(source: str, target: str, *, create: bool) -> CopyProgress:
    console = Console(stderr=True)
    settings = get_settings(data=source)
    async with (
        open_command_store(settings, how_to_create="check --from") as reading,
        open_command_store(
            replace(settings, data=target), create=create, how_to_create="check --to, or add --create"
        ) as writing,
    ):
        with Progress(console=console, disable=not console.is_terminal, transient=True) as progress:
            task = progress.add_task("copying", total=None)

            def show(copied: CopyProgress) -> None:
                progress.update(
                    task, description=f"{copied.contacts} contacts, {copied.activities} activities compared"
                )

            return await copy(reading, writing, show)
