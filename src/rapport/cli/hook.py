"""`rapport hook`: manage webhooks of email providers."""

import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click
from msgspec.structs import replace

from rapport.capture.errors import InvalidHook, KeyUnavailable, MissingKey, MissingSetting, RefusedRequest
from rapport.capture.sources import SOURCES
from rapport.capture.webhooks.provider import WebhookRequest
from rapport.cli.command import (
    account_option,
    create_option,
    data_option,
    format_count,
    get_settings,
    now,
    open_command_store,
)
from rapport.cli.serve import server_url
from rapport.instant import HOUR, iso
from rapport.recording.hook_preview import preview_request
from rapport.recording.hook_registry import (
    ActiveHook,
    create_hook,
    delete_hook,
    hook_url,
    load_hooks,
    save_hook,
    setup_steps,
)
from rapport.settings import Settings
from rapport.store.store import Store

_LISTED_DELIVERIES = 5
_DAY_HOURS = 24


@click.group(short_help="Manage the webhooks of email providers.")
def hook() -> None:
    """Manage the webhooks with which email providers report what happens to messages.

    \b
      rapport hook create postmark
      rapport hook list
    """


def _read_settings(texts: Sequence[str]) -> dict[str, str]:
    settings = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise click.BadParameter(f"{text!r} must be NAME=VALUE", param_hint="--set")
        settings[name] = _read_value(value)
    return settings


def _read_value(text: str) -> str:
    """Return a value, or the content of a file for a value such as @key.pem."""
    if not text.startswith("@"):
        return text
    try:
        return Path(text[1:]).read_text("utf-8").strip()
    except UnicodeDecodeError as exc:
        raise click.BadParameter(f"{text[1:]} is not a text file") from exc


_key_option = click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="KEY",
    help="The key that the provider signs with, or @FILE. May be repeated.",
)
_set_option = click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE", help="A setting of the hook; VALUE may be @FILE."
)


@hook.command()
@data_option
@account_option
@click.argument("provider", type=click.Choice(sorted(SOURCES)))
@click.option("--name", help="A name for the hook. [default: the provider's]")
@_key_option
@_set_option
@create_option
def create(
    *,
    data: str | None,
    account: str,
    provider: str,
    name: str | None,
    keys: tuple[str, ...],
    settings: tuple[str, ...],
    create: bool,
) -> None:
    """Create a hook, and print its URL and what to do at the provider.

    \b
      rapport hook create sendgrid --key MFkwEwYH…
      rapport hook create postmark --set campaign_activity=tag
      rapport hook create amazon-ses --set topic_arn=arn:aws:sns:eu-west-1:123456789012:rapport
      rapport hook create generic --set mapping=@mapping.json

    The campaign activity of an event is what the message's metadata `rapport_campaign_activity_id` names, else that of
    the send with the same message id, else what the setting campaign_activity says: tag, subject, metadata:FIELD or
    constant:ID.
    """
    server_settings = get_settings(data=data)
    hook_settings = _read_settings(settings)
    hook_keys = tuple(map(_read_value, keys))

    async def run() -> tuple[ActiveHook, str | None]:
        async with open_command_store(server_settings, create=create) as store:
            await store.accounts.ensure(account)
            title = name or SOURCES[provider].title
            return await create_hook(
                store, account, provider, name=title, settings=hook_settings, keys=hook_keys, now=now()
            )

    try:
        active, secret = asyncio.run(run())
    except MissingKey as exc:
        raise MissingKey(
            f"{exc}; pass it with --key. If {SOURCES[provider].title} shows it only for an existing webhook, create "
            "one there with any URL, and replace the URL afterwards"
        ) from exc
    except MissingSetting as exc:
        raise MissingSetting(f"{exc}. Pass it with --set NAME=VALUE") from exc
    url = hook_url(server_settings.public_url or server_url(server_settings), active.hook, secret)
    click.echo(
        f"Hook {active.hook.hook_id} was created. Its URL{', which is shown only once' if secret else ''}:\n\n  {url}\n"
    )
    for number, step in enumerate(setup_steps(active, url), 1):
        click.echo(f"{number}. {step}")


@hook.command()
@data_option
@account_option
@click.argument("hook_id", metavar="HOOK")
@_key_option
@_set_option
def update(data: str | None, account: str, hook_id: str, keys: tuple[str, ...], settings: tuple[str, ...]) -> None:
    """Change settings of a hook, or replace its keys. A setting with an empty value is removed.

    \b
      rapport hook update 3f9c --set campaign_activity=constant:spring
      rapport capture retry
    """
    changed = _read_settings(settings)
    new_keys = tuple(map(_read_value, keys))

    async def run() -> None:
        async with open_command_store(get_settings(data=data)) as store:
            active = await _find(store, account, hook_id)
            merged = {name: value for name, value in (active.hook.settings | changed).items() if value}
            hook = replace(active.hook, settings=merged)
            await save_hook(store, hook, new_keys or active.credentials.keys)

    asyncio.run(run())
    click.echo(f"Hook {hook_id} was changed. `rapport capture retry` matches again what could not be matched.")


@hook.command("list")
@data_option
@account_option
def list_hooks(data: str | None, account: str) -> None:
    """List the hooks, with their latest requests and unmatched items."""

    async def run() -> None:
        settings = get_settings(data=data)
        async with open_command_store(settings) as store:
            hooks = [active for active in await load_hooks(store) if active.hook.account_id == account]
            if not hooks:
                click.echo("No hooks yet; `rapport hook create` creates one.")
            for active in hooks:
                await _show(store, settings, active)

    asyncio.run(run())


async def _show(store: Store, settings: Settings, active: ActiveHook) -> None:
    hook = active.hook
    name = "" if hook.name == active.provider.title else f"  {hook.name}"
    click.echo(f"{hook.hook_id}  {active.provider.title}{name}")
    click.echo(
        f"  {hook_url(settings.public_url or server_url(settings), hook)}{'.SECRET' if hook.secret_hashes else ''}"
    )
    hour = time.time_ns() // 1_000_000 // HOUR
    hours = await store.hooks.hours(hook.hook_id, hour - _DAY_HOURS + 1)
    unmatched = sum(
        count.items for count in await store.hooks.count_unmatched(hook.account_id) if count.hook_id == hook.hook_id
    )
    events = format_count(sum(hours.values()), "event")
    click.echo(f"  {events} in the last {_DAY_HOURS} hours, {format_count(unmatched, 'unmatched item')}")
    for delivery in await store.hooks.deliveries(hook.hook_id, _LISTED_DELIVERIES):
        detail = (
            f": {delivery.detail}"
            if delivery.detail
            else f", {format_count(delivery.events, 'event')}, {delivery.unmatched} unmatched"
        )
        click.echo(f"  {iso(delivery.received_time)}  {delivery.outcome}{detail}")


@hook.command()
@data_option
@account_option
@click.argument("hook_id", metavar="HOOK")
def delete(data: str | None, account: str, hook_id: str) -> None:
    """Delete a hook, its keys and its unmatched items. What was recorded stays."""

    async def run() -> None:
        async with open_command_store(get_settings(data=data)) as store:
            active = await _find(store, account, hook_id)
            await delete_hook(store, account, active.hook.hook_id)

    asyncio.run(run())
    click.echo(f"Hook {hook_id} was deleted.")


@hook.command()
@data_option
@account_option
@click.argument("hook_id", metavar="HOOK")
@click.option("--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="A header of the request.")
def test(data: str | None, account: str, hook_id: str, headers: tuple[str, ...]) -> None:
    """Check a captured request without recording it.

    The request comes from standard input; what would be recorded is printed.

    HOOK is the hook's id, or its provider if it is the only hook of that provider.

    \b
      rapport hook test sendgrid --header "X-Twilio-Email-Event-Webhook-Timestamp: 1600112502" \\
                                 --header "X-Twilio-Email-Event-Webhook-Signature: MEUCIG…" < captured.json

    Without headers, only the content is checked.
    """
    body = sys.stdin.buffer.read()
    pairs = [header.partition(":") for header in headers]
    named = {name.strip().lower(): value.strip() for name, _, value in pairs}

    async def run() -> bool:
        settings = get_settings(data=data)
        async with open_command_store(settings) as store:
            active = await _find(store, account, hook_id)
            url = hook_url(settings.public_url or server_url(settings), active.hook)
            request = WebhookRequest(body=body, received_time=now(), headers=named, url=url)
            is_authentic = (
                _check(active, request) if named or active.provider.name in {"amazon-ses", "mailgun"} else True
            )
            lines, is_recorded = await preview_request(store, active, body, named, request.received_time)
            click.echo("\n".join(lines))
            return is_recorded and is_authentic

    if not asyncio.run(run()):
        sys.exit(1)


def _check(active: ActiveHook, request: WebhookRequest) -> bool:
    try:
        active.provider.authenticate(request, active.credentials)
    except (RefusedRequest, InvalidHook, KeyUnavailable) as exc:
        if isinstance(exc, RefusedRequest) and exc.reason == "too old":
            click.echo(f"Authentic, but {exc}.")
            return True
        click.echo(f"Refused: {exc}.")
        return False
    click.echo("Authentic.")
    return True


async def _find(store: Store, account: str, hook_id: str) -> ActiveHook:
    own = [active for active in await load_hooks(store) if active.hook.account_id == account]
    matching = [active for active in own if hook_id in {active.hook.hook_id, active.provider.name}]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise InvalidHook(f"there are {len(matching)} hooks for {hook_id}; name one by its id")
    raise InvalidHook(f"there is no hook {hook_id!r} in the account {account}; `rapport hook list` lists them")
