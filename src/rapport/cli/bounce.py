"""`rapport bounce`: messages that mail servers send to the return path."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from rapport.capture.bounces.reader import SOURCE
from rapport.capture.captured import CapturedRequest, encode_request
from rapport.capture.errors import InvalidHook, SpoolFull, SpoolUnavailable
from rapport.capture.sources import SOURCES
from rapport.capture.spool import SpoolWriter
from rapport.cli.command import account_option, data_option, get_settings, now, open_command_store
from rapport.recording.hook_registry import create_hook, load_hooks
from rapport.settings import Settings
from rapport.store.engines import find_spool

_TRY_AGAIN = 75
"""The exit code (EX_TEMPFAIL) after which a mail server keeps the message, and tries again later."""


@click.command()
@data_option
@account_option
@click.option(
    "--maildir",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Read the new messages of a Maildir, and move each to cur when it is kept.",
)
def bounce(data: str | None, account: str, maildir: Path | None) -> None:
    """Record bounce mail from standard input or a Maildir.

    \b
      bounces: "|rapport bounce --data /var/lib/rapport"      (in /etc/aliases)
      rapport bounce --maildir /home/bounces/Maildir

    Bounces, complaints (ARF) and automatic replies are recorded by the running server, or by the next one. The message
    is on the disk when the command ends with 0; with 75, the mail server should try again later.
    """
    settings = get_settings(data=data)
    limit = SOURCES[SOURCE].max_body_bytes
    try:
        asyncio.run(_take(settings, account, limit, maildir))
    except (SpoolFull, SpoolUnavailable) as exc:
        click.echo(f"rapport: {exc}", err=True)
        sys.exit(_TRY_AGAIN)


async def _take(settings: Settings, account: str, limit: int, maildir: Path | None) -> None:
    hook_id = await _ensure_hook(settings, account)
    writer = SpoolWriter(find_spool(settings), settings.spool_mb * 1_000_000)
    writer.start()
    try:
        if maildir is None:
            await _keep(writer, account, hook_id, sys.stdin.buffer.read(limit + 1), limit)
            return
        kept = 0
        for path in _new_messages(maildir):
            await _keep(writer, account, hook_id, path.read_bytes(), limit)
            path.rename(maildir / "cur" / f"{path.name}:2,S")
            kept += 1
        click.echo(f"{kept} messages were taken.")
    finally:
        await writer.stop()


async def _keep(writer: SpoolWriter, account: str, hook_id: str, message: bytes, limit: int) -> None:
    if len(message) > limit:
        raise click.ClickException(f"the message has more than {limit} bytes")
    if not message.strip():
        raise click.ClickException("there is no message on standard input")
    received_time = now()
    request = CapturedRequest(
        account_id=account, hook_id=hook_id, provider=SOURCE, received_time=received_time, headers={}, body=message
    )
    await writer.append(encode_request(request), received_time)


async def _ensure_hook(settings: Settings, account: str) -> str:
    """Return the account's hook for bounce mail, and create it if there is none."""
    async with open_command_store(settings) as store:
        own = [each.hook for each in await load_hooks(store) if each.hook.account_id == account]
        found = [hook.hook_id for hook in own if hook.provider == SOURCE]
        if len(found) > 1:
            raise InvalidHook(f"the account {account} has {len(found)} hooks for bounce mail; delete all but one")
        if found:
            return found[0]
        await store.accounts.ensure(account)
        title = SOURCES[SOURCE].title
        made, _ = await create_hook(store, account, SOURCE, name=title, settings={}, keys=(), now=now())
        return made.hook.hook_id


def _new_messages(maildir: Path) -> Iterator[Path]:
    for folder in ("new", "cur"):
        (maildir / folder).mkdir(exist_ok=True)
    yield from sorted(path for path in (maildir / "new").iterdir() if path.is_file())
