"""Allowing and denying an application access, and connecting a device, in a real browser."""

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.helpers.browser import PHONE, SCHEMES, find_accessibility_issues, print_sign_in_link
from tests.helpers.command import run_rapport
from tests.helpers.oauth import App, ask, poll_device, post, redeem, start_device, tokens_of
from tests.helpers.server import Server


class _Callback(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/plain")
        self.end_headers()
        self.wfile.write(b"back at the application")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
        """Print nothing."""


@pytest.fixture
def callback() -> Iterator[str]:
    """The address of an application that listens for the browser's return."""
    listening = HTTPServer(("127.0.0.1", 0), _Callback)
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{listening.server_port}/callback"
    listening.shutdown()
    listening.server_close()
    thread.join()


@pytest.fixture(params=[True, False], ids=["with scripts", "without scripts"])
def context(browser: Browser, server: Server, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    context = browser.new_context(base_url=server.url, java_script_enabled=request.param, reduced_motion="reduce")
    context.set_default_timeout(15_000)
    yield context
    context.close()


def create(server: Server, account: str, *options: str) -> App:
    """Create an application by command: while the browser runs, no event loop can."""
    created = run_rapport("app", "create", "Garden shop", "--account", account, "--data", server.data, *options).stdout
    values = dict(line.split("\t") for line in created.splitlines())
    return App(values["client_id"], values.get("client_secret", ""))


def sign_in(page: Page, server: Server, account: str) -> None:
    page.goto(print_sign_in_link(server, account))
    page.get_by_role("button", name="Sign in").click()


def test_user_allows_access_and_returns_with_code(
    context: BrowserContext, server: Server, account: str, callback: str
) -> None:
    app = create(server, account, "--redirect-uri", "http://127.0.0.1/callback")
    page = context.new_page()
    sign_in(page, server, account)
    page.goto(ask(app, redirect_uri=callback))
    expect(page.get_by_role("heading", level=1)).to_have_text("Allow Garden shop access?")
    page.get_by_role("button", name="Allow").click()
    expect(page.get_by_text("back at the application")).to_be_visible()
    code = re.search(r"[?&]code=(\w+)", page.url)
    assert code is not None
    tokens = tokens_of(redeem(server, app, code[1], redirect_uri=callback))
    assert tokens["refresh_token"]


def test_user_denies_access_in_browser(context: BrowserContext, server: Server, account: str, callback: str) -> None:
    app = create(server, account, "--redirect-uri", "http://127.0.0.1/callback")
    page = context.new_page()
    sign_in(page, server, account)
    page.goto(ask(app, redirect_uri=callback))
    page.get_by_role("button", name="Deny").click()
    expect(page).to_have_url(re.compile(r"/callback\?error=access_denied"))


def test_sign_in_returns_to_authorization_request(
    context: BrowserContext, server: Server, account: str, callback: str
) -> None:
    app = create(server, account, "--redirect-uri", "http://127.0.0.1/callback")
    token = run_rapport("token", "create", "--account", account, "--data", server.data).stdout.strip()
    page = context.new_page()
    page.goto(ask(app, redirect_uri=callback, scope="contact_data"))
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Sign in with token").click()
    page.get_by_role("button", name="Allow").click()
    expect(page.get_by_text("back at the application")).to_be_visible()


def test_invalid_redirect_uri_shows_error_page(context: BrowserContext, server: Server, account: str) -> None:
    app = create(server, account, "--redirect-uri", "https://shop.example.com/callback")
    page = context.new_page()
    sign_in(page, server, account)
    page.goto(ask(app, redirect_uri="https://evil.example/"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Authorization failed")


def test_device_is_connected_on_phone(browser: Browser, server: Server, account: str) -> None:
    app = create(server, account, "--public")
    device = start_device(server, app)
    phone = browser.new_context(base_url=server.url, reduced_motion="reduce", viewport=PHONE)
    page = phone.new_page()
    sign_in(page, server, account)
    page.goto("/activate")
    page.get_by_label("Code on your device").fill("XXXX-XXXX")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert")).to_contain_text("No device is waiting")
    page.get_by_label("Code on your device").fill(device["user_code"].lower())
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text(device["user_code"])).to_be_visible()
    page.get_by_role("button", name="Allow").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Device connected")
    assert tokens_of(poll_device(server, app, device))["refresh_token"]
    phone.close()


def test_oauth_pages_are_accessible(browser: Browser, server: Server, account: str) -> None:
    app = create(server, account, "--redirect-uri", "https://client.example.com/callback")
    assert post(server, "/oauth2/default/v1/token", {"grant_type": "x"}, app).status_code == 400
    for scheme in SCHEMES:
        context = browser.new_context(base_url=server.url, color_scheme=scheme, reduced_motion="reduce")
        page = context.new_page()
        sign_in(page, server, account)
        for path in (ask(app), "/activate", "/applications"):
            page.goto(path)
            assert find_accessibility_issues(page) == []
        context.close()
