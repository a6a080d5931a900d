"""A mail server for tests, which keeps the messages that it receives."""

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword

from tests.helpers.network import find_free_port

_USER, _PASSWORD = b"user@x", b"p/ss"
_TIMEOUT = 20.0


class Inbox(Message):
    """Collects messages, and refuses recipients at refused.example."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.url = f"smtp://user%40x:p%2Fss@127.0.0.1:{port}"
        self._messages: queue.Queue[EmailMessage] = queue.Queue()

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's
        self, _server: object, _session: object, envelope: Envelope, address: str, _options: object
    ) -> str:
        if address.endswith("refused.example"):
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    def prepare_message(self, _session: object, envelope: Envelope) -> EmailMessage:
        return message_from_bytes(envelope.content, policy=policy.default)

    def handle_message(self, message: EmailMessage) -> None:
        self._messages.put(message)

    @property
    def messages(self) -> list[EmailMessage]:
        """The messages that have arrived and weren't taken."""
        return list(self._messages.queue)

    def take(self) -> EmailMessage:
        """Wait for a message, and remove it."""
        return self._messages.get(timeout=_TIMEOUT)


@contextmanager
def run_mail_server() -> Iterator[Inbox]:
    """Run a mail server that requires a password."""
    port = find_free_port()
    inbox = Inbox(port)
    controller = Controller(inbox, hostname="127.0.0.1", port=port, authenticator=_authenticate, auth_require_tls=False)
    controller.start()
    try:
        yield inbox
    finally:
        controller.stop()


def _authenticate(_server: object, _session: object, _envelope: object, _mechanism: object, data: object) -> AuthResult:
    is_valid = isinstance(data, LoginPassword) and (data.login, data.password) == (_USER, _PASSWORD)
    return AuthResult(success=is_valid, handled=False)
