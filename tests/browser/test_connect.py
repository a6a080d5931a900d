"""Creating and revoking a token in a browser: with and without scripts, on a phone, with a screen reader."""

from playwright.sync_api import Browser, Page

from tests.helpers.api import ApiClient
from tests.helpers.browser import PHONE, find_accessibility_issues, open_signed_in
from tests.helpers.server import Server

NAME = "the dashboard of the shop "


def create_token(page: Page, name: str) -> str:
    page.goto("/connect")
    page.get_by_label("Name").fill(name)
    page.get_by_label("read campaigns").uncheck()
    page.get_by_role("button", name="Create token").click()
    return page.get_by_label("New token", exact=True).inner_text().replace("\n", "")


def test_token_can_be_copied_and_revoked(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    token = create_token(page, NAME + "w" * 30)
    page.get_by_role("button", name="Copy").first.click()
    assert page.evaluate("navigator.clipboard.readText()") == token
    page.get_by_text("PHP, with its cURL extension").click()
    page.get_by_text("Revoke", exact=True).click()
    assert find_accessibility_issues(page) == []
    page.set_viewport_size(PHONE)
    assert find_accessibility_issues(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.get_by_role("button", name="permanently").click()
    assert page.get_by_role("cell", name="revoked").count() == 1
    assert page.get_by_role("button", name="permanently").count() == 0
    assert find_accessibility_issues(page) == []


def test_token_can_be_created_without_scripts(browser: Browser, server: Server, client: ApiClient) -> None:
    with open_signed_in(browser, server, client, java_script_enabled=False) as context:
        page = context.new_page()
        assert create_token(page, NAME).count(".") == 2
        page.get_by_text("Revoke", exact=True).click()
        page.get_by_role("button", name="permanently").click()
        assert page.get_by_role("cell", name="revoked").count() == 1
