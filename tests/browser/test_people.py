"""Inviting, joining, signing in and out, an authenticator app and a provider, in a real browser."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pyotp
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.helpers.browser import PHONE, SCHEMES, find_accessibility_issues, print_sign_in_link
from tests.helpers.command import run_rapport
from tests.helpers.oidc import Provider, run_provider
from tests.helpers.people import OTHER_PASSWORD, PASSWORD
from tests.helpers.server import Server

PICTURES = os.environ.get("RAPPORT_TEST_PICTURES", "")


@pytest.fixture(params=[True, False], ids=["with scripts", "without scripts"])
def has_scripts(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def open_page(browser: Browser, server: Server, *, has_scripts: bool = True) -> Page:
    context = browser.new_context(base_url=server.url, java_script_enabled=has_scripts, reduced_motion="reduce")
    context.set_default_timeout(15_000)
    return context.new_page()


@pytest.fixture
def owner(browser: Browser, server: Server, account: str, has_scripts: bool) -> Iterator[Page]:
    """A page on which the operator has signed in with a link."""
    run_rapport("account", "create", account, "--data", server.data)
    page = open_page(browser, server, has_scripts=has_scripts)
    page.goto(print_sign_in_link(server, account))
    page.get_by_role("button", name="Sign in").click()
    yield page
    page.context.close()


@pytest.fixture
def guest(browser: Browser, server: Server, has_scripts: bool) -> Iterator[Page]:
    page = open_page(browser, server, has_scripts=has_scripts)
    yield page
    page.context.close()


def join(page: Page, link: str, password: str = PASSWORD) -> None:
    page.goto(link)
    page.get_by_label("Password, at least").fill(password)
    page.get_by_label("Repeat the password").fill(password)
    page.get_by_role("button", name=re.compile("Join|Set password")).click()


def sign_in(page: Page, address: str, password: str = PASSWORD) -> None:
    page.get_by_label("Email address").fill(address)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def test_invite_join_sign_out_and_sign_in(owner: Page, guest: Page, server: Server, account: str) -> None:
    address = f"ada@{account}.example.com"
    owner.get_by_role("link", name="People").click()
    owner.get_by_label("Email address").fill(address)
    owner.get_by_label("Role", exact=True).select_option("owner")
    owner.get_by_role("button", name="Create invitation").click()
    link = owner.get_by_label("The link").inner_text()
    assert link.startswith(f"{server.url}/invitations/")
    guest.goto(link)
    expect(guest.get_by_role("heading", level=1)).to_have_text(f"Join {account}")
    join(guest, link)
    expect(guest).to_have_url(f"{server.url}/")
    guest.goto("/account")
    guest.get_by_role("button", name="Sign out").click()
    guest.goto("/account?days=7")
    sign_in(guest, address, "wrong")
    expect(guest.get_by_role("alert")).to_contain_text("The email address or the password is wrong")
    sign_in(guest, address)
    expect(guest).to_have_url(f"{server.url}/account?days=7")
    # Her sessions are listed, and the operator's link, too; she ends that one.
    guest.get_by_role("link", name="People").click()
    expect(guest.get_by_text("This session")).to_be_visible()
    guest.get_by_role("button", name="End the session of sign-in").click()
    owner.goto("/people")
    expect(owner.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_owner_changes_role_and_removes(owner: Page, guest: Page, server: Server, account: str) -> None:
    address = f"bob@{account}.example.com"
    options = ("--account", account, "--data", server.data, "--port", str(server.port))
    join(guest, run_rapport("user", "invite", address, *options).stdout.strip())
    owner.goto("/people")
    owner.get_by_text("Change role").first.click()
    owner.get_by_label(f"Role of {address}").select_option("campaign_creator")
    owner.get_by_role("button", name="Change role").click()
    expect(owner.get_by_role("cell", name="campaign creator", exact=True)).to_be_visible()
    guest.goto("/profile")
    sign_in(guest, address)
    expect(guest.get_by_text("campaign creator of the account")).to_be_visible()
    owner.get_by_text("Remove", exact=True).click()
    owner.get_by_role("button", name=f"Remove {address}").click()
    expect(owner.get_by_text("No users yet")).to_be_visible()
    guest.goto("/profile")
    expect(guest.get_by_role("heading", level=1)).to_have_text("Sign in")


def set_up_app(page: Page) -> None:
    """Fill the form of the page that sets up an authenticator app."""
    totp = pyotp.TOTP(page.get_by_label("The key", exact=True).inner_text().strip())
    page.get_by_label("Current password").fill(PASSWORD)
    page.get_by_label("Code from the app").fill(totp.now())
    page.get_by_role("button", name="Require codes").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Recovery codes")


def test_authenticator_app_and_new_password(owner: Page, guest: Page, server: Server, account: str) -> None:
    address = f"ada@{account}.example.com"
    options = ("--account", account, "--data", server.data, "--port", str(server.port), "--role", "owner")
    join(guest, run_rapport("user", "invite", address, *options).stdout.strip())
    guest.goto("/profile")
    guest.get_by_role("link", name="Set up an authenticator app").click()
    expect(guest.get_by_role("img", name="QR code")).to_be_visible()
    guest.get_by_label("Current password").fill(PASSWORD)
    guest.get_by_label("Code from the app").fill("000000")
    guest.get_by_role("button", name="Require codes").click()
    expect(guest.get_by_role("alert")).to_contain_text("The code is wrong")
    set_up_app(guest)
    code = guest.get_by_label("The recovery codes").inner_text().split()[0]
    guest.get_by_role("link", name="Done").click()
    expect(guest.get_by_text("a code from your app")).to_be_visible()
    guest.get_by_label("Current password", exact=True).fill(PASSWORD)
    guest.get_by_label("New password, at least").fill(OTHER_PASSWORD)
    guest.get_by_label("Repeat the new password").fill(OTHER_PASSWORD)
    guest.get_by_role("button", name="Change password").click()
    expect(guest).to_have_url(f"{server.url}/profile")
    guest.get_by_role("button", name="Sign out").click()
    sign_in(guest, address, OTHER_PASSWORD)
    guest.get_by_label("Code from your authenticator app").fill("123456")
    guest.get_by_role("button", name="Sign in").click()
    expect(guest.get_by_role("alert")).to_contain_text("Wait for the next one")
    guest.get_by_text("Use a recovery code").click()
    guest.get_by_label("Recovery code").fill(code)
    guest.get_by_role("button", name="Sign in").last.click()
    expect(guest).to_have_url(f"{server.url}/")


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with run_provider() as provider:
        yield provider


@pytest.fixture(scope="module")
def server_with_provider(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data = str(tmp_path_factory.mktemp("provider") / "data")
    with Server(data, environment=provider.environment) as server:
        provider.redirect_uris[:] = [f"{server.url}/sign-in/oidc/callback"]
        yield server


def test_sign_in_through_a_provider(
    browser: Browser,
    server_with_provider: Server,
    provider: Provider,
    has_scripts: bool,
) -> None:
    server = server_with_provider
    address = f"ada@{has_scripts}.example.com".lower()
    run_rapport("user", "invite", address, "--role", "owner", "--data", server.data)
    provider.claims = {"sub": address, "email": address, "email_verified": True}
    page = open_page(browser, server, has_scripts=has_scripts)
    page.goto("/account?days=7")
    page.get_by_role("link", name="Sign in with Example Login").click()
    expect(page).to_have_url(f"{server.url}/account?days=7")
    expect(page.get_by_text(address)).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    provider.claims = {"sub": "stranger", "email": "stranger@example.com", "email_verified": True}
    page.get_by_role("link", name="Sign in with Example Login").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign-in failed")
    page.context.close()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_pages_are_accessible(browser: Browser, server: Server, account: str, scheme: str) -> None:
    address = f"ada@{account}.example.com"
    options = ("--account", account, "--data", server.data, "--port", str(server.port), "--role", "owner")
    run_rapport("account", "create", account, "--data", server.data)
    link = run_rapport("user", "invite", address, *options).stdout.strip()
    run_rapport("user", "invite", f"bob@{account}.example.com", *options)
    context: BrowserContext = browser.new_context(
        base_url=server.url,
        color_scheme=scheme,
        viewport=PHONE,
        reduced_motion="reduce",  # type: ignore[arg-type]
    )
    page = context.new_page()
    for number, path in enumerate(("/sign-in", "/forgotten-password", link, "/people", "/profile", "/profile/totp")):
        page.goto(path)
        if path == link:
            assert find_accessibility_issues(page) == []
            join(page, link)
            page.goto("/people")
        assert find_accessibility_issues(page) == [], path
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE["width"], path
        if PICTURES:
            page.screenshot(path=Path(PICTURES) / f"people-{number}-{scheme}.png", full_page=True)
    set_up_app(page)
    assert find_accessibility_issues(page) == []
    context.close()
