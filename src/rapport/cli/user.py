"""`rapport user`: users who sign in to the pages, and their sessions."""

import asyncio
from typing import Final

import click

from rapport.auth.scope import Role
from rapport.cli.command import (
    account_option,
    create_option,
    data_option,
    get_settings,
    now,
    open_command_store,
    print_table,
    require_account,
    setting_option,
    to_printable,
)
from rapport.cli.serve import server_url
from rapport.errors import MailNotSent
from rapport.instant import iso
from rapport.people import users
from rapport.people.mail import Mailer
from rapport.people.sessions import end_account_session, list_account_sessions
from rapport.people.users import get_user_by_address, invite_user
from rapport.settings import Settings
from rapport.store.store import Store
from rapport.store.users import User, UserSession

_BY: Final = "rapport user"
_ROLES: Final = [role.value for role in Role]
_USER_COLUMNS: Final = ("email_address", "role", "status", "created", "created by", "signed in")
_SESSION_COLUMNS: Final = ("id", "user", "role", "method", "started", "expires", "browser")


@click.group()
def user() -> None:
    """Manage the users of an account, who sign in to its pages.

    \b
      rapport user invite ada@example.com --role owner
      rapport user list
      rapport user role ada@example.com manager
      rapport user link ada@example.com            Let her set a new password
      rapport user reset-totp ada@example.com      Let her sign in without her lost phone
      rapport user remove ada@example.com
      rapport user sessions
      rapport user sign-out SESSION_ID
    """


@user.command(short_help="Invite a user.")
@click.argument("email_address")
@click.option(
    "--role", type=click.Choice(_ROLES), default=Role.MANAGER.value, show_default=True, help="The user's role."
)
@data_option
@account_option
@setting_option("host", metavar="ADDRESS")
@setting_option("port")
@create_option
def invite(
    *,
    email_address: str,
    role: str,
    data: str | None,
    account: str,
    host: str | None,
    port: int | None,
    create: bool,
) -> None:
    """Invite a user, and print the link to join with, or send it by email if RAPPORT_SMTP_URL is set.

    The link works once, within 7 days. It begins with RAPPORT_PUBLIC_URL if that is set, else with the server's host
    and port. Inviting somebody again who hasn't joined replaces the link.
    """
    settings = get_settings(data=data, host=host, port=port)
    click.echo(asyncio.run(_invite(settings, account, email_address, Role(role), create=create)))


@user.command(short_help="Create a link with which a user sets a password.")
@click.argument("email_address")
@data_option
@account_option
@setting_option("host", metavar="ADDRESS")
@setting_option("port")
def link(*, email_address: str, data: str | None, account: str, host: str | None, port: int | None) -> None:
    """Print a link with which a user sets a new password, or send it by email if RAPPORT_SMTP_URL is set.

    It works once, within 7 days.
    """
    settings = get_settings(data=data, host=host, port=port)
    click.echo(asyncio.run(_create_link(settings, account, email_address)))


@user.command("list")
@data_option
@account_option
def list_users(data: str | None, account: str) -> None:
    """Print the account's users, with tabs between the columns."""
    print_table(_USER_COLUMNS, map(_format_user, asyncio.run(_list(get_settings(data=data), account))))


@user.command()
@click.argument("email_address")
@click.argument("role", type=click.Choice(_ROLES))
@data_option
@account_option
def role(email_address: str, role: str, data: str | None, account: str) -> None:
    """Change a user's role.

    This ends the user's sessions, and revokes the tokens and applications that the user allowed, within three seconds.
    """
    changed = asyncio.run(_change_role(get_settings(data=data), account, email_address, Role(role)))
    click.echo(f"{changed.email_address} is now {role} of the account {account}.")


@user.command()
@click.argument("email_address")
@data_option
@account_option
def remove(email_address: str, data: str | None, account: str) -> None:
    """Remove a user.

    This ends the user's sessions, and revokes the tokens and applications that the user allowed, within three seconds.
    """
    removed = asyncio.run(_remove(get_settings(data=data), account, email_address))
    click.echo(f"Removed {removed.email_address} from the account {account}.")


@user.command("reset-totp", short_help="Turn off a user's authenticator app.")
@click.argument("email_address")
@data_option
@account_option
def reset_totp(email_address: str, data: str | None, account: str) -> None:
    """Let a user sign in without the authenticator app, for example because it is lost."""
    changed = asyncio.run(_reset_totp(get_settings(data=data), account, email_address))
    click.echo(f"{changed.email_address} signs in with the password alone now.")


@user.command(short_help="Print the account's sessions.")
@data_option
@account_option
def sessions(data: str | None, account: str) -> None:
    """Print the account's sessions, newest first, with tabs between the columns."""
    print_table(_SESSION_COLUMNS, map(_format_session, asyncio.run(_list_sessions(get_settings(data=data), account))))


@user.command("sign-out")
@click.argument("session_id")
@data_option
@account_option
def sign_out(session_id: str, data: str | None, account: str) -> None:
    """End a session. Running servers notice within three seconds."""
    ended = asyncio.run(_sign_out(get_settings(data=data), account, session_id))
    click.echo(f"Ended a session of {to_printable(ended.user_name)}.")


def _format_user(row: User) -> tuple[str, ...]:
    return (
        row.email_address,
        row.role,
        "invited" if row.joined_time is None else "joined",
        iso(row.created_time),
        to_printable(row.created_by),
        "" if row.signed_in_time is None else iso(row.signed_in_time),
    )


def _format_session(row: UserSession) -> tuple[str, ...]:
    return (
        row.session_id,
        to_printable(row.user_name),
        row.role,
        row.method,
        iso(row.started_time),
        iso(row.expires),
        row.client,
    )


async def _deliver(settings: Settings, store: Store, user: User, code: str) -> str:
    """Send a link by email, or else return it to be printed."""
    link = f"{settings.public_url or server_url(settings)}/invitations/{code}"
    mailer = Mailer(settings)
    if not mailer.is_configured:
        return link
    details = await store.accounts.get_details(user.account_id)
    try:
        await mailer.send_link(user, details.organization_name or user.account_id, link)
    except MailNotSent as exc:
        click.echo(f"rapport: {exc}", err=True)
        return link
    return f"Sent a link to {user.email_address}."


async def _invite(settings: Settings, account_id: str, address: str, role: Role, *, create: bool) -> str:
    async with open_command_store(settings, create=create) as store:
        await require_account(store, account_id)
        invited, code = await invite_user(store, account_id, address, role, by=_BY, now=now())
        return await _deliver(settings, store, invited, code)


async def _create_link(settings: Settings, account_id: str, address: str) -> str:
    async with open_command_store(settings) as store:
        target = await get_user_by_address(store, account_id, address)
        return await _deliver(settings, store, target, await users.create_password_link(store, target, now()))


async def _list(settings: Settings, account_id: str) -> list[User]:
    async with open_command_store(settings) as store:
        return await store.users.list_users(account_id)


async def _change_role(settings: Settings, account_id: str, address: str, role: Role) -> User:
    async with open_command_store(settings) as store:
        target = await get_user_by_address(store, account_id, address)
        await users.change_role(store, target, role, now())
        return target


async def _reset_totp(settings: Settings, account_id: str, address: str) -> User:
    async with open_command_store(settings) as store:
        target = await get_user_by_address(store, account_id, address)
        await store.users.remove_totp(account_id, target.user_id)
        return target


async def _remove(settings: Settings, account_id: str, address: str) -> User:
    async with open_command_store(settings) as store:
        target = await get_user_by_address(store, account_id, address)
        await users.remove_user(store, target, now())
        return target


async def _list_sessions(settings: Settings, account_id: str) -> list[UserSession]:
    async with open_command_store(settings) as store:
        return await list_account_sessions(store, account_id, now())


async def _sign_out(settings: Settings, account_id: str, session_id: str) -> UserSession:
    async with open_command_store(settings) as store:
        return await end_account_session(store, account_id, session_id, now())
