"""`rapport bounce`: record bounce mail, from a mail server or a Maildir."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple, Self

import click

from rapport.capture.bounces.imap import FolderResult, ImapFolder, parse_imap_url, read_folder
from rapport.capture.bounces.imap_login import ImapLogin, OAuthLogin, PasswordLogin, read_oauth_file
from rapport.capture.bounces.listener import BounceListener, ListenAddress, ListenerTLS, Protocol, parse_listen_address
from rapport.capture.bounces.reader import SOURCE
from rapport.capture.captured import CapturedRequest, encode_request
from rapport.capture.errors import InvalidHook, MailboxUnavailable, SpoolFull, SpoolUnavailable
from rapport.capture.sources import SOURCES
from rapport.capture.spool import SpoolWriter
from rapport.cli.command import (
    Duration,
    account_option,
    data_option,
    format_count,
    get_settings,
    now,
    open_command_store,
)
from rapport.errors import RapportError
from rapport.instant import SECOND
from rapport.recording.hook_registry import create_hook, load_hooks
from rapport.settings import Settings
from rapport.store.engines import find_spool

_TEMPORARY_FAILURE: Final = 75
"""The exit code (EX_TEMPFAIL) that makes a mail server keep the message and try again later."""
_MAX_MESSAGE_BYTES: Final = SOURCES[SOURCE].max_body_bytes


class _InvalidMessage(click.ClickException):
    """The message is empty or too large, so that no retry would help."""


class _Address(click.ParamType[ListenAddress]):
    """HOST:PORT."""

    name = "host:port"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> ListenAddress:
        """Return the address. Fails for an invalid one."""
        try:
            return parse_listen_address(str(value))
        except ValueError as exc:
            self.fail(str(exc), param, ctx)


class _ImapUrl(click.ParamType[ImapFolder]):
    """imaps://USER@HOST/FOLDER."""

    name = "url"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> ImapFolder:
        """Return the folder. Fails for an invalid URL."""
        try:
            return parse_imap_url(str(value))
        except ValueError as exc:
            self.fail(str(exc), param, ctx)


class _Mailbox(NamedTuple):
    """An IMAP folder, and the options for reading it."""

    folder: ImapFolder
    login: ImapLogin
    is_deleting: bool
    interval_seconds: float | None


@click.command(short_help="Record bounce mail.")
@data_option
@account_option
@click.option(
    "--maildir",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Read the new messages of a Maildir, and move each to cur when it is kept.",
)
@click.option("--lmtp", type=_Address(), help="Listen for LMTP until stopped, such as 127.0.0.1:2424.")
@click.option("--smtp", type=_Address(), help="Listen for SMTP until stopped, such as 127.0.0.1:2525.")
@click.option(
    "--certificate",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The certificate with which --lmtp and --smtp offer STARTTLS, in PEM. Needs --certificate-key.",
)
@click.option(
    "--certificate-key",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The file with the private key of --certificate.",
)
@click.option("--require-tls", is_flag=True, help="Accept messages only over TLS. Needs --certificate.")
@click.option(
    "--imap",
    type=_ImapUrl(),
    help="Read the unread messages of a folder, imaps://USER@HOST/FOLDER, and mark them as read when they are kept.",
)
@click.option(
    "--password-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True),
    help="The file with the password for --imap; - is standard input.",
)
@click.option(
    "--oauth-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The file with the OAuth client for --imap, instead of a password: JSON with token_url, client_id, "
    "refresh_token, client_secret and scope.",
)
@click.option("--delete", is_flag=True, help="Delete the messages of --imap when they are kept.")
@click.option("--every", type=Duration(), help="Read the IMAP folder at this interval, such as 60s, until stopped.")
def bounce(
    *,
    data: str | None,
    account: str,
    maildir: Path | None,
    lmtp: ListenAddress | None,
    smtp: ListenAddress | None,
    certificate: Path | None,
    certificate_key: Path | None,
    require_tls: bool,
    imap: ImapFolder | None,
    password_file: Path | None,
    oauth_file: Path | None,
    delete: bool,
    every: int | None,
) -> None:
    """Record bounce mail from standard input, a Maildir, an IMAP folder, LMTP or SMTP.

    \b
      bounces: "|rapport bounce --data /var/lib/rapport"      (in /etc/aliases)
      rapport bounce --maildir /home/bounces/Maildir
      rapport bounce --lmtp 127.0.0.1:2424
      rapport bounce --imap imaps://bounces%40example.com@mail.example.com/INBOX --password-file bounces.txt

    Bounces, complaints (ARF) and automatic replies are recorded by the running server, or by the next one. A message is
    on the disk when it is accepted, or when the command ends with 0; with 75, the mail server should try again later.
    """
    listeners: list[tuple[Protocol, ListenAddress]] = []
    if lmtp is not None:
        listeners.append(("lmtp", lmtp))
    if smtp is not None:
        listeners.append(("smtp", smtp))
    if (maildir is not None) + (imap is not None) + bool(listeners) > 1:
        raise click.UsageError("--maildir, --imap and --lmtp or --smtp can't be combined; run one command for each.")
    if imap is None and (password_file is not None or oauth_file is not None or delete or every is not None):
        raise click.UsageError("--password-file, --oauth-file, --delete and --every belong to --imap.")
    tls = _read_tls(certificate, certificate_key, is_required=require_tls)
    if tls is not None and not listeners:
        raise click.UsageError("--certificate belongs to --lmtp and --smtp.")
    if listeners:
        asyncio.run(_listen(get_settings(data=data), account, listeners, tls))
    elif maildir is not None:
        asyncio.run(_read_maildir(get_settings(data=data), account, maildir))
    elif imap is not None:
        mailbox = _Mailbox(
            imap, _read_login(password_file, oauth_file), delete, None if every is None else every / SECOND
        )
        asyncio.run(_read_imap(get_settings(data=data), account, mailbox))
    else:
        _read_standard_input(data, account)


def _read_standard_input(data: str | None, account: str) -> None:
    """Keep one message. On any error, have the mail server retry: a bounce has no sender to return it to."""
    try:
        asyncio.run(_keep_one(get_settings(data=data), account, sys.stdin.buffer.read(_MAX_MESSAGE_BYTES + 1)))
    except (RapportError, OSError) as exc:
        click.echo(f"rapport: {exc}", err=True)
        sys.exit(_TEMPORARY_FAILURE)


class _Intake:
    """Keeps messages in the spool, for the account's hook for bounce mail."""

    def __init__(self, settings: Settings, account: str) -> None:
        self._settings = settings
        self._account = account
        self._hook_id = ""
        self._writer = SpoolWriter(find_spool(settings), settings.spool_mb * 1_000_000)

    async def __aenter__(self) -> Self:
        self._hook_id = await _ensure_hook(self._settings, self._account)
        self._writer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._writer.stop()

    async def keep(self, message: bytes) -> None:
        """Keep a message; it is on the disk when this returns. Raises SpoolFull and SpoolUnavailable."""
        received_time = now()
        request = CapturedRequest(
            account_id=self._account,
            hook_id=self._hook_id,
            provider=SOURCE,
            received_time=received_time,
            headers={},
            body=message,
        )
        await self._writer.append(encode_request(request), received_time)


async def _keep_one(settings: Settings, account: str, message: bytes) -> None:
    if len(message) > _MAX_MESSAGE_BYTES:
        raise _InvalidMessage(f"the message has more than {_MAX_MESSAGE_BYTES} bytes")
    if not message.strip():
        raise _InvalidMessage("there is no message on standard input")
    async with _Intake(settings, account) as intake:
        await intake.keep(message)


async def _read_maildir(settings: Settings, account: str, maildir: Path) -> None:
    kept = 0
    async with _Intake(settings, account) as intake:
        for path in _new_messages(maildir):
            if path.stat().st_size > _MAX_MESSAGE_BYTES:
                click.echo(f"rapport: {path} has more than {_MAX_MESSAGE_BYTES} bytes and was skipped", err=True)
                continue
            await intake.keep(path.read_bytes())
            path.rename(maildir / "cur" / f"{path.name}:2,S")
            kept += 1
    click.echo(f"{format_count(kept, 'message')} stored.")


def _new_messages(maildir: Path) -> Iterator[Path]:
    for folder in ("new", "cur"):
        (maildir / folder).mkdir(exist_ok=True)
    yield from sorted(path for path in (maildir / "new").iterdir() if path.is_file())


def _read_tls(certificate: Path | None, key: Path | None, *, is_required: bool) -> ListenerTLS | None:
    if certificate is None or key is None:
        if certificate is not None or key is not None or is_required:
            raise click.UsageError("TLS needs both --certificate and --certificate-key.")
        return None
    try:
        return ListenerTLS(certificate, key, is_required=is_required)
    except ValueError as exc:
        raise click.UsageError(str(exc)) from exc


async def _listen(
    settings: Settings,
    account: str,
    listeners: Sequence[tuple[Protocol, ListenAddress]],
    tls: ListenerTLS | None,
) -> None:
    stop = _stop_event()
    async with _Intake(settings, account) as intake:
        listener = BounceListener(intake.keep, _MAX_MESSAGE_BYTES, tls)
        try:
            for protocol, requested in listeners:
                try:
                    address = await listener.listen(protocol, requested)
                except OSError as exc:
                    reason = os.strerror(exc.errno) if exc.errno else str(exc)
                    raise click.ClickException(f"can't listen at {requested}: {reason}") from exc
                click.echo(f"Listening for {protocol.upper()} at {address}.")
            await stop.wait()
        finally:
            await listener.close()


async def _read_imap(settings: Settings, account: str, mailbox: _Mailbox) -> None:
    stop = asyncio.Event() if mailbox.interval_seconds is None else _stop_event()
    async with _Intake(settings, account) as intake:
        while True:
            try:
                result = await asyncio.to_thread(_read_folder, mailbox, intake, asyncio.get_running_loop())
            except (MailboxUnavailable, SpoolFull, SpoolUnavailable) as exc:
                if mailbox.interval_seconds is None:
                    raise
                click.echo(f"rapport: {exc}; trying again", err=True)
            else:
                click.echo(f"{format_count(result.kept, 'message')} stored.")
                if result.too_large:
                    skipped = format_count(result.too_large, "message")
                    click.echo(f"rapport: {skipped} skipped because of the size", err=True)
            if mailbox.interval_seconds is None:
                return
            try:
                async with asyncio.timeout(mailbox.interval_seconds):
                    await stop.wait()
            except TimeoutError:
                continue
            return


def _read_folder(mailbox: _Mailbox, intake: _Intake, loop: asyncio.AbstractEventLoop) -> FolderResult:
    async def keep_all(messages: Sequence[bytes]) -> None:
        # Concurrently, so that one sync of the disk is enough.
        await asyncio.gather(*map(intake.keep, messages))

    def take(messages: Sequence[bytes]) -> None:
        asyncio.run_coroutine_threadsafe(keep_all(messages), loop).result()

    return read_folder(
        mailbox.folder, mailbox.login, take, max_bytes=_MAX_MESSAGE_BYTES, is_deleting=mailbox.is_deleting
    )


def _read_login(password_file: Path | None, oauth_file: Path | None) -> ImapLogin:
    if oauth_file is not None and password_file is None:
        try:
            read_oauth_file(oauth_file)
        except ValueError as exc:
            raise click.UsageError(str(exc)) from exc
        return OAuthLogin(oauth_file)
    if password_file is None or oauth_file is not None:
        raise click.UsageError("--imap needs either --password-file or --oauth-file.")
    text = sys.stdin.read() if str(password_file) == "-" else password_file.read_text("utf-8")
    password = text.partition("\n")[0].removesuffix("\r")
    if not password:
        raise click.UsageError(f"{password_file} has no password in its first line.")
    return PasswordLogin(password)


def _stop_event() -> asyncio.Event:
    """Return an event that is set when the process is asked to stop."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def _ensure_hook(settings: Settings, account: str) -> str:
    """Return the account's hook for bounce mail, and create it if there is none."""
    async with open_command_store(settings) as store:
        hooks = [active.hook for active in await load_hooks(store) if active.hook.account_id == account]
        hook_ids = [hook.hook_id for hook in hooks if hook.provider == SOURCE]
        if len(hook_ids) > 1:
            raise InvalidHook(f"the account {account} has {len(hook_ids)} hooks for bounce mail; delete all but one")
        if hook_ids:
            return hook_ids[0]
        await store.accounts.ensure(account)
        title = SOURCES[SOURCE].title
        created, _ = await create_hook(store, account, SOURCE, name=title, settings={}, keys=(), now=now())
        return created.hook.hook_id
