"""Read bounce mail from an IMAP folder (RFC 9051)."""

import ipaddress
import ssl
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError

from rapport.capture.bounces.imap_login import ImapLogin
from rapport.capture.errors import MailboxUnavailable

_TIMEOUT_SECONDS: Final = 60.0
_BATCH_MESSAGES: Final = 50
_BATCH_BYTES: Final = 16 * 1024 * 1024
_DEFAULT_FOLDER: Final = "INBOX"
_TLS_PORT: Final = 993
_PLAIN_PORT: Final = 143
_SIZE: Final = b"RFC822.SIZE"
_BODY: Final = b"BODY[]"
_SEEN: Final = rb"\Seen"
_EXPECTED: Final = "imaps://USER@HOST/FOLDER, such as imaps://bounces%40example.com@mail.example.com/INBOX"

Take = Callable[[Sequence[bytes]], None]
"""Store messages durably. Raises SpoolFull and SpoolUnavailable."""


class ImapFolder(NamedTuple):
    """A folder on a server. Without `is_tls`, the connection begins in plain text and is upgraded by STARTTLS."""

    host: str
    port: int
    user: str
    folder: str
    is_tls: bool

    @property
    def is_local(self) -> bool:
        """True if the server is on this machine, so that the connection needs no encryption."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


class FolderResult(NamedTuple):
    """The number of messages that were stored, and of those that were skipped because they are too large."""

    kept: int
    too_large: int


def parse_imap_url(url: str) -> ImapFolder:
    """Return the folder that a URL names. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in {"imaps", "imap"} or not parts.hostname or not parts.username:
        raise ValueError(f"{url!r} must be {_EXPECTED}")
    if parts.password is not None:
        raise ValueError(
            "the URL must not contain the password, which others could see; use --password-file or --oauth-file"
        )
    is_tls = parts.scheme == "imaps"
    return ImapFolder(
        host=parts.hostname,
        port=parts.port or (_TLS_PORT if is_tls else _PLAIN_PORT),
        user=unquote(parts.username),
        folder=unquote(parts.path.removeprefix("/")) or _DEFAULT_FOLDER,
        is_tls=is_tls,
    )


def read_folder(folder: ImapFolder, login: ImapLogin, take: Take, *, max_bytes: int, is_deleting: bool) -> FolderResult:
    """Store the unread messages, then mark them as read, or delete them.

    A message is only marked after `take` has returned; if that fails, or the process dies, it is read again.

    Raises MailboxUnavailable, and what `take` raises.
    """
    try:
        with _connect(folder) as client:
            login.sign_in(client, folder.user)
            client.select_folder(folder.folder)
            sizes = client.fetch(client.search(["UNSEEN", "UNDELETED"]), [_SIZE])
            messages = {uid: int(data[_SIZE]) for uid, data in sorted(sizes.items()) if _SIZE in data}
            small = {uid: size for uid, size in messages.items() if size <= max_bytes}
            kept = 0
            for batch in _batches(small):
                kept += _take_batch(client, batch, take, is_deleting=is_deleting)
            return FolderResult(kept, len(messages) - len(small))
    except (IMAPClientError, OSError) as exc:
        raise MailboxUnavailable(
            f"the folder {folder.folder} of {folder.host} can't be read: {_describe(exc)}"
        ) from exc


def _describe(exc: Exception) -> str:
    text = exc.args[0] if exc.args else exc
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else str(exc)


def _connect(folder: ImapFolder) -> IMAPClient:
    context = ssl.create_default_context()
    client = IMAPClient(
        folder.host,
        port=folder.port,
        ssl=folder.is_tls,
        ssl_context=context if folder.is_tls else None,
        timeout=_TIMEOUT_SECONDS,
    )
    if not folder.is_tls and not folder.is_local:
        client.starttls(context)
    return client


def _batches(sizes: dict[int, int]) -> list[list[int]]:
    batches: list[list[int]] = []
    total = 0
    for uid, size in sizes.items():
        if not batches or len(batches[-1]) >= _BATCH_MESSAGES or total + size > _BATCH_BYTES:
            batches.append([])
            total = 0
        batches[-1].append(uid)
        total += size
    return batches


def _take_batch(client: IMAPClient, uids: list[int], take: Take, *, is_deleting: bool) -> int:
    # PEEK doesn't mark the messages as read.
    fetched = client.fetch(uids, [b"BODY.PEEK[]"])
    messages = {uid: bytes(data[_BODY]) for uid, data in fetched.items() if _BODY in data}
    if not messages:
        return 0
    take(list(messages.values()))
    if is_deleting:
        client.delete_messages(list(messages), silent=True)
        # Without UIDPLUS, what others have marked as deleted goes too.
        client.expunge(list(messages) if client.has_capability("UIDPLUS") else None)
    else:
        client.add_flags(list(messages), [_SEEN], silent=True)
    return len(messages)
