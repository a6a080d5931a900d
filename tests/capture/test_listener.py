"""Bounce mail over SMTP and LMTP: accepted means kept, and every recipient gets a reply."""

import asyncio
import smtplib
import ssl
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from rapport.capture.bounces import listener
from rapport.capture.bounces.listener import BounceListener, ListenAddress, ListenerTLS, parse_listen_address
from rapport.capture.errors import SpoolFull, SpoolUnavailable
from rapport.errors import RapportError

MESSAGE = b"From: <mailer-daemon@mx.example.org>\r\nSubject: failure notice\r\n\r\n.dots stay\r\nna\xc3\xafve\r\n"
LOCAL = ListenAddress("127.0.0.1", 0)


class Keeper:
    """Keeps messages in memory, or fails."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.error: Exception | None = None

    async def __call__(self, message: bytes) -> None:
        if self.error is not None:
            raise self.error
        self.messages.append(message)


@pytest.fixture
def keeper() -> Keeper:
    return Keeper()


@pytest.fixture
async def server(keeper: Keeper) -> AsyncIterator[BounceListener]:
    made = BounceListener(keeper, 100_000)
    yield made
    await made.close()


async def converse(address: ListenAddress, lines: list[bytes], *, until: Callable[[bytes], bool]) -> bytes:
    """Send the lines, and return everything that the server replies until `until` is true of it."""
    reader, writer = await asyncio.open_connection(address.host, address.port)
    writer.write(b"".join(line + b"\r\n" for line in lines))
    replies = b""
    async with asyncio.timeout(10):
        while not until(replies):
            received = await reader.read(65_536)
            if not received:
                break
            replies += received
    writer.close()
    return replies


async def test_smtp_message_is_kept_byte_for_byte(server: BounceListener, keeper: Keeper) -> None:
    address = await server.listen("smtp", LOCAL)

    def send() -> dict[str, tuple[int, bytes]]:
        with smtplib.SMTP(address.host, address.port) as client:
            return client.sendmail("", ["b+1@bounce.example.com", "b+2@bounce.example.com"], MESSAGE, ["BODY=8BITMIME"])

    assert await asyncio.to_thread(send) == {}
    assert keeper.messages == [MESSAGE]


async def test_lmtp_replies_once_for_each_recipient(server: BounceListener, keeper: Keeper) -> None:
    address = await server.listen("lmtp", LOCAL)
    session = [b"LHLO mx", b"MAIL FROM:<>", b"RCPT TO:<a@example.com>", b"RCPT TO:<b@example.com>", b"DATA"]
    body = [
        b"Subject: x",
        b"",
        b"y",
        b".",
        b"MAIL FROM:<>",
        b"RCPT TO:<a@example.com>",
        b"DATA",
        b"",
        b"z",
        b".",
        b"QUIT",
    ]
    replies = await converse(address, session + body, until=lambda seen: b"221" in seen)
    assert replies.count(b"250 2.0.0 Kept") == 3
    assert keeper.messages == [b"Subject: x\r\n\r\ny\r\n", b"\r\nz\r\n"]


@pytest.mark.parametrize(
    ("error", "code"), [(SpoolFull("full"), 452), (SpoolUnavailable("gone"), 451), (RapportError("other"), 451)]
)
@pytest.mark.parametrize("protocol", ["smtp", "lmtp"])
async def test_message_that_is_not_kept_is_not_accepted(
    server: BounceListener, keeper: Keeper, protocol: listener.Protocol, error: Exception, code: int
) -> None:
    address = await server.listen(protocol, LOCAL)
    keeper.error = error

    def send() -> int:
        with (smtplib.SMTP if protocol == "smtp" else smtplib.LMTP)(address.host, address.port) as client:
            with pytest.raises(smtplib.SMTPDataError) as refused:
                client.sendmail("", ["b@example.com"], MESSAGE)
            return refused.value.smtp_code

    assert await asyncio.to_thread(send) == code


async def test_too_large_message_is_refused_for_each_recipient(server: BounceListener, keeper: Keeper) -> None:
    address = await server.listen("lmtp", LOCAL)
    session = [b"LHLO mx", b"MAIL FROM:<>", b"RCPT TO:<a@example.com>", b"RCPT TO:<b@example.com>", b"DATA"]
    replies = await converse(
        address, [*session, *[b"x" * 1_000] * 101, b".", b"QUIT"], until=lambda seen: b"221" in seen
    )
    assert replies.count(b"552") == 2
    assert keeper.messages == []


async def test_long_lines_are_accepted(server: BounceListener, keeper: Keeper) -> None:
    address = await server.listen("smtp", LOCAL)
    await converse(
        address,
        [b"EHLO mx", b"MAIL FROM:<>", b"RCPT TO:<a@example.com>", b"DATA", b"", b"x" * 90_000, b".", b"QUIT"],
        until=lambda seen: b"221" in seen,
    )
    assert [len(message) for message in keeper.messages] == [90_004]


def write_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Write a self-signed certificate and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    certificate, private = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(builder.sign(key, SHA256()).public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return certificate, private


def send_over_tls(protocol: listener.Protocol, address: ListenAddress, certificate: Path, name: str) -> None:
    """Send a message after STARTTLS. Raises SSLError if the server has another certificate."""
    context = ssl.create_default_context(cafile=certificate)
    context.check_hostname = False
    with (smtplib.SMTP if protocol == "smtp" else smtplib.LMTP)(address.host, address.port, name) as client:
        client.starttls(context=context)
        client.sendmail("", ["b@example.com"], MESSAGE)


@pytest.mark.parametrize("protocol", ["smtp", "lmtp"])
async def test_message_is_kept_over_tls(keeper: Keeper, tmp_path: Path, protocol: listener.Protocol) -> None:
    certificate, key = write_certificate(tmp_path, "mx.example.com")
    server = BounceListener(keeper, 100_000, ListenerTLS(certificate, key, is_required=True))
    address = await server.listen(protocol, LOCAL)
    try:
        await asyncio.to_thread(send_over_tls, protocol, address, certificate, "mx")
        assert keeper.messages == [MESSAGE]
        # A renewed certificate is used without a restart.
        renewed, key = write_certificate(tmp_path, "mx.example.com")
        await asyncio.to_thread(send_over_tls, protocol, address, renewed, "mx")
        # One that is being written is not.
        key.write_text("")
        await asyncio.to_thread(send_over_tls, protocol, address, renewed, "mx")
        greeting = b"EHLO mx" if protocol == "smtp" else b"LHLO mx"
        plain = await converse(address, [greeting, b"MAIL FROM:<>", b"QUIT"], until=lambda seen: b"221" in seen)
        assert b"530" in plain
        assert len(keeper.messages) == 3
    finally:
        await server.close()


async def test_tls_is_optional_by_default_and_sessions_end(
    keeper: Keeper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "MAX_CONNECTIONS", 5)
    certificate, key = write_certificate(tmp_path, "mx.example.com")
    server = BounceListener(keeper, 100_000, ListenerTLS(certificate, key, is_required=False))
    address = await server.listen("smtp", LOCAL)
    try:
        for _ in range(10):
            await asyncio.to_thread(send_over_tls, "smtp", address, certificate, "mx")
        session = [b"EHLO mx", b"MAIL FROM:<>", b"RCPT TO:<a@example.com>", b"DATA", b"", b"x", b".", b"QUIT"]
        assert b"250 2.0.0 Kept" in await converse(address, session, until=lambda seen: b"221" in seen)
    finally:
        await server.close()


async def test_commands_before_the_handshake_are_discarded(keeper: Keeper, tmp_path: Path) -> None:
    certificate, key = write_certificate(tmp_path, "mx.example.com")
    server = BounceListener(keeper, 100_000, ListenerTLS(certificate, key, is_required=True))
    address = await server.listen("smtp", LOCAL)
    injected = [b"EHLO mx", b"STARTTLS", b"MAIL FROM:<>", b"RCPT TO:<a@example.com>", b"DATA", b"", b"x", b"."]
    try:
        replies = await converse(address, injected, until=lambda seen: b"220 Ready" in seen)
        assert b"354" not in replies
        assert keeper.messages == []
    finally:
        await server.close()


@pytest.mark.parametrize("content", ["", "not a certificate"])
def test_unusable_certificate_is_rejected(tmp_path: Path, content: str) -> None:
    certificate, key = write_certificate(tmp_path, "mx.example.com")
    certificate.write_text(content)
    with pytest.raises(ValueError, match="are not a certificate and its key in PEM"):
        ListenerTLS(certificate, key, is_required=False)


async def test_unfinished_message_is_not_kept(server: BounceListener, keeper: Keeper) -> None:
    address = await server.listen("smtp", LOCAL)
    await converse(
        address,
        [b"EHLO mx", b"MAIL FROM:<>", b"RCPT TO:<a@example.com>", b"DATA", b"Subject: x"],
        until=lambda seen: b"354" in seen,
    )
    assert keeper.messages == []


async def test_bare_line_feeds_do_not_end_a_message(server: BounceListener, keeper: Keeper) -> None:
    address = await server.listen("smtp", LOCAL)
    smuggled = b"Subject: x\r\n\r\none\n.\nMAIL FROM:<>\n.\r\nstill the same message"
    await converse(
        address,
        [b"EHLO mx", b"MAIL FROM:<>", b"RCPT TO:<a@example.com>", b"DATA", smuggled, b".", b"QUIT"],
        until=lambda seen: b"221" in seen,
    )
    assert keeper.messages == [smuggled + b"\r\n"]


async def test_connections_above_limit_are_refused(server: BounceListener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "MAX_CONNECTIONS", 2)
    address = await server.listen("smtp", LOCAL)
    open_connections = [await asyncio.open_connection(address.host, address.port) for _ in range(2)]
    for reader, _ in open_connections:
        assert (await reader.readline()).startswith(b"220")
    assert (await converse(address, [], until=lambda seen: b"\n" in seen)).startswith(b"421 ")
    for _, writer in open_connections:
        writer.close()
        await writer.wait_closed()
    greetings = []
    for _ in range(500):
        greetings.append(await converse(address, [], until=lambda seen: b"\n" in seen))
        if greetings[-1].startswith(b"220"):
            break
        await asyncio.sleep(0.01)
    assert greetings[-1].startswith(b"220")


async def test_closing_waits_for_message_that_is_being_kept() -> None:
    started, may_end = asyncio.Event(), asyncio.Event()
    kept: list[bytes] = []

    async def keep(message: bytes) -> None:
        started.set()
        await may_end.wait()
        kept.append(message)

    made = BounceListener(keep, 100_000)
    address = await made.listen("smtp", LOCAL)
    session = [b"EHLO mx", b"MAIL FROM:<>", b"RCPT TO:<a@example.com>", b"DATA", b"", b"x", b"."]
    sending = asyncio.create_task(converse(address, session, until=lambda seen: b"Kept" in seen))
    await started.wait()
    closing = asyncio.create_task(made.close())
    await asyncio.sleep(0)
    may_end.set()
    await closing
    assert kept == [b"\r\nx\r\n"]
    await sending


@pytest.mark.parametrize("text", ["2525", "localhost:", "host:x", ":25", "host:70000"])
def test_invalid_address_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        parse_listen_address(text)


def test_ipv6_address_is_read() -> None:
    assert parse_listen_address("[::1]:25") == ListenAddress("::1", 25)
    assert str(ListenAddress("::1", 25)) == "[::1]:25"
