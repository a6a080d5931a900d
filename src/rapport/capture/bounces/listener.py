"""Receive bounce mail over SMTP (RFC 5321) and LMTP (RFC 2033)."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import structlog
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session, syntax

from rapport.capture.errors import SpoolFull, SpoolUnavailable

Keep = Callable[[bytes], Awaitable[None]]
"""Store a message durably. Raises SpoolFull and SpoolUnavailable."""

Protocol = Literal["smtp", "lmtp"]

MAX_CONNECTIONS: Final = 100
_TIMEOUT_SECONDS: Final = 120.0
_MAX_LINE_BYTES: Final = 1024 * 1024
"""Returned messages often have longer lines than RFC 5321 allows. Rejecting them would lose the bounce."""
_KEPT: Final = "250 2.0.0 Kept"
_FULL: Final = "452 4.3.1 No space left; try again later"
_UNAVAILABLE: Final = "451 4.3.0 The message can't be kept now; try again later"
_NO_TLS: Final = "530 5.7.0 STARTTLS is required"
_TOO_MANY: Final = b"421 4.3.2 Too many connections; try again later\r\n"

_log = structlog.get_logger("rapport.capture")


class ListenAddress(NamedTuple):
    """An address to listen at. Port 0 is any free port."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_listen_address(text: str) -> ListenAddress:
    """Return the address in HOST:PORT or [IPv6]:PORT. Raises ValueError."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (colon and host and port.isdecimal() and int(port) <= 65_535):
        raise ValueError(f"{text!r} must be HOST:PORT, such as 127.0.0.1:2525")
    return ListenAddress(host, int(port))


class ListenerTLS:
    """The certificate for STARTTLS, which is read again when its file changes.

    If `is_required`, messages are accepted only over TLS; otherwise, the sender decides.
    """

    def __init__(self, certificate: Path, key: Path, *, is_required: bool) -> None:
        """Read the files. Raises ValueError."""
        self._certificate = certificate
        self._key = key
        self.is_required = is_required
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._times: tuple[int, ...] = ()
        try:
            self._load()
        except OSError as exc:
            reason = exc.reason if isinstance(exc, ssl.SSLError) else exc.strerror
            raise ValueError(f"{certificate} and {key} are not a certificate and its key in PEM: {reason}") from exc

    def get_context(self) -> ssl.SSLContext:
        """Return the context for the next connection."""
        try:
            self._load()
        except OSError as exc:
            _log.warning("the new certificate can't be read; the previous one is used", error=str(exc))
        return self._context

    def _load(self) -> None:
        times = tuple(file.stat().st_mtime_ns for file in (self._certificate, self._key))
        if times != self._times:
            self._context.load_cert_chain(self._certificate, self._key)
            self._times = times


class BounceListener:
    """Accepts messages for any recipient. A message is stored durably before it is accepted."""

    def __init__(self, keep: Keep, max_message_bytes: int, tls: ListenerTLS | None = None) -> None:
        self._handler = _Handler(keep)
        self._tls = tls
        self._max_message_bytes = max_message_bytes
        self._servers: list[asyncio.Server] = []
        self._sessions: set[asyncio.BaseTransport] = set()

    async def listen(self, protocol: Protocol, address: ListenAddress) -> ListenAddress:
        """Begin to listen, and return the address with its port. Raises OSError."""
        loop = asyncio.get_running_loop()
        protocol_class = _SMTP if protocol == "smtp" else _LMTP

        def create() -> SMTP:
            return protocol_class(
                self._handler,
                self._sessions,
                requires_tls=self._tls is not None and self._tls.is_required,
                data_size_limit=self._max_message_bytes,
                enable_SMTPUTF8=True,
                hostname=socket.gethostname(),
                ident="Rapport",
                timeout=_TIMEOUT_SECONDS,
                tls_context=None if self._tls is None else self._tls.get_context(),
                loop=loop,
            )

        server = await loop.create_server(create, address.host, address.port)
        self._servers.append(server)
        port: int = server.sockets[0].getsockname()[1]
        return address._replace(port=port)

    async def close(self) -> None:
        """Stop listening, and wait until messages that have arrived are answered; then close the connections."""
        for server in self._servers:
            server.close()
        await self._handler.wait()
        for transport in list(self._sessions):
            transport.close()


class _Handler:
    """The callbacks of aiosmtpd."""

    def __init__(self, keep: Keep) -> None:
        self._keep = keep
        self._working = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def wait(self) -> None:
        """Wait until no message is being stored."""
        await self._idle.wait()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: ARG002, N802 - aiosmtpd's
        """Store the message, and return the reply."""
        self._working += 1
        self._idle.clear()
        try:
            await self._keep(envelope.original_content or b"")
        except SpoolFull:
            return _FULL
        except SpoolUnavailable as exc:
            _log.warning("a message can't be kept", error=str(exc))
            return _UNAVAILABLE
        finally:
            self._working -= 1
            if not self._working:
                self._idle.set()
        return _KEPT

    async def handle_exception(self, error: Exception) -> str:
        """Return the reply after an unexpected error: the sender tries again later."""
        _log.error("a session failed", error=repr(error), exc_info=error)
        return _UNAVAILABLE


class _SMTP(SMTP):
    """SMTP with long lines and a limit of connections."""

    line_length_limit = _MAX_LINE_BYTES

    def __init__(
        self,
        handler: _Handler,
        sessions: set[asyncio.BaseTransport],
        *,
        requires_tls: bool,
        **options: Any,  # noqa: ANN401 - aiosmtpd's
    ) -> None:
        super().__init__(handler, **options)
        self._requires_tls = requires_tls
        self._sessions = sessions
        self._is_refused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the session, unless there are too many. After STARTTLS, continue it."""
        if self.transport is not None:
            super().connection_made(transport)
            return
        if len(self._sessions) >= MAX_CONNECTIONS and isinstance(transport, asyncio.WriteTransport):
            self._is_refused = True
            transport.write(_TOO_MANY)
            transport.close()
            return
        self._sessions.add(transport)
        self._own = transport
        super().connection_made(transport)

    @syntax("MAIL FROM: <address>", extended=" [SP <mail-parameters>]")
    async def smtp_MAIL(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd's
        """Begin a message. aiosmtpd's own option would refuse LHLO as well."""
        if self._requires_tls and (self.session is None or self.session.ssl is None):
            await self.push(_NO_TLS)
            return
        await super().smtp_MAIL(arg)

    def connection_lost(self, error: Exception | None) -> None:
        """End the session."""
        if not self._is_refused:
            self._sessions.discard(self._own)
            super().connection_lost(error)


class _LMTP(_SMTP, LMTP):
    """LMTP that replies to a message once for each recipient, as RFC 2033 demands; aiosmtpd replies once."""

    _replies = 1

    @syntax("DATA")
    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's
        """Receive a message."""
        try:
            await super().smtp_DATA(arg)
        finally:
            self._replies = 1

    async def push(self, status: str | bytes) -> None:
        """Send a reply."""
        text = status if isinstance(status, str) else status.decode()
        replies = self._replies
        if text.startswith("354") and self.envelope is not None:
            self._replies = len(self.envelope.rcpt_tos)
        await super().push("\r\n".join([text] * replies))
