"""Making a token and revoking it, as people do: with scripts and without, on a phone, read by a screen reader."""

from playwright.sync_api import Browser, Page

from tests.browser.conftest import signed_in
from tests.browser.test_reading import PHONE, findings
from tests.world import Caller, Server

NAME = "the dashboard of the shop "


def make(page: Page, name: str) -> str:
    page.goto("/connect")
    page.get_by_label("Name").fill(name)
    page.get_by_label("read campaigns").uncheck()
    page.get_by_role("button", name="Make the token").click()
    return page.get_by_label("The token", exact=True).inner_text().replace("\n", "")


def test_token_can_be_copied_and_revoked(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    token = make(page, NAME + "w" * 30)
    page.get_by_role("button", name="Copy").first.click()
    assert page.evaluate("navigator.clipboard.readText()") == token
    page.get_by_text("PHP, with its cURL extension").click()
    page.get_by_text("Revoke", exact=True).click()
    assert findings(page) == []
    page.set_viewport_size(PHONE)
    assert findings(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.get_by_role("button", name="for good").click()
    assert page.get_by_role("cell", name="revoked").count() == 1
    assert page.get_by_role("button", name="for good").count() == 0
    assert findings(page) == []


def test_token_can_be_created_without_scripts(browser: Browser, served: Server, caller: Caller) -> None:
    with signed_in(browser, served, caller, java_script_enabled=False) as context:
        page = context.new_page()
        assert make(page, NAME).count(".") == 2
        page.get_by_text("Revoke", exact=True).click()
        page.get_by_role("button", name="for good").click()
        assert page.get_by_role("cell", name="revoked").count() == 1
