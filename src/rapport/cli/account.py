"""`rapport account`: create, list, describe and delete accounts."""

import asyncio
import sys
from typing import Any, Final

import click

from rapport.cli.command import (
    AccountId,
    Command,
    create_option,
    data_option,
    get_settings,
    now,
    open_command_store,
    print_table,
)
from rapport.people.accounts import (
    AccountOverview,
    create_account,
    delete_account,
    list_accounts,
    parse_details,
    require_account,
    update_account,
)
from rapport.settings import Settings
from rapport.store.accounts import AccountDetails

_DETAILS: Final = {
    "organization_name": "The name of the organization.",
    "contact_email": "The email address of the account's owner.",
    "first_name": "The first name of the account's owner.",
    "last_name": "The last name of the account's owner.",
    "phone": "The phone number of the account's owner.",
    "country_code": "The country, as two capital letters (ISO 3166-1).",
    "time_zone_id": "The time zone, such as US/Eastern.",
    "address_line1": "The first line of the physical address.",
    "address_line2": "Its second line.",
    "address_line3": "Its third line.",
    "city": "The city.",
    "state_code": "The state in the US or in Canada, as two capital letters.",
    "state_name": "The state in another country.",
    "postal_code": "The postal code.",
}
_COLUMNS: Final = ("account", "users", *_DETAILS)


def _detail_options(command: Command) -> Command:
    """Add an option for each detail to the command."""
    for name, text in reversed(_DETAILS.items()):
        command = click.option(f"--{name.replace('_', '-')}", metavar="TEXT", help=text)(command)
    return command


@click.group()
def account() -> None:
    """Manage accounts. Clients read their details with GET /v3/account/summary and physical_address.

    \b
      rapport account create shop --organization-name "The Shop" --country-code US
      rapport account list
      rapport account rename shop "The Corner Shop"
      rapport account update shop --contact-email ada@example.com --time-zone-id US/Eastern
      rapport account delete shop
    """


@account.command()
@click.argument("account_id", type=AccountId())
@data_option
@_detail_options
@create_option
def create(account_id: str, data: str | None, *, create: bool, **details: str | None) -> None:
    """Create an account. Recording into an account creates it, too."""
    parsed = parse_details(AccountDetails(), details)
    asyncio.run(_create(get_settings(data=data), account_id, parsed, create=create))
    click.echo(f"Created the account {account_id}.")


@account.command("list")
@data_option
def list_all(data: str | None) -> None:
    """Print all accounts, with tabs between the columns."""
    print_table(_COLUMNS, map(_format_row, asyncio.run(_list(get_settings(data=data)))))


@account.command()
@click.argument("account_id", type=AccountId())
@click.argument("organization_name")
@data_option
def rename(account_id: str, organization_name: str, data: str | None) -> None:
    """Change the organization's name. The account's id stays the same."""
    if not organization_name.strip():
        raise click.BadParameter("must not be empty", param_hint="ORGANIZATION_NAME")
    details = asyncio.run(_update(get_settings(data=data), account_id, {"organization_name": organization_name}))
    click.echo(f"The account {account_id} is now called {details.organization_name}.")


@account.command()
@click.argument("account_id", type=AccountId())
@data_option
@_detail_options
def update(account_id: str, data: str | None, **details: str | None) -> None:
    """Change details of an account. An empty text removes one, and the others stay."""
    if all(text is None for text in details.values()):
        raise click.UsageError("name at least one detail to change; `rapport account update --help` lists them")
    asyncio.run(_update(get_settings(data=data), account_id, details))
    click.echo(f"Updated the account {account_id}.")


@account.command(short_help="Delete an account and all its data.")
@click.argument("account_id", type=AccountId())
@data_option
@click.option("--yes", is_flag=True, help="Don't ask for confirmation.")
def delete(account_id: str, data: str | None, *, yes: bool) -> None:
    """Delete an account with all contacts, activities, campaigns, users, applications and hooks permanently.

    Its tokens and sessions stop working within three seconds, and its id can't be used again. Earlier backups and
    exports still contain its data. If this is interrupted, start it again.
    """
    settings = get_settings(data=data)
    asyncio.run(_require(settings, account_id))
    if not yes:
        if sys.stdin is None:
            raise click.UsageError("standard input is closed, so nobody can confirm: add --yes")
        typed = click.prompt(f"This deletes the account {account_id} permanently. Type its id to confirm", default="")
        if typed != account_id:
            raise click.Abort
    erased = asyncio.run(_delete(settings, account_id))
    click.echo(f"Deleted the account {account_id} with {erased:,} contact{'' if erased == 1 else 's'}.")


def _format_row(row: AccountOverview) -> tuple[str, ...]:
    return (row.account_id, str(row.users), *(getattr(row.details, name) or "" for name in _DETAILS))


async def _create(settings: Settings, account_id: str, details: AccountDetails, *, create: bool) -> None:
    async with open_command_store(settings, create=create) as store:
        await create_account(store, account_id, details)


async def _list(settings: Settings) -> list[AccountOverview]:
    async with open_command_store(settings) as store:
        return await list_accounts(store)


async def _update(settings: Settings, account_id: str, changes: dict[str, Any]) -> AccountDetails:
    async with open_command_store(settings) as store:
        return await update_account(store, account_id, changes)


async def _require(settings: Settings, account_id: str) -> None:
    async with open_command_store(settings) as store:
        await require_account(store, account_id)


async def _delete(settings: Settings, account_id: str) -> int:
    async with open_command_store(settings) as store:

        def report(erased: int) -> None:
            click.echo(f"rapport: erased {erased:,} contacts", err=True)

        return await delete_account(store, account_id, by="rapport account", now=now(), progress=report)
