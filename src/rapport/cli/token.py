"""`rapport token`: create, list and revoke tokens."""

import asyncio
from typing import Final

import click

from rapport.activity import ACCOUNT_ID_ALLOWED, is_account_id
from rapport.auth import token_registry
from rapport.auth.keys import MAX_TOKEN_LIFETIME, load_keys
from rapport.auth.scope import Role, Scope
from rapport.auth.token import Principal, sign_token
from rapport.auth.token_registry import TokenStatus, create_token_id
from rapport.auth.token_service import issue_token
from rapport.cli.command import (
    Duration,
    account_option,
    create_option,
    data_option,
    get_settings,
    now,
    open_command_store,
    print_table,
    to_printable,
)
from rapport.cli.scopes import parse_scopes
from rapport.instant import DAY, Instant, iso
from rapport.settings import Settings
from rapport.store.engines import format_location
from rapport.store.store import Store

_DEFAULT_SCOPE: Final = "contact_data campaign_data account_read activity_write"
_COLUMNS: Final = ("id", "name", "role", "scopes", "created", "created by", "expires", "status")


@click.group()
def token() -> None:
    """Create, list and revoke access tokens.

    Tokens with a name are listed, and can be revoked one by one. A token without a name is valid until it expires.

    \b
      export TOKEN=$(rapport token create)
      rapport token create --name shop --scope activity_write --expires 365d
      rapport token list
      rapport token revoke ID
    """


@token.command(short_help="Create a token and print it.")
@data_option
@account_option
@click.option(
    "--scope",
    default=_DEFAULT_SCOPE,
    show_default=True,
    metavar="SCOPES",
    help="The token's scopes, separated by spaces: " + ", ".join(scope.value for scope in Scope) + ".",
)
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    default=Role.OWNER.value,
    show_default=True,
    help="The role of the token's user in the account; a campaign_creator can't read reports.",
)
@click.option(
    "--expires",
    type=Duration(),
    default="24h",
    show_default=True,
    help="How long the token is valid, such as 90s, 15m, 24h or 30d.",
)
@click.option(
    "--client", metavar="ID", help="The client id of the token; rate limits apply per client. [default: the account]"
)
@click.option("--name", help="A name for the token, which is then listed and can be revoked.")
@create_option
def create(
    *,
    data: str | None,
    account: str,
    scope: str,
    role: str,
    expires: int,
    client: str | None,
    name: str | None,
    create: bool,
) -> None:
    """Create a token and print it, alone, to standard output.

    An account is created with its first token.

    \b
      export TOKEN=$(rapport token create)
      curl -H "Authorization: Bearer $TOKEN" localhost:8080/v3/reports/…
    """
    if expires > MAX_TOKEN_LIFETIME:
        raise click.BadParameter(f"must be at most {MAX_TOKEN_LIFETIME // DAY}d", param_hint="--expires")
    if client is not None and not is_account_id(client):
        raise click.BadParameter(ACCOUNT_ID_ALLOWED, param_hint="--client")
    principal = Principal(
        account_id=account,
        client_id=client or account,
        user="rapport token",
        role=Role(role),
        scopes=parse_scopes(scope),
    )
    click.echo(asyncio.run(_create(get_settings(data=data), principal, expires, name, create=create)))


@token.command("list", short_help="Print the account's named tokens.")
@data_option
@account_option
def list_tokens(data: str | None, account: str) -> None:
    """Print the account's named tokens that haven't expired, newest first, with tabs between the columns."""
    print_table(_COLUMNS, map(_format_row, asyncio.run(_list(get_settings(data=data), account))))


@token.command("revoke")
@click.argument("token_id", metavar="ID")
@data_option
@account_option
def revoke(token_id: str, data: str | None, account: str) -> None:
    """Revoke a token of the account, and all tokens created with it.

    Running servers reject it, and end the sessions that began with it, within three seconds.
    """
    name = asyncio.run(_revoke(get_settings(data=data), account, token_id))
    click.echo(f"Revoked token {token_id} ({name}).")


async def create_token(
    store: Store, settings: Settings, principal: Principal, lifetime: int, name: str | None = None
) -> str:
    """Return a new token for the principal, creating its account if necessary. A named one is registered."""
    if await store.accounts.ensure(principal.account_id):
        location = format_location(settings.data)
        click.echo(f'rapport: created account "{principal.account_id}" in {location}', err=True)
    keys = await load_keys(store.secrets)
    created = now()
    expires = Instant(created + lifetime)
    if name is not None:
        _, named = await issue_token(store.secrets, keys, settings, principal, name=name, now=created, expires=expires)
        return named
    return sign_token(
        keys,
        principal,
        issuer=settings.issuer,
        audience=settings.audience,
        now=created,
        expires=expires,
        token_id=create_token_id(),
    )


async def _create(settings: Settings, principal: Principal, lifetime: int, name: str | None, *, create: bool) -> str:
    async with open_command_store(settings, create=create) as store:
        return await create_token(store, settings, principal, lifetime, name)


async def _list(settings: Settings, account_id: str) -> list[TokenStatus]:
    async with open_command_store(settings) as store:
        return await token_registry.list_tokens(store.secrets, await load_keys(store.secrets), account_id, now())


async def _revoke(settings: Settings, account_id: str, token_id: str) -> str:
    async with open_command_store(settings) as store:
        status = await token_registry.get_token(
            store.secrets, await load_keys(store.secrets), account_id, token_id, now()
        )
        await token_registry.revoke_token(store.secrets, status.token, by="rapport token revoke", now=now())
    return status.token.name


def _format_row(status: TokenStatus) -> tuple[str, ...]:
    named, revocation = status
    columns = (
        named.token_id,
        named.name,
        named.role.value,
        " ".join(sorted(scope.value for scope in named.scopes)),
        iso(named.created_time),
        named.created_by,
        iso(named.expires),
        "valid" if revocation is None else f"revoked {iso(revocation.revoked_time)} by {revocation.revoked_by}",
    )
    return tuple(map(to_printable, columns))
