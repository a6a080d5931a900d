"""Send one-time links by email, through the SMTP server of the settings."""

import asyncio
import smtplib
import ssl
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Final
from urllib.parse import unquote, urlsplit

import idna

from rapport.errors import MailNotSent
from rapport.instant import DAY, HOUR
from rapport.people.users import LINK_LIFETIME
from rapport.settings import Settings
from rapport.store.users import User

_TIMEOUT: Final = 15.0
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_SUBMISSION_PORT: Final = 587

_INVITATION: Final = """\
Hello,

{by} to {account} on Rapport, as {role}.

To join, open this link and set a password. It works once, within {period}:

{link}

If you didn't expect this invitation, ignore this message.
"""
_RESET: Final = """\
Hello,

to set a new password for {account} on Rapport, open this link. It works once, within {period}:

{link}

If you didn't ask for this, ignore this message: your password stays as it is.
"""


class Mailer:
    """Sends messages in a thread."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.smtp_url
        self._sender = settings.smtp_from

    @property
    def is_configured(self) -> bool:
        """True if there is an SMTP server."""
        return bool(self._url)

    async def send_link(self, user: User, account_name: str, link: str, lifetime: int = LINK_LIFETIME) -> None:
        """Send a user a link to join or to set a password, which is valid for `lifetime`. Raises MailNotSent."""
        is_invitation = user.joined_time is None
        template = _INVITATION if is_invitation else _RESET
        by = f"{_one_line(user.created_by)} invited you" if "@" in user.created_by else "You are invited"
        text = template.format(
            by=by,
            account=_one_line(account_name),
            role=user.role.replace("_", " "),
            period=_format_period(lifetime),
            link=link,
        )
        subject = f"Invitation to {account_name}" if is_invitation else f"Set a new password for {account_name}"
        message = _make_message(self._sender, user.email_address, _one_line(subject), text)
        try:
            await asyncio.to_thread(_send, self._url, message)
        except (smtplib.SMTPException, OSError, UnicodeError, ValueError) as exc:
            raise MailNotSent(f"the email couldn't be sent ({_describe(exc)}); send the link another way") from None


def _format_period(lifetime: int) -> str:
    unit, name = (DAY, "day") if lifetime >= DAY else (HOUR, "hour")
    count = lifetime // unit
    return f"{count} {name}{'' if count == 1 else 's'}"


def _make_message(sender: str, recipient: str, subject: str, text: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = Address("Rapport", addr_spec=_encode_domain(sender))
    message["To"] = Address(addr_spec=_encode_domain(recipient))
    message["Subject"] = subject
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain=_encode_domain(sender).rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    return message


def _send(url: str, message: EmailMessage) -> None:
    parts = urlsplit(url)
    host, context = parts.hostname or "", ssl.create_default_context()
    client = (
        smtplib.SMTP_SSL(host, parts.port or 0, timeout=_TIMEOUT, context=context)
        if parts.scheme == "smtps"
        else smtplib.SMTP(host, parts.port or _SUBMISSION_PORT, timeout=_TIMEOUT)
    )
    with client:
        # Passwords and links don't cross a network unencrypted.
        if parts.scheme == "smtp" and host not in _LOOPBACK:
            client.starttls(context=context)
        if parts.username:
            client.login(unquote(parts.username), unquote(parts.password or ""))
        client.send_message(message)


def _encode_domain(address: str) -> str:
    """Return the address with its domain in ASCII, which every mail server understands."""
    local, _, domain = address.rpartition("@")
    try:
        return f"{local}@{idna.encode(domain, uts46=True).decode()}"
    except idna.IDNAError:
        return address


def _one_line(text: str) -> str:
    return "".join(character for character in text if character.isprintable())


def _describe(exc: Exception) -> str:
    if isinstance(exc, smtplib.SMTPRecipientsRefused):
        return "the mail server refused the recipient"
    if isinstance(exc, smtplib.SMTPAuthenticationError):
        return "the mail server refused the user name or password"
    if isinstance(exc, smtplib.SMTPNotSupportedError):
        return "the mail server doesn't support what is needed: STARTTLS, AUTH or SMTPUTF8"
    if isinstance(exc, smtplib.SMTPException):
        return "the mail server refused the message"
    return "the mail server can't be reached"
