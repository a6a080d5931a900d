"""`rapport capture`: show the spool and the unmatched items, and match them again."""

import asyncio

import click

from rapport.capture.spool_reader import read_status
from rapport.cli.command import account_option, data_option, format_count, get_settings, open_command_store
from rapport.instant import iso
from rapport.recording.captured_events import CapturedEvents
from rapport.recording.hook_registry import load_hooks
from rapport.store.batch import Batch
from rapport.store.engines import find_spool
from rapport.store.ingest import Recorded

_PAGE = 100


@click.group(short_help="Show what providers reported, and run it again.")
def capture() -> None:
    """Show what email providers have reported, and what could not be matched."""


@capture.command()
@data_option
@account_option
def status(data: str | None, account: str) -> None:
    """Show the size of the spool, and the number of unmatched items."""
    settings = get_settings(data=data)
    spool = read_status(find_spool(settings))
    since = "" if spool.oldest_time is None else f", the oldest from {iso(spool.oldest_time)}"
    click.echo(f"Spool: {format_count(spool.waiting_bytes, 'byte')} in {find_spool(settings).absolute()}{since}")
    for name in spool.damaged:
        click.echo(f"damaged, and set aside: {name}")

    async def run() -> None:
        async with open_command_store(settings) as store:
            counts = await store.hooks.count_unmatched(account)
        for count in counts:
            click.echo(f"Hook {count.hook_id}: {format_count(count.items, 'unmatched item')}: {count.reason}")
        if not counts:
            click.echo("Everything that was captured is matched.")

    asyncio.run(run())


@capture.command()
@data_option
@account_option
@click.option("--limit", type=click.IntRange(1, 100_000), default=_PAGE, show_default=True, help="How many items.")
def unmatched(data: str | None, account: str, limit: int) -> None:
    """List the items that could not be matched.

    The oldest comes first; each is printed with its reason and content.
    """

    async def run() -> None:
        async with open_command_store(get_settings(data=data)) as store:
            after, shown = 0, 0
            while shown < limit and (items := await store.hooks.unmatched(account, after, min(_PAGE, limit - shown))):
                for item in items:
                    to = f" to {item.recipient}" if item.recipient else ""
                    click.echo(f"{item.number}  {iso(item.received_time)}  hook {item.hook_id}{to}")
                    click.echo(f"  {item.reason}: {item.detail}\n  {item.item}")
                after, shown = items[-1].number, shown + len(items)
            if not shown:
                click.echo("Everything that was captured is matched.")

    asyncio.run(run())


@capture.command()
@data_option
@account_option
def retry(data: str | None, account: str) -> None:
    """Match the unmatched items again.

    Run this after you have changed a rule or recorded a send.
    """

    async def run() -> None:
        async with open_command_store(get_settings(data=data)) as store:

            async def record(batch: Batch) -> Recorded:
                [recorded] = await store.ingest.record([batch])
                return recorded

            hooks = {
                active.hook.hook_id: active for active in await load_hooks(store) if active.hook.account_id == account
            }
            result = await CapturedEvents(store, record).retry(account, hooks)
        click.echo(f"Matched {result.matched} of {format_count(result.tried, 'unmatched item')}.")

    asyncio.run(run())
