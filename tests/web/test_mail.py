"""Invitations by email: sent where a mail server is set, else shown; secrets stay in the settings."""

import re
import smtplib
import ssl
from collections.abc import Iterator
from email.message import EmailMessage

import httpx
import pytest

from rapport.errors import InvalidSetting
from rapport.people import mail
from rapport.settings import read_settings
from tests.helpers.command import run_rapport
from tests.helpers.mailbox import Inbox, run_mail_server
from tests.helpers.network import find_free_port
from tests.helpers.people import accept, get_user_ids, open_browser_of_user, submit
from tests.helpers.server import Server

pytestmark = pytest.mark.slow

SENDER = "rapport@example.com"


@pytest.fixture(scope="module")
def inbox() -> Iterator[Inbox]:
    with run_mail_server() as inbox:
        yield inbox


@pytest.fixture(scope="module")
def environment(inbox: Inbox) -> dict[str, str]:
    return {"RAPPORT_SMTP_URL": inbox.url, "RAPPORT_SMTP_FROM": SENDER}


@pytest.fixture(scope="module")
def server(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(str(tmp_path_factory.mktemp("mail") / "data"), environment=environment) as server:
        yield server


def find_link(message: EmailMessage) -> str:
    (link,) = re.findall(r"http://127.0.0.1:\d+(/invitations/[\w-]+)\s", message.get_content())
    return str(link)


def test_owner_sends_an_invitation_and_a_password_link(server: Server, inbox: Inbox, account: str) -> None:
    ada, bob = f"ada@{account}.example.com", f"bob@{account}.example.com"
    run_rapport("account", "create", account, "--organization-name", "The Shop", "--data", server.data)
    with open_browser_of_user(server, account, ada) as owner, httpx.Client(base_url=server.url) as guest:
        page = submit(owner, "/people", "/people", email_address=bob, role="manager")
        assert f"sent to {bob}" in page.text
        assert "/invitations/" not in page.text
        message = inbox.take()
        assert (message["To"], message["From"]) == (bob, f"Rapport <{SENDER}>")
        assert message["Subject"] == "Invitation to The Shop"
        assert message["Auto-Submitted"] == "auto-generated"
        assert f"{ada} invited you to The Shop on Rapport, as manager." in message.get_content()
        assert accept(guest, find_link(message)).status_code == 303
        submit(owner, "/people", f"/people/{get_user_ids(owner)[bob]}/link")
        message = inbox.take()
        assert message["Subject"] == "Set a new password for The Shop"
        assert accept(guest, find_link(message)).status_code == 303


def test_link_is_shown_if_the_message_is_refused(server: Server, inbox: Inbox, account: str) -> None:
    with open_browser_of_user(server, account, f"ada@{account}.example.com") as owner:
        page = submit(owner, "/people", "/people", email_address="eve@refused.example", role="manager")
        assert "the mail server refused the recipient" in page.text
        assert "/invitations/" in page.text
        assert inbox.messages == []


def test_command_sends_the_link_or_prints_it(
    server: Server, inbox: Inbox, account: str, environment: dict[str, str]
) -> None:
    run_rapport("account", "create", account, "--data", server.data)
    arguments = ("--account", account, "--data", server.data, "--port", str(server.port))
    sent = run_rapport("user", "invite", "ada@example.com", *arguments, environment=environment)
    assert sent.stdout == "Sent a link to ada@example.com.\n"
    assert f"You are invited to {account} on Rapport, as manager." in inbox.take().get_content()
    wrong = {**environment, "RAPPORT_SMTP_URL": environment["RAPPORT_SMTP_URL"].replace("p%2Fss", "wrong")}
    down = {**environment, "RAPPORT_SMTP_URL": f"smtp://127.0.0.1:{find_free_port()}"}
    for settings, reason in ((wrong, "user name or password"), (down, "can't be reached")):
        printed = run_rapport("user", "link", "ada@example.com", *arguments, environment=settings)
        assert "/invitations/" in printed.stdout
        assert len(printed.stdout.splitlines()) == 1
        assert reason in printed.stderr
        assert "p/ss" not in printed.stderr


@pytest.mark.parametrize("address", ["ada@müller.example", '"a b"@example.com', "ada+x@example.com"])
def test_unusual_address_gets_its_message(server: Server, inbox: Inbox, account: str, address: str) -> None:
    with open_browser_of_user(server, account, f"ada@{account}.example.com") as owner:
        page = submit(owner, "/people", "/people", email_address=address, role="manager")
        assert "An email with a link was sent" in page.text
        assert inbox.take()["To"] in {address, address.replace("müller", "xn--mller-kva")}


def test_account_name_cannot_inject_a_header(server: Server, inbox: Inbox, account: str) -> None:
    run_rapport("account", "create", account, "--organization-name", "Shop, “A: b”", "--data", server.data)
    with open_browser_of_user(server, account, f"ada@{account}.example.com") as owner:
        submit(owner, "/people", "/people", email_address="x@example.com", role="manager")
        message = inbox.take()
        assert message["Subject"] == "Invitation to Shop, “A: b”"
        assert message["Bcc"] is None


def test_connection_to_another_machine_is_encrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    class Client(smtplib.SMTP):
        def __init__(self, host: str, port: int, **_: object) -> None:
            calls.append(f"{host}:{port}")

        def __exit__(self, *_: object) -> None:
            pass

        def starttls(self, *, context: ssl.SSLContext) -> None:
            assert context.verify_mode is ssl.CERT_REQUIRED
            raise smtplib.SMTPNotSupportedError

        def login(self, *_: object, **__: object) -> None:
            calls.append("login")

    monkeypatch.setattr(smtplib, "SMTP", Client)
    message = EmailMessage()
    with pytest.raises(smtplib.SMTPNotSupportedError):
        mail._send("smtp://user:secret@mail.example.com", message)  # noqa: SLF001
    assert calls == ["mail.example.com:587"]


@pytest.mark.parametrize(
    ("url", "sender"),
    [
        ("smtp:mail", SENDER),
        ("https://mail.example.com", SENDER),
        ("smtp://u:secret@mail.example.com/x y", SENDER),
        ("smtp://u:secret@mail.example.com", ""),
        ("smtp://u:secret@mail.example.com", "rapport"),
    ],
)
def test_invalid_setting_is_rejected_without_its_secret(url: str, sender: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        read_settings({"RAPPORT_SMTP_URL": url, "RAPPORT_SMTP_FROM": sender})
    assert "secret" not in str(caught.value)
