"""One browser and one server for all tests of the pages, each test in an account and a window of its own."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from rapport.auth.scope import Scope
from tests.browser.chromium import chromium
from tests.world import Caller, Server


@pytest.fixture(scope="package")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server: what pages show is the same on every engine, as tests/web sees to."""
    with Server(str(tmp_path_factory.mktemp("looked-at") / "data")) as running:
        # Reads its keys now: while the browser runs, no event loop can.
        running.token("default")
        yield running


@pytest.fixture(scope="package")
def browser(served: Server) -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def caller(served: Server, account: str) -> Iterator[Caller]:
    with served.caller(account, frozenset(Scope)) as calling:
        yield calling


@contextmanager
def signed_in(
    browser: Browser, served: Server, caller: Caller, *, java_script_enabled: bool = True
) -> Iterator[BrowserContext]:
    """A window of somebody who has signed in with the caller's token."""
    context = browser.new_context(
        base_url=served.url,
        locale="en-GB",
        timezone_id="Europe/Berlin",
        reduced_motion="reduce",
        java_script_enabled=java_script_enabled,
    )
    context.set_default_timeout(15_000)
    response = context.request.post("/sign-in", form={"token": caller.bearer}, max_redirects=0)
    assert response.status == 303
    yield context
    context.close()


@pytest.fixture
def page(browser: Browser, served: Server, caller: Caller) -> Iterator[Page]:
    """A page that is signed in. In the end the console has told no error: no policy was broken, no script failed."""
    with signed_in(browser, served, caller) as context:
        page = context.new_page()
        told: list[str] = []
        page.on("console", lambda message: told.append(message.text) if message.type in {"error", "warning"} else None)
        page.on("pageerror", lambda problem: told.append(str(problem)))
        yield page
        assert told == []
