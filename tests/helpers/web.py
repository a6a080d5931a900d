"""Signed-in HTTP clients for the web pages."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from rapport.auth.scope import Role, Scope
from rapport.auth.sign_in_codes import create_code
from rapport.auth.token import Principal
from rapport.settings import Settings
from rapport.store.engines import open_store
from rapport.web.sessions import now
from tests.helpers.loop import run_async
from tests.helpers.server import Server

MALICIOUS_HTML = '<script>alert("1")</script>'
API_PREFIXES = (
    *("/v3/", "/track/", "/in/", "/schema", "/.well-known/", "/healthz", "/readyz", "/metrics"),
    *(f"/oauth2/default/v1/{endpoint}" for endpoint in ("token", "device/authorize", "revoke", "keys")),
)


@contextmanager
def open_browser(server: Server, account: str, role: Role = Role.OWNER) -> Iterator[httpx.Client]:
    """Open a client that has signed in with a token."""
    with httpx.Client(base_url=server.url, timeout=60) as browser:
        with server.client(account, frozenset(Scope), role) as client:
            response = browser.post("/sign-in", data={"token": client.token})
        assert (response.status_code, response.headers["location"]) == (
            303,
            "/connect" if role is Role.CAMPAIGN_CREATOR else "/",
        )
        yield browser


def get_form_token(page: httpx.Response) -> str:
    """Return the form token of the page."""
    (token,) = set(re.findall(r'name="form_token" value="([^"]+)"', page.text))
    return str(token)


@contextmanager
def open_browser_with_token(server: Server, token: str) -> Iterator[httpx.Client]:
    """Open a client that has signed in with this token."""
    with httpx.Client(base_url=server.url, timeout=60) as browser:
        assert browser.post("/sign-in", data={"token": token}).status_code == 303
        yield browser


@contextmanager
def open_browser_by_link(
    server: Server, account: str, role: Role = Role.OWNER, scopes: frozenset[Scope] = frozenset(Scope)
) -> Iterator[httpx.Client]:
    """Open a client that has signed in by a link."""
    with httpx.Client(base_url=server.url, timeout=60) as browser:
        assert browser.post(create_sign_in_link(server, account, role, scopes)).status_code == 303
        yield browser


def create_sign_in_link(
    server: Server, account: str, role: Role = Role.OWNER, scopes: frozenset[Scope] = frozenset(Scope)
) -> str:
    """Create a one-time sign-in link and return its path."""

    async def create() -> str:
        async with open_store(Settings(data=server.data)) as store:
            return await create_code(store.secrets, Principal(account, "serve", "ada@example.com", role, scopes), now())

    return f"/sign-in/{run_async(create())}"
