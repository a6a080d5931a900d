"""`rapport sign-in`: a new link that signs a browser in."""

import asyncio

import click

from rapport.cli.command import DEFAULT_ACCOUNT, account_option, data_option, open_command_store, settings_for
from rapport.cli.serve import make_link, owner_of
from rapport.settings import Settings


@click.command("sign-in")
@data_option
@account_option
@click.option("--host", metavar="ADDRESS", help="The address that the server listens on. [default: 127.0.0.1]")
@click.option("--port", type=int, help="The port that the server listens on. [default: 8080]")
def sign_in(*, data: str | None, account: str, host: str | None, port: int | None) -> None:
    """Print a new link that signs a browser in to a running server.

    The link works once, within 15 minutes, as an owner of the account. It begins with RAPPORT_PUBLIC_URL if that is
    set, else with the server's host and port. Any earlier link stays valid until it is used or expires.

    \b
      rapport sign-in
      rapport sign-in --port 8081
      rapport sign-in --data postgresql://… --account shop
    """
    settings = settings_for(data=data, host=host, port=port)
    click.echo(asyncio.run(_make_link(settings, account)))


async def _make_link(settings: Settings, account_id: str) -> str:
    async with open_command_store(settings) as store:
        accounts = {DEFAULT_ACCOUNT, *await store.accounts.list_ids()}
        if account_id not in accounts:
            raise click.BadParameter(
                f"there is no account {account_id!r}; expected one of {', '.join(sorted(accounts))}",
                param_hint="--account",
            )
        return await make_link(store, settings, owner_of(account_id, "sign-in"))
