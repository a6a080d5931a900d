"""Signed-in windows of a browser, and their accessibility."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize

from tests.helpers.api import ApiClient
from tests.helpers.command import run_rapport
from tests.helpers.server import Server

SCHEMES: Final[tuple[Literal["light"], Literal["dark"]]] = ("light", "dark")
PHONE = ViewportSize(width=360, height=740)


def find_accessibility_issues(page: Page, **options: object) -> list[str]:
    """Return what axe reports as serious or critical, each with its position."""
    violations = Axe().run(page, options={"resultTypes": ["violations"], **options}).response["violations"]
    return [
        f"{violation['id']}: {node['target']} {node['failureSummary']}"
        for violation in violations
        if violation["impact"] in {"serious", "critical"}
        for node in violation["nodes"]
    ]


@contextmanager
def open_signed_in(
    browser: Browser, server: Server, client: ApiClient, *, java_script_enabled: bool = True
) -> Iterator[BrowserContext]:
    """Open a browser context and sign in with the client's token."""
    context = browser.new_context(
        base_url=server.url,
        locale="en-GB",
        timezone_id="Europe/Berlin",
        reduced_motion="reduce",
        java_script_enabled=java_script_enabled,
    )
    context.set_default_timeout(15_000)
    response = context.request.post("/sign-in", form={"token": client.token}, max_redirects=0)
    assert response.status == 303
    yield context
    context.close()


def print_sign_in_link(server: Server, account: str) -> str:
    """Return the link that `rapport sign-in` prints."""
    result = run_rapport("sign-in", "--data", server.data, "--account", account, "--port", str(server.port))
    return result.stdout.strip()
