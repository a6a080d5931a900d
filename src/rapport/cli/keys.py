"""`rapport keys`: list and rotate the keys that sign tokens."""

import asyncio

import click

from rapport.auth.keys import load_keys, rotate_keys
from rapport.cli.command import data_option, get_settings, now, open_command_store
from rapport.settings import Settings


@click.group()
def keys() -> None:
    """List and rotate the keys that sign tokens."""


@keys.command()
@data_option
@click.option("--drop-old", is_flag=True, help="Invalidate all existing tokens, sessions and cursors.")
def rotate(*, data: str | None, drop_old: bool) -> None:
    """Create a new key, sign with it from now on, and print its id.

    Tokens of the old keys stay valid until they expire; running servers pick up the new key automatically.
    With --drop-old, for example after a key was leaked, every old token becomes invalid within seconds.
    """
    click.echo(asyncio.run(_rotate(get_settings(data=data), drop_old=drop_old)))


@keys.command("list", short_help="Print the ids of the valid keys.")
@data_option
def list_keys(data: str | None) -> None:
    """Print the ids of the keys whose tokens are valid, the current one first."""
    for key_id in asyncio.run(_list(get_settings(data=data))):
        click.echo(key_id)


async def _rotate(settings: Settings, *, drop_old: bool) -> str:
    async with open_command_store(settings) as store:
        rotated = await rotate_keys(store.secrets, now(), drop_old=drop_old)
    return str(rotated.signing_key.kid)


async def _list(settings: Settings) -> list[str]:
    async with open_command_store(settings) as store:
        loaded = await load_keys(store.secrets)
    return [str(key.kid) for key in loaded.verification_keys.keys]
