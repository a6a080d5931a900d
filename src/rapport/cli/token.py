"""`rapport token`: a token, alone on standard output."""

import asyncio

import click

from rapport.activity import ACCOUNT_ID_ALLOWED, is_account_id
from rapport.auth.grant import give
from rapport.auth.keys import MAX_TOKEN_LIFETIME, load_keys
from rapport.auth.register import new_token_id
from rapport.auth.scope import Role, Scope
from rapport.auth.token import Principal, make_token
from rapport.cli.command import (
    Duration,
    account_option,
    create_option,
    data_option,
    now,
    open_command_store,
    settings_for,
)
from rapport.instant import DAY, Instant
from rapport.settings import Settings
from rapport.store.engines import format_location
from rapport.store.store import Store

DEFAULT_SCOPE = "contact_data campaign_data account_read activity_write"


@click.command()
@data_option
@account_option
@click.option(
    "--scope",
    default=DEFAULT_SCOPE,
    show_default=True,
    metavar="SCOPES",
    help="What it is for, separated by blanks: " + ", ".join(scope.value for scope in Scope) + ".",
)
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    default=Role.OWNER.value,
    show_default=True,
    help="What its user is in the account; a campaign_creator sees no reports.",
)
@click.option(
    "--expires", type=Duration(), default="24h", show_default=True, help="How long it is good: 90s, 15m, 24h, 30d."
)
@click.option(
    "--client", metavar="ID", help="The client that it is for; limits are counted by it. [default: the account]"
)
@click.option("--name", help="What it is for, in your words: then `rapport tokens` lists it, and can revoke it.")
@create_option
def token(
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
    """Print a token.

    The account comes into being with its first token. One without a name is good until it expires.

    \b
      export TOKEN=$(rapport token)
      curl -H "Authorization: Bearer $TOKEN" localhost:8080/v3/reports/…
    """
    if expires > MAX_TOKEN_LIFETIME:
        raise click.BadParameter(f"must be at most {MAX_TOKEN_LIFETIME // DAY}d", param_hint="--expires")
    if client is not None and not is_account_id(client):
        raise click.BadParameter(ACCOUNT_ID_ALLOWED, param_hint="--client")
    principal = Principal(
        account_id=account, client_id=client or account, user="rapport token", role=Role(role), scopes=_scopes(scope)
    )
    click.echo(asyncio.run(_make(settings_for(data=data), principal, expires, name, create=create)))


async def _make(settings: Settings, principal: Principal, lifetime: int, name: str | None, *, create: bool) -> str:
    async with open_command_store(settings, create=create) as store:
        return await make(store, settings, principal, lifetime, name)


async def make(store: Store, settings: Settings, principal: Principal, lifetime: int, name: str | None = None) -> str:
    """Return a token for the principal, creating its account if necessary; one with a name is listed."""
    if await store.accounts.ensure(principal.account_id):
        click.echo(f"The account {principal.account_id} is new in {format_location(settings.data)}.", err=True)
    keys = await load_keys(store.secrets)
    made = now()
    expires = Instant(made + lifetime)
    if name is not None:
        _, given = await give(store.secrets, keys, settings, principal, name=name, now=made, expires=expires)
        return given
    return make_token(
        keys,
        principal,
        issuer=settings.issuer,
        audience=settings.audience,
        now=made,
        expires=expires,
        token_id=new_token_id(),
    )


def _scopes(text: str) -> frozenset[Scope]:
    known = {scope.value: scope for scope in Scope}
    scopes = set()
    for name in text.replace("+", " ").split():
        if name not in known:
            raise click.BadParameter(f"{name!r} is no scope; there are {', '.join(known)}", param_hint="--scope")
        scopes.add(known[name])
    if not scopes:
        raise click.BadParameter(f"must name one at least; there are {', '.join(known)}", param_hint="--scope")
    return frozenset(scopes)
