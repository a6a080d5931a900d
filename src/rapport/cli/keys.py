"""`rapport keys`: the keys that sign tokens."""

import asyncio

import click

from rapport.auth.keys import load_keys, rotate_keys
from rapport.cli.command import data_option, now, open_command_store, settings_for
from rapport.settings import Settings


@click.group()
def keys() -> None:
    """The keys that sign tokens."""


@keys.command()
@data_option
@click.option("--drop-old", is_flag=True, help="Void all tokens and cursors that were ever given out.")
def rotate(*, data: str | None, drop_old: bool) -> None:
    """Sign with a new key from now on.

    Tokens of the old keys stay good until they expire; running servers take the new key over by themselves.
    With --drop-old, after a key was lost say, every old token is void within seconds.
    """
    click.echo(asyncio.run(_rotate(settings_for(data=data), drop_old=drop_old)))


@keys.command("list")
@data_option
def list_keys(data: str | None) -> None:
    """Print the ids of the keys whose tokens are good, the current one first."""
    for kid in asyncio.run(_kids(settings_for(data=data))):
        click.echo(kid)


async def _rotate(settings: Settings, *, drop_old: bool) -> str:
    async with open_command_store(settings) as store:
        rotated = await rotate_keys(store.secrets, now(), drop_old=drop_old)
    return str(rotated.signing.kid)


async def _kids(settings: Settings) -> list[str]:
    async with open_command_store(settings) as store:
        held = await load_keys(store.secrets)
    return [str(key.kid) for key in held.verifying.keys]
