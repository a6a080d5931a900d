"""`rapport app`: manage OAuth applications."""

import asyncio

import click

from rapport.auth.scope import Role, Scope
from rapport.cli.command import (
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
from rapport.instant import iso
from rapport.oauth.applications import (
    ApplicationRequest,
    RefreshPolicy,
    create_application,
    delete_application,
    rotate_secret,
)
from rapport.settings import Settings
from rapport.store.applications import Application

DEFAULT_SCOPE = "contact_data campaign_data account_read offline_access"

_COLUMNS = (
    "client_id",
    "name",
    "type",
    "refresh",
    "client_credentials",
    "scopes",
    "redirect_uris",
    "created",
    "created by",
)


@click.group()
def app() -> None:
    """Manage OAuth applications.

    \b
      rapport app create shop --redirect-uri https://shop.example.com/callback
      rapport app list
      rapport app rotate-secret CLIENT_ID
      rapport app delete CLIENT_ID
    """


@app.command()
@click.argument("name")
@data_option
@account_option
@click.option(
    "--redirect-uri", "redirect_uris", multiple=True, metavar="URI", help="A URI that users return to. May be repeated."
)
@click.option(
    "--scope",
    default=DEFAULT_SCOPE,
    show_default=True,
    metavar="SCOPES",
    help="The scopes that it may request, separated by spaces: " + ", ".join(scope.value for scope in Scope) + ".",
)
@click.option(
    "--public",
    is_flag=True,
    help="A public client (a mobile, browser or command-line app), which can't keep a secret and gets none.",
)
@click.option(
    "--refresh",
    type=click.Choice([policy.value for policy in RefreshPolicy]),
    default=RefreshPolicy.ROTATING.value,
    show_default=True,
    help="Whether each refresh returns a new refresh token.",
)
@click.option(
    "--client-credentials",
    type=click.Choice([role.value for role in Role]),
    help="Let it get tokens of its own, without a user, with this role. [default: off]",
)
@create_option
def create(
    *,
    name: str,
    data: str | None,
    account: str,
    redirect_uris: tuple[str, ...],
    scope: str,
    public: bool,
    refresh: str,
    client_credentials: str | None,
    create: bool,
) -> None:
    """Create an application, and print its client id and secret. The secret is not shown again."""
    request = ApplicationRequest(
        name=name,
        redirect_uris=redirect_uris,
        scopes=parse_scopes(scope),
        is_public=public,
        refresh_policy=RefreshPolicy(refresh),
        credentials_role=None if client_credentials is None else Role(client_credentials),
    )
    application, secret = asyncio.run(_create(get_settings(data=data), account, request, create=create))
    click.echo(f"client_id\t{application.client_id}")
    if secret is not None:
        click.echo(f"client_secret\t{secret}")


@app.command("list", short_help="Print the account's applications.")
@data_option
@account_option
def list_applications(data: str | None, account: str) -> None:
    """Print the account's applications, oldest first, with tabs between the columns."""
    print_table(_COLUMNS, map(_format_row, asyncio.run(_list(get_settings(data=data), account))))


@app.command("rotate-secret")
@click.argument("client_id")
@data_option
@account_option
def rotate(client_id: str, data: str | None, account: str) -> None:
    """Replace an application's secret, and print the new one. The old one stops working at once."""
    click.echo(asyncio.run(_rotate(get_settings(data=data), account, client_id)))


@app.command()
@click.argument("client_id")
@data_option
@account_option
def delete(client_id: str, data: str | None, account: str) -> None:
    """Delete an application with all grants that users gave it.

    Running servers refuse its access tokens within three seconds.
    """
    name = asyncio.run(_delete(get_settings(data=data), account, client_id))
    click.echo(f"Deleted the application {client_id}, {name}.")


def _format_row(application: Application) -> tuple[str, ...]:
    return (
        application.client_id,
        application.name,
        "public" if application.secret_digest is None else "confidential",
        application.refresh_policy,
        application.credentials_role or "off",
        " ".join(application.scopes),
        " ".join(application.redirect_uris),
        iso(application.created_time),
        to_printable(application.created_by),
    )


async def _create(
    settings: Settings, account_id: str, request: ApplicationRequest, *, create: bool
) -> tuple[Application, str | None]:
    async with open_command_store(settings, create=create) as store:
        created = await create_application(store, account_id, request, by="rapport app", now=now())
        await store.accounts.ensure(account_id)
        return created


async def _list(settings: Settings, account_id: str) -> list[Application]:
    async with open_command_store(settings) as store:
        return await store.applications.list_applications(account_id)


async def _rotate(settings: Settings, account_id: str, client_id: str) -> str:
    async with open_command_store(settings) as store:
        return await rotate_secret(store, account_id, client_id)


async def _delete(settings: Settings, account_id: str, client_id: str) -> str:
    async with open_command_store(settings) as store:
        return await delete_application(store, account_id, client_id, by="rapport app", now=now())
