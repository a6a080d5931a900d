"""`rapport tokens`: the tokens that have a name."""

import asyncio

import click

from rapport.auth.keys import load_keys
from rapport.auth.register import ListedToken, listed_token, listed_tokens, revoke
from rapport.cli.command import account_option, data_option, now, open_command_store, settings_for
from rapport.instant import iso
from rapport.settings import Settings

_HEAD = ("id", "name", "role", "scopes", "made", "made by", "expires", "state")


@click.group()
def tokens() -> None:
    """The tokens that have a name.

    \b
      rapport token --name shop     makes one
      rapport tokens list
      rapport tokens revoke ID
    """


@tokens.command("list")
@data_option
@account_option
def list_tokens(data: str | None, account: str) -> None:
    """Print the account's tokens that have not expired, the newest first, with tabs between the columns."""
    rows = asyncio.run(_listed(settings_for(data=data), account))
    click.echo("\t".join(_HEAD))
    for listed in rows:
        click.echo("\t".join(_columns(listed)))


@tokens.command("revoke")
@click.argument("token_id", metavar="ID")
@data_option
@account_option
def revoke_token(token_id: str, data: str | None, account: str) -> None:
    """Void a token of the account, and all that were made with it.

    Running servers refuse it, and end the sessions that began with it, within three seconds.
    """
    name = asyncio.run(_revoke(settings_for(data=data), account, token_id))
    click.echo(f"The token {token_id}, {name}, is revoked.")


def _columns(listed: ListedToken) -> tuple[str, ...]:
    token, revocation = listed
    columns = (
        token.token_id,
        token.name,
        token.role.value,
        " ".join(sorted(scope.value for scope in token.scopes)),
        iso(token.made_time),
        token.made_by,
        iso(token.expires),
        "good" if revocation is None else f"revoked {iso(revocation.revoked_time)} by {revocation.revoked_by}",
    )
    # What another issuer says of its users may hold anything.
    return tuple("".join(each if each.isprintable() else "?" for each in column) for column in columns)


async def _listed(settings: Settings, account_id: str) -> list[ListedToken]:
    async with open_command_store(settings) as store:
        return await listed_tokens(store.secrets, await load_keys(store.secrets), account_id, now())


async def _revoke(settings: Settings, account_id: str, token_id: str) -> str:
    async with open_command_store(settings) as store:
        listed = await listed_token(store.secrets, await load_keys(store.secrets), account_id, token_id, now())
        await revoke(store.secrets, listed.token, by="rapport tokens", now=now())
    return listed.token.name
