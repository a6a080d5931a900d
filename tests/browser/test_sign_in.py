"""Signing in by a link or to a shared page, and the API page with a session, in a browser."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.helpers.api import ApiClient, make_line
from tests.helpers.browser import PHONE, SCHEMES, find_accessibility_issues, open_signed_in, print_sign_in_link
from tests.helpers.server import Server


@pytest.fixture(params=[True, False], ids=["with scripts", "without scripts"])
def stranger(browser: Browser, server: Server, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    context = browser.new_context(base_url=server.url, java_script_enabled=request.param, reduced_motion="reduce")
    yield context
    context.close()


def test_shared_link_survives_sign_in(stranger: BrowserContext, client: ApiClient) -> None:
    client.record(make_line("c-1", "em_opens", first_name="Ada"), make_line("c-1", "em_clicks", first_name="Ada"))
    page = stranger.new_page()
    page.goto("/contacts/c-1?type=em_opens")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.get_by_label("Token").fill("wrong")
    page.get_by_role("button", name="Sign in with token").click()
    expect(page.get_by_role("alert")).to_contain_text("invalid or has expired")
    page.get_by_label("Token").fill(client.token)
    page.get_by_role("button", name="Sign in with token").click()
    expect(page).to_have_url(re.compile(r"/contacts/c-1\?type=em_opens$"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Ada")


def test_sign_in_link_needs_button_press(
    stranger: BrowserContext, server: Server, account: str, client: ApiClient
) -> None:
    client.record(make_line("c-1"))
    link = print_sign_in_link(server, account)
    preview = stranger.new_page()
    preview.goto(link)
    preview.wait_for_load_state("networkidle")
    page = stranger.new_page()
    page.goto(link)
    # Opening the link twice has not signed in.
    assert all(cookie.get("name") != "rapport_session" for cookie in stranger.cookies())
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{server.url}/")
    preview.get_by_role("button", name="Sign in").click()
    expect(preview.get_by_role("alert")).to_contain_text("already used or has expired")


def test_link_page_is_accessible(browser: Browser, server: Server, account: str, client: ApiClient) -> None:
    client.record(make_line("c-1"))
    link = print_sign_in_link(server, account)
    for scheme in SCHEMES:
        context = browser.new_context(color_scheme=scheme, viewport=PHONE)
        page = context.new_page()
        page.goto(link)
        assert find_accessibility_issues(page) == []
        context.close()


def test_reload_after_token_creation_creates_no_second_token(page: Page) -> None:
    page.goto("/connect")
    page.get_by_label("Name").fill("shop")
    page.get_by_role("button", name="Create token").click()
    token = page.get_by_label("New token", exact=True).inner_text()
    page.reload()
    expect(page).to_have_url(re.compile(r"/connect\?repeated=1$"))
    expect(page.get_by_text("This form was already submitted")).to_be_visible()
    expect(page.locator("#tokens tbody tr")).to_have_count(1)
    assert token.replace("\n", "") not in page.content()
    assert find_accessibility_issues(page) == []


def test_double_click_creates_one_token(page: Page) -> None:
    page.goto("/connect")
    page.get_by_label("Name").fill("shop")
    page.get_by_role("button", name="Create token").dblclick()
    expect(page.get_by_label("New token", exact=True)).to_be_visible()
    expect(page.locator("#tokens tbody tr")).to_have_count(1)


def test_api_page_requests_work_without_token(page: Page, client: ApiClient) -> None:
    client.record(*(make_line("c-1", "em_opens", f"2026-03-01T10:00:0{number}Z") for number in range(3)))
    page.goto("/schema?contact_id=c-1")
    expect(page.get_by_role("link", name="API", exact=True)).to_have_attribute("aria-current", "page")
    page.get_by_label("limit").fill("2")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#status")).to_contain_text("200")
    expect(page.locator("#body")).to_contain_text('"contact_id": "c-1"')
    expect(page.locator("#curl")).to_contain_text('-H "Authorization: Bearer $TOKEN"')
    page.get_by_role("button", name="Next page").click()
    expect(page.locator("#body")).not_to_contain_text("10:00:02")
    # The token is in no storage and in no part of the page.
    kept = page.evaluate("[...Object.entries(localStorage), ...Object.entries(sessionStorage), document.cookie].join()")
    assert "eyJ" not in kept
    assert "eyJ" not in page.content()


def test_api_page_redirects_to_sign_in_after_session_ends(browser: Browser, server: Server, client: ApiClient) -> None:
    client.record(make_line("c-1"))
    # The browser writes the refused request to the console.
    with open_signed_in(browser, server, client) as context:
        page, other = context.new_page(), context.new_page()
        page.goto("/schema?contact_id=c-1")
        other.goto("/")
        other.get_by_role("button", name="Sign out").click()
        expect(other.get_by_role("heading", name="Sign in")).to_be_visible()
        page.get_by_role("button", name="Send").click()
        expect(page).to_have_url(re.compile(r"/sign-in\?next="))
        page.get_by_label("Token").fill(client.token)
        page.get_by_role("button", name="Sign in with token").click()
        expect(page).to_have_url(re.compile(r"/schema\?contact_id=c-1$"))


def test_unknown_page_keeps_navigation(browser: Browser, server: Server, client: ApiClient) -> None:
    # The browser writes the 404 to the console.
    with open_signed_in(browser, server, client) as context:
        page = context.new_page()
        page.goto("/contact/c-1")
        expect(page.get_by_role("heading", name="Page not found")).to_be_visible()
        page.get_by_role("navigation", name="Pages").get_by_role("link", name="Overview").click()
        expect(page).to_have_url(re.compile("/account$"))
