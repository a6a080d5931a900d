"""Signed-in HTTP clients for the web pages."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from rapport.auth.scope import Role, Scope
from tests.helpers.server import Server

MALICIOUS_HTML = '<script>alert("1")</script>'
API_PREFIXES = (
    *("/v3/", "/track/", "/schema", "/.well-known/", "/healthz", "/readyz", "/metrics"),
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
