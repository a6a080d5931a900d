"""One browser and one server for all tests in this folder; each test has an account and a window of its own."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from rapport.auth.scope import Scope
from tests.helpers.api import ApiClient
from tests.helpers.browser import open_signed_in
from tests.helpers.chromium import run_chromium
from tests.helpers.server import Server


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on SQLite; tests/web checks that pages are the same on every engine."""
    with Server(str(tmp_path_factory.mktemp("looked-at") / "data")) as running:
        # Reads the keys before the browser starts.
        running.token("default")
        yield running


@pytest.fixture(scope="package")
def browser(server: Server) -> Iterator[Browser]:
    with run_chromium() as running:
        yield running


@pytest.fixture
def client(server: Server, account: str) -> Iterator[ApiClient]:
    with server.client(account, frozenset(Scope)) as client:
        yield client


@pytest.fixture
def page(browser: Browser, server: Server, client: ApiClient) -> Iterator[Page]:
    """A signed-in page. Afterwards, the console must have no errors: no policy violation, no failed script."""
    with open_signed_in(browser, server, client) as context:
        page = context.new_page()
        received: list[str] = []
        page.on(
            "console", lambda message: received.append(message.text) if message.type in {"error", "warning"} else None
        )
        page.on("pageerror", lambda error: received.append(str(error)))
        yield page
        assert received == []
