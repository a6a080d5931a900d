"""`rapport demo`: sample data, a server, and a request to paste."""

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
from rapport.cli.command import data_option, now, open_command_store, settings_for
from rapport.cli.serve import address, owner_of, run_server, sign_in_link
from rapport.cli.token import make
from rapport.errors import InvalidSetting
from rapport.instant import DAY
from rapport.recording.reader_process import CHUNK_SIZE
from rapport.sample import find_day, last, sample, star
from rapport.settings import LogFormat, Settings
from rapport.store.batch import build_batch
from rapport.store.engines import open_store
from rapport.store.store import Store

ACCOUNT = "default"

_FIRST_DAY: Final = date(2000, 1, 1)


@click.command()
@data_option
@click.option(
    "--contacts", type=click.IntRange(1, 1_000_000), default=3_000, show_default=True, help="How many contacts."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed, another sample.")
@click.option(
    "--day",
    type=click.DateTime(("%Y-%m-%d",)),
    metavar="YYYY-MM-DD",
    help="The last day of the sample, in UTC. [default: today]",
)
@click.option("--port", type=int, help="The port to listen on. [default: 8080]")
def demo(data: str | None, contacts: int, seed: int, day: datetime | None, port: int | None) -> None:
    """Load sample data, serve it, and print a request to paste.

    A shop's customers over two years: mailings and landing pages, all ten types of activity. It ends with the day
    on which it is made, so that the charts of recent days show something. The same seed and day make the same sample.
    A second run, on another day as well, keeps the data and starts at once. Don't mix it with your own data: where
    there is some, name another directory with --data.
    """
    last_day = _check_day(None if day is None else day.date())
    settings = settings_for(data=data, port=port)
    if settings.log is LogFormat.AUTO:
        # What is printed below is there to be read and pasted from.
        settings = replace(settings, log=LogFormat.QUIET)
    asyncio.run(_load(settings, contacts, seed, last_day))
    principal = owner_of(ACCOUNT, "demo")
    token = asyncio.run(_make_token(settings, principal))
    link = asyncio.run(sign_in_link(settings, principal))
    url = f"{address(settings)}/v3/reports/contact_reports/{star(seed)}/activity_details"
    every_type = ",".join(TYPE_NAMES)
    run_server(
        settings,
        lambda: click.echo(
            f"\nRapport is ready at {address(settings)}\n"
            f"\nLook at it in a browser, with a link that is good once, for 15 minutes:\n\n{link}\n"
            f"\nA page to try the API on:  {address(settings)}/schema?contact_id={star(seed)}\n"
            f"\nA token, good for a day:\n\n{token}\n"
            f"\nWhat did this customer do? Paste it into another terminal:\n"
            f"\ncurl -s -H 'Authorization: Bearer {token}' '{url}?tracking_activities_list={every_type}'\n"
            "\nCtrl-C stops it; the data stays.\n"
        ),
    )


def _check_day(day: date | None) -> date:
    today = datetime.now(UTC).date()
    if day is None:
        return today
    if not _FIRST_DAY <= day <= today:
        raise click.BadParameter(f"must be from {_FIRST_DAY} to {today}, today in UTC", param_hint="--day")
    return day


async def _make_token(settings: Settings, principal: Principal) -> str:
    async with open_store(settings) as store:
        return await make(store, settings, principal, DAY)


async def _load(settings: Settings, contacts: int, seed: int, day: date) -> None:
    """Record the sample that ends with `day`, unless the store has one. Continue one that was interrupted."""
    async with open_command_store(settings, create=True) as store:
        if await _knows(store, last(contacts, seed)):
            return
        if await _knows(store, star(seed)):
            begun = find_day(
                [activity async for activity in store.activities.iterate(ACCOUNT, star(seed))], contacts, seed
            )
            if begun is None:
                click.echo(
                    "rapport: the sample is of another size, or of an earlier version: it is left as it is", err=True
                )
                return
            day = begun
        elif await store.contacts.has_any(ACCOUNT):
            raise InvalidSetting("there is other data than this sample: name an empty directory with --data")
        moment = now()
        activities = (activity for activity in sample(contacts, seed, day) if activity.created_time <= moment)
        console = Console(stderr=True)
        with Progress(console=console, disable=not console.is_terminal, transient=True) as progress:
            task = progress.add_task(f"Sample data for {contacts} contacts", total=None)
            while batch := list(islice(activities, CHUNK_SIZE)):
                await store.ingest.record([build_batch(ACCOUNT, batch)])
                progress.update(task, advance=len(batch))


async def _knows(store: Store, contact_id: str) -> bool:
    return await anext(aiter(store.activities.iterate(ACCOUNT, contact_id)), None) is not None
