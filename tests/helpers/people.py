"""Users for tests, and browsers in which they have signed in."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from rapport.auth.scope import Role
from rapport.people.users import invite_user
from rapport.settings import Settings
from rapport.store.engines import open_store
from rapport.web.sessions import now
from tests.helpers.loop import run_async
from tests.helpers.server import Server

PASSWORD = "correct horse battery"  # noqa: S105 - of tests
OTHER_PASSWORD = "another horse battery"  # noqa: S105 - of tests


def invite(server: Server, account: str, address: str, role: Role = Role.OWNER) -> str:
    """Invite a user, and return the path of the link."""

    async def work() -> str:
        async with open_store(Settings(data=server.data)) as store:
            await store.accounts.ensure(account)
            _, code = await invite_user(store, account, address, role, by="tests", now=now())
            return f"/invitations/{code}"

    return run_async(work())


def accept(browser: httpx.Client, link: str, password: str = PASSWORD) -> httpx.Response:
    """Set a password with a link."""
    return browser.post(link, data={"password": password, "repeated": password})


def add_user(server: Server, account: str, address: str, role: Role = Role.OWNER, password: str = PASSWORD) -> None:
    """Invite a user, and have the user join."""
    with httpx.Client(base_url=server.url, timeout=60) as browser:
        response = accept(browser, invite(server, account, address, role), password)
        assert response.status_code == 303, response.text


def sign_in(browser: httpx.Client, address: str, password: str = PASSWORD, **fields: str) -> httpx.Response:
    """Sign in with a password."""
    return browser.post("/sign-in/password", data={"email_address": address, "password": password, **fields})


@contextmanager
def open_browser_of_user(server: Server, account: str, address: str, role: Role = Role.OWNER) -> Iterator[httpx.Client]:
    """Open a browser in which a new user has signed in."""
    add_user(server, account, address, role)
    with httpx.Client(base_url=server.url, timeout=60) as browser:
        assert sign_in(browser, address).status_code == 303
        yield browser


def submit(browser: httpx.Client, page: str, path: str, **fields: str) -> httpx.Response:
    """Submit a form of a page."""
    (token,) = set(re.findall(r'name="form_token" value="([^"]+)"', browser.get(page).text))
    return browser.post(path, data={"form_token": str(token), **fields})


def get_user_ids(browser: httpx.Client) -> dict[str, str]:
    """Return the ids of the account's users by email address, from the page People."""
    text = browser.get("/people").text
    return {
        address: user_id for user_id, address in re.findall(r'<label for="role-(\w+)">Role of ([^<]+)</label>', text)
    }
