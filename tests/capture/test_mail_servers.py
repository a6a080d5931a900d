"""Bounces of a real Postfix through an alias and over LMTP, and a mailbox of a real Dovecot."""

import contextlib
import errno
import os
import re
import shutil
import signal
import smtplib
import subprocess
import time
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.helpers.api import ApiClient, make_line
from tests.helpers.command import run_rapport
from tests.helpers.mail_servers import (
    USER,
    ensure_installed,
    make_folder,
    make_reachable_folder,
    run_dovecot,
    run_postfix,
    write_command,
)
from tests.helpers.server import ENVIRONMENT, RAPPORT, Server

pytestmark = pytest.mark.slow

GRACE = "grace.hopper@fails.example.net"


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A temporary folder that every user can reach."""
    with make_reachable_folder() as folder:
        yield folder


@contextlib.contextmanager
def run_listener(*arguments: str, environment: dict[str, str]) -> Iterator[int]:
    """Run `rapport bounce` with a listener, and yield its port."""
    process = subprocess.Popen(
        [RAPPORT, "bounce", *arguments],
        env={**ENVIRONMENT, **environment, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        yield int(re.findall(r":(\d+)\.$", line)[0])
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def bounced(client: ApiClient, contact_id: str) -> list[str]:
    """Wait for the contact's bounces, and return their codes."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        page = client.get(
            f"/v3/reports/email_reports/{contact_id}/tracking/bounces",
        ).json()
        rows = page.get("tracking_activities", [])
        if rows:
            return [row["bounce_code"] for row in rows]
        time.sleep(0.1)
    return []


def letter(message_id: str, to: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "letters@shop.example.com"
    message["To"] = to
    message["Message-ID"] = message_id
    message["Subject"] = "Spring is here"
    message.set_content("Hello")
    return message


def test_postfix_bounces_through_alias_and_lmtp(reachable: Path) -> None:
    ensure_installed("postfix", "postfix")
    data = make_folder(reachable / "data")
    spool = make_folder(reachable / "spool")
    environment = {"RAPPORT_SPOOL": str(spool)}
    run_rapport("import", "--create", "--data", str(data), "-", stdin=b"", environment=environment)
    run_rapport("hook", "create", "email", "--data", str(data), environment=environment)
    for path in data.rglob("*"):
        shutil.chown(path, USER)
    command = write_command(make_folder(reachable / "command"), "rapport.cli.main")
    with (
        Server(str(data), environment=environment) as server,
        server.client("default") as client,
        run_listener("--data", str(data), "--lmtp", "127.0.0.1:0", environment=environment) as lmtp_port,
        run_postfix(
            reachable / "postfix",
            domains="alias.example.com",
            aliases=f'bounces: "|env RAPPORT_SPOOL={spool} {command} bounce --data {data}"\n',
            transports=(
                "fails.example.net error:5.1.1 mailbox does not exist\n"
                f"lmtp.example.com lmtp:inet:127.0.0.1:{lmtp_port}\n"
            ),
        ) as port,
    ):
        for name in ("alias", "lmtp"):
            address, message_id = f"{name}.{GRACE}", f"<{name}@shop.example.com>"
            sent = make_line(name, "em_sends", campaign_activity_id=f"to-{name}", event_id=message_id)
            client.record({**sent, "email_address": address})
            with smtplib.SMTP("127.0.0.1", port, timeout=20) as smtp:
                smtp.send_message(letter(message_id, address), f"bounces+1@{name}.example.com", [address])
        for name in ("alias", "lmtp"):
            codes = bounced(client, f"to-{name}")
            assert codes == ["B"], (reachable / "postfix" / "log").read_text()


def test_postfix_keeps_bounces_while_they_are_not_accepted(reachable: Path) -> None:
    ensure_installed("postfix", "postfix")
    data, spool = reachable / "data", reachable / "spool"
    environment = {"RAPPORT_SPOOL": str(spool)}
    run_rapport("import", "--create", "--data", str(data), "-", stdin=b"", environment=environment)
    # A file, where a folder is needed.
    spool.write_text("")
    with (
        run_listener("--data", str(data), "--lmtp", "127.0.0.1:0", environment=environment) as lmtp_port,
        run_postfix(
            reachable / "postfix",
            domains="alias.example.com",
            aliases="",
            transports=f"fails.example.net error:5.1.1 no\nlmtp.example.com lmtp:inet:127.0.0.1:{lmtp_port}\n",
        ) as port,
    ):
        with smtplib.SMTP("127.0.0.1", port, timeout=20) as smtp:
            smtp.send_message(letter("<l@shop.example.com>", GRACE), "bounces@lmtp.example.com", [GRACE])
        log = reachable / "postfix" / "log"
        deadline = time.monotonic() + 30
        while "451 4.3.0" not in log.read_text() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert "451 4.3.0" in log.read_text()
        spool.unlink()
        while "250 2.0.0 Kept" not in log.read_text() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert "250 2.0.0 Kept" in log.read_text()
    assert list(spool.glob("*.spool"))


REPORT = f"""From: MAILER-DAEMON@mx.example.org
Message-ID: <report@mx.example.org>
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org

Final-Recipient: rfc822; {GRACE}
Action: failed
Status: 5.2.2

--b--
""".encode()


@pytest.mark.parametrize("options", [(), ("--delete",)])
def test_imap_messages_are_marked_after_they_are_kept(reachable: Path, options: tuple[str, ...]) -> None:
    ensure_installed("dovecot", "dovecot-imapd")
    data, spool, password = reachable / "data", reachable / "spool", reachable / "password"
    password.write_text("correct-horse\n")
    environment = {"RAPPORT_SPOOL": str(spool)}
    run_rapport("import", "--create", "--data", str(data), "-", stdin=b"", environment=environment)
    with run_dovecot(reachable / "dovecot", password="correct-horse") as (port, maildir):  # noqa: S106 - of a server that only this test uses
        for number in range(3):
            path = maildir / "new" / f"{number}.mx"
            path.write_bytes(REPORT)
            shutil.chown(path, USER)
        url = f"imap://bounces%40example.com@127.0.0.1:{port}/INBOX"
        arguments = ("bounce", "--data", str(data), "--imap", url, "--password-file", str(password), *options)
        # A file, where a folder is needed.
        spool.write_text("")
        run_rapport(*arguments, environment=environment, code=1)
        assert unread(maildir) == 3
        spool.unlink()
        assert run_rapport(*arguments, environment=environment).stdout == "3 messages stored.\n"
        assert run_rapport(*arguments, environment=environment).stdout == "0 messages stored.\n"
        messages = [path for name in ("new", "cur") for path in (maildir / name).iterdir()]
        assert (len(messages), unread(maildir)) == ((0, 0) if options else (3, 0))
        password.write_text("wrong\n")
        failed = run_rapport(*arguments, environment=environment, code=1)
        assert "INBOX of 127.0.0.1 can't be read" in failed.stderr
        assert "wrong" not in failed.stderr


def unread(maildir: Path) -> int:
    """Count the messages without the flag S."""
    return sum(
        "S" not in path.name.partition(":2,")[2] for name in ("new", "cur") for path in (maildir / name).iterdir()
    )


@pytest.mark.parametrize(
    "url", ["http://u@h/", "imaps://host/INBOX", "imaps://user:secret@host/INBOX", "mail.example.com"]
)
def test_invalid_imap_url_is_rejected(tmp_path: Path, url: str) -> None:
    failed = run_rapport("bounce", "--data", str(tmp_path), "--imap", url, code=2)
    assert "--imap" in failed.stderr


@pytest.mark.parametrize("protocol", ["--smtp", "--lmtp"])
def test_busy_port_is_reported(tmp_path: Path, protocol: str) -> None:
    data = str(tmp_path / "data")
    environment = {"RAPPORT_SPOOL": str(tmp_path / "spool")}
    run_rapport("import", "--create", "--data", data, "-", stdin=b"", environment=environment)
    with run_listener("--data", data, "--smtp", "127.0.0.1:0", environment=environment) as port:
        failed = run_rapport("bounce", "--data", data, protocol, f"127.0.0.1:{port}", environment=environment, code=1)
    assert f"can't listen at 127.0.0.1:{port}: " in failed.stderr
    assert os.strerror(errno.EADDRINUSE) in failed.stderr


def test_missing_store_does_not_lose_the_message(tmp_path: Path) -> None:
    environment = {"RAPPORT_SPOOL": str(tmp_path / "spool")}
    run_rapport("bounce", "--data", str(tmp_path / "missing"), stdin=REPORT, environment=environment, code=75)
