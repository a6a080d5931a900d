"""`rapport sign-in`: print a sign-in link."""

import asyncio

import click

from rapport.cli.command import (
    account_option,
    data_option,
    get_settings,
    open_command_store,
    require_account,
    setting_option,
)
from rapport.cli.serve import create_sign_in_link, owner_principal
from rapport.settings import Settings


@click.command("sign-in")
@data_option
@account_option
@setting_option("host", metavar="ADDRESS")
@setting_option("port")
def sign_in(*, data: str | None, account: str, host: str | None, port: int | None) -> None:
    """Print a new sign-in link for the pages of a running server.

    The link works once, within 15 minutes, and signs in an owner of the account. It begins with RAPPORT_PUBLIC_URL if
    that is set, else with the server's host and port. Earlier links stay valid until they are used or expire.

    \b
      rapport sign-in
      rapport sign-in --port 8081
      rapport sign-in --data postgresql://… --account shop
    """
    settings = get_settings(data=data, host=host, port=port)
    click.echo(asyncio.run(_create_link(settings, account)))


async def _create_link(settings: Settings, account_id: str) -> str:
    async with open_command_store(settings) as store:
        await require_account(store, account_id)
        return await create_sign_in_link(store, settings, owner_principal(account_id, "sign-in"))
