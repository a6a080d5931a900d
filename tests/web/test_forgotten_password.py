"""Forgotten passwords: the same response for every address, a link by email that works once, and few of them."""

import re
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from rapport.auth.authenticator import Authenticator
from rapport.people import sign_in as sign_in_module
from rapport.people.forgotten_passwords import LIFETIME, ForgottenPasswords
from rapport.people.mail import Mailer
from rapport.people.sign_in import SignInService
from rapport.people.users import digest_link
from rapport.settings import Settings
from rapport.store.engines import open_store
from rapport.store.store import Store
from rapport.web.sessions import COOKIE, now
from tests.helpers.loop import run_async
from tests.helpers.mailbox import Inbox, run_mail_server
from tests.helpers.people import OTHER_PASSWORD, PASSWORD, accept, add_user, invite, open_browser_of_user, sign_in
from tests.helpers.server import Server

pytestmark = pytest.mark.slow

PAGE = "/forgotten-password"
PUBLIC_URL = "http://rapport.example.com"


@pytest.fixture(scope="module")
def inbox() -> Iterator[Inbox]:
    with run_mail_server() as inbox:
        yield inbox


@pytest.fixture(scope="module")
def server(inbox: Inbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    environment = {
        "RAPPORT_SMTP_URL": inbox.url,
        "RAPPORT_SMTP_FROM": "rapport@example.com",
        "RAPPORT_PUBLIC_URL": PUBLIC_URL,
    }
    with Server(str(tmp_path_factory.mktemp("forgotten") / "data"), environment=environment) as server:
        yield server


def ask(server: Server, address: str, **headers: str) -> tuple[int, str]:
    response = httpx.post(server.url + PAGE, data={"email_address": address}, headers=headers)
    return response.status_code, response.text


def find_link(text: str) -> str:
    (link,) = re.findall(rf"{PUBLIC_URL}(/invitations/[\w-]+)\s", text)
    return str(link)


def test_link_sets_a_new_password_once(server: Server, inbox: Inbox, account: str) -> None:
    ada = f"ada@{account}.example.com"
    with open_browser_of_user(server, account, ada) as old, httpx.Client(base_url=server.url) as browser:
        assert PAGE in browser.get("/sign-in").text
        assert "Send link" in browser.get(PAGE).text
        # The host of the request isn't trusted: the link begins with the configured URL.
        assert ask(server, f" {ada.upper()} ", host="evil.example.com")[0] == 200
        message = inbox.take()
        assert message["To"] == ada
        assert "within 1 hour" in message.get_content()
        link = find_link(message.get_content())
        for _ in range(2):
            assert "Set a new password" in browser.get(link).text
        assert sign_in(browser, ada).status_code == 303
        browser.cookies.clear()
        assert accept(browser, link, OTHER_PASSWORD).status_code == 303
        assert COOKIE in browser.cookies
        assert accept(browser, link, PASSWORD).status_code == 404
        assert old.get("/profile").status_code == 303
        assert sign_in(old, ada).status_code == 401
        assert sign_in(old, ada, OTHER_PASSWORD).status_code == 303


def test_response_does_not_tell_whether_the_user_exists(server: Server, inbox: Inbox, account: str) -> None:
    ada, bob = f"ada@{account}.example.com", f"bob@{account}.example.com"
    add_user(server, account, ada)
    invite(server, account, bob)
    responses = [ask(server, address) for address in (bob, f"nobody@{account}.example.com", "", "x" * 300, ada)]
    assert {status for status, _ in responses} == {200}
    assert len({text for _, text in responses}) == 1
    # The invited user, who has no password yet, gets none: Ada's message, the last one, is the only one.
    assert inbox.take()["To"] == ada
    assert inbox.messages == []


def test_requests_for_one_address_are_limited(server: Server, inbox: Inbox, account: str) -> None:
    ada, nobody = f"ada@{account}.example.com", f"nobody@{account}.example.com"
    add_user(server, account, ada)
    for address in (ada, nobody):
        statuses = [ask(server, address)[0] for _ in range(sign_in_module.MAX_LINK_REQUESTS + 2)]
        assert statuses == [200] * sign_in_module.MAX_LINK_REQUESTS + [429] * 2
    links = [find_link(inbox.take().get_content()) for _ in range(sign_in_module.MAX_LINK_REQUESTS)]
    # A new link replaces the one before; which one was sent last is the mail server's matter.
    statuses = [httpx.get(server.url + link).status_code for link in links]
    assert sorted(statuses) == [200, 404, 404]


def test_link_expires(server: Server, inbox: Inbox, account: str) -> None:
    ada = f"ada@{account}.example.com"
    add_user(server, account, ada)
    ask(server, ada)
    code = find_link(inbox.take().get_content()).rpartition("/")[2]

    async def get_remaining() -> int:
        async with open_store(Settings(data=server.data)) as store:
            user = await store.users.find_by_link(digest_link(code), now())
            assert user is not None
            assert user.link_expires is not None
            assert await store.users.find_by_link(digest_link(code), user.link_expires) is None
            return user.link_expires - now()

    assert 0 < run_async(get_remaining()) <= LIFETIME


def test_form_of_another_site_is_rejected(server: Server, inbox: Inbox) -> None:
    assert ask(server, "ada@example.com", origin="https://evil.example.com")[0] == 403
    assert inbox.messages == []


def test_page_says_that_no_email_is_sent(sqlite_server: Server) -> None:
    assert "sends no email" in httpx.get(sqlite_server.url + PAGE).text
    assert "sends no email" in ask(sqlite_server, "ada@example.com")[1]


@pytest.mark.parametrize("missing", [None, "smtp_url", "public_url"])
async def test_page_needs_mail_server_and_public_url(store: Store, missing: str | None) -> None:
    complete = Settings(smtp_url="smtp://127.0.0.1", smtp_from="rapport@example.com", public_url=PUBLIC_URL)
    settings = complete if missing is None else replace(complete, **{missing: ""})
    sign_in_service = SignInService(store, Authenticator(store.secrets, settings))
    passwords = ForgottenPasswords(store, sign_in_service, Mailer(settings), settings.public_url)
    assert passwords.is_available is (missing is None)
