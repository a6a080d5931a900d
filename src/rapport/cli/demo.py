"""`rapport demo`: load sample data and serve it."""

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import islice
from typing import Final

import click
from rich.console import Console
from rich.progress import Progress

from rapport.activity import TYPE_NAMES
from rapport.auth.token import Principal
from rapport.cli.command import data_option, get_settings, now, open_command_store, setting_option
from rapport.cli.serve import open_and_create_link, owner_principal, run_server, server_url
from rapport.cli.token import create_token
from rapport.errors import InvalidSetting
from rapport.instant import DAY
from rapport.sample import find_day, first_contact_id, generate_sample, last_contact_id
from rapport.settings import LogFormat, Settings
from rapport.store.batch import build_batch
from rapport.store.engines import open_store
from rapport.store.store import Store

ACCOUNT = "default"

_FIRST_DAY: Final = date(2000, 1, 1)


@click.command()
@data_option
@click.option(
    "--contacts",
    type=click.IntRange(1, 1_000_000),
    default=3_000,
    show_default=True,
    help="The number of contacts in the sample.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="The seed of the random sample.")
@click.option(
    "--day",
    type=click.DateTime(("%Y-%m-%d",)),
    metavar="YYYY-MM-DD",
    help="The last day of the sample, in UTC. [default: today]",
)
@setting_option("port")
def demo(data: str | None, contacts: int, seed: int, day: datetime | None, port: int | None) -> None:
    """Load sample data, serve it, and print an example request.

    The sample has the customers of a shop over two years, with emails, landing pages and all ten types of activities.
    It ends today, so that the charts of recent days show something. The same seed and day give the same sample. A
    second run keeps the data and starts at once. Use a directory without other data.
    """
    last_day = _check_day(None if day is None else day.date())
    settings = get_settings(data=data, port=port)
    if settings.log is LogFormat.AUTO:
        # Log lines would hide what is printed below.
        settings = replace(settings, log=LogFormat.QUIET)
    asyncio.run(_load(settings, contacts, seed, last_day))
    principal = owner_principal(ACCOUNT, "demo")
    token = asyncio.run(_create_token(settings, principal))
    link = asyncio.run(open_and_create_link(settings, principal))
    url = f"{server_url(settings)}/v3/reports/contact_reports/{first_contact_id(seed)}/activity_details"
    all_types = ",".join(TYPE_NAMES)
    run_server(
        settings,
        lambda: click.echo(
            f"\nRapport is running at {server_url(settings)}\n"
            f"\nSign in with a browser (one-time link, valid 15 minutes):\n\n{link}\n"
            f"\nAPI explorer:  {server_url(settings)}/schema?contact_id={first_contact_id(seed)}\n"
            f"\nToken (valid 24 hours):\n\n{token}\n"
            f"\nList a customer's activities (run in another terminal):\n"
            f"\ncurl -s -H 'Authorization: Bearer {token}' '{url}?tracking_activities_list={all_types}'\n"
            "\nCtrl-C stops the server; the data stays.\n"
        ),
    )


def _check_day(day: date | None) -> date:
    today = datetime.now(UTC).date()
    if day is None:
        return today
    if not _FIRST_DAY <= day <= today:
        raise click.BadParameter(f"must be from {_FIRST_DAY} to {today} (today in UTC)", param_hint="--day")
    return day


async def _create_token(settings: Settings, principal: Principal) -> str:
    async with open_store(settings) as store:
        return await create_token(store, settings, principal, DAY)


async def _load(settings: Settings, contacts: int, seed: int, day: date) -> None:
    """Record the sample that ends with `day`, unless the store has one. Continue one that was interrupted."""
    async with open_command_store(settings, create=True) as store:
        if await _has_activities(store, last_contact_id(contacts, seed)):
            return
        if await _has_activities(store, first_contact_id(seed)):
            begun = find_day(
                [activity async for activity in store.activities.iterate(ACCOUNT, first_contact_id(seed))],
                contacts,
                seed,
            )
            if begun is None:
                click.echo(
                    "rapport: the sample has another size or is from an earlier version; it is not changed", err=True
                )
                return
            day = begun
        elif await store.contacts.has_any(ACCOUNT):
            raise InvalidSetting("the data directory contains other data; choose an empty directory with --data")
        end = now()
        activities = (activity for activity in generate_sample(contacts, seed, day) if activity.created_time <= end)
        console = Console(stderr=True)
        with Progress(console=console, disable=not console.is_terminal, transient=True) as progress:
            task = progress.add_task(f"Sample data for {contacts} contacts", total=None)
            while batch := list(islice(activities, store.ingest.batch_size)):
                await store.ingest.record([build_batch(ACCOUNT, batch)])
                progress.update(task, advance=len(batch))


async def _has_activities(store: Store, contact_id: str) -> bool:
    return await anext(aiter(store.activities.iterate(ACCOUNT, contact_id)), None) is not None
