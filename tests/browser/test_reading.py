"""Whether everybody can read the pages: in light and dark, on a desk and on a phone, with eyes or a screen reader."""

import os
import re
from typing import Final, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, ViewportSize

from rapport.app import build
from rapport.settings import Settings
from tests.browser.conftest import signed_in
from tests.world import Caller, Server, line

SCHEMES: Final[tuple[Literal["light"], Literal["dark"]]] = ("light", "dark")
DESK = ViewportSize(width=1200, height=800)
PHONE = ViewportSize(width=360, height=740)
LONG = "https://example.com/" + "a-very-long-way-to-go" * 12
PAGES = (
    "/",
    "/?q=ada",
    "/?q=nobody",
    "/contacts/c1",
    "/contacts/c1?type=em_opens&after=2026-03-01",
    "/activities/ca-1",
    "/activities/ca-1/clicks",
    "/activities/ca-2",
    "/account",
    "/connect",
    "/schema",
)
NO_PAGES = ("/in/", "/v3/", "/track/", "/schema", "/.well-known/", "/healthz", "/readyz", "/metrics", "/static/")
CHANGES = {
    *("/sign-in/{code}", "/sign-out", "/contacts/{contact_id}/erase", "/contacts/{contact_id}/export"),
    *("/connect/page-token", "/connect/tokens", "/connect/tokens/{token_id}/revoke", "/live"),
}
"""What answers with no page of its own."""
PICTURES = os.environ.get("RAPPORT_TEST_PICTURES", "")
PAGE_TYPES = ("p_contact_open", "p_contact_click", "p_contact_add", "p_contact_update")


@pytest.fixture
def told(caller: Caller) -> None:
    """Something of everything."""
    who = {"email_address": "ada@example.com", "first_name": "Ada", "last_name": "Lovelace"}
    caller.record(
        *(
            line("c1", activity_type, campaign_activity_name="Spring sale", **who)
            for activity_type in ("em_sends", "em_forwards")
        ),
        line("c1", "em_bounces", bounce_code="F", **who),
        line("c1", "em_optouts", opt_out_reason="No longer interested", **who),
        line("c1", "em_opens", device_type="mobile", **who),
        line("c1", "em_clicks", device_type="tablet", link_url=LONG, **who),
        *(line("c1", activity_type, campaign_activity_id="ca-2", **who) for activity_type in PAGE_TYPES),
    )


def findings(page: Page, **options: object) -> list[str]:
    """What axe finds to be serious or critical, each with where it is."""
    found = Axe().run(page, options={"resultTypes": ["violations"], **options}).response["violations"]
    return [
        f"{each['id']}: {node['target']} {node['failureSummary']}"
        for each in found
        if each["impact"] in {"serious", "critical"}
        for node in each["nodes"]
    ]


def keep_picture(page: Page, path: str, how: str) -> None:
    """A picture for who wants to see every page, once RAPPORT_TEST_PICTURES names a folder."""
    if PICTURES:
        page.screenshot(path=f"{PICTURES}/{re.sub(r'[^a-z0-9]+', '-', path.lower()).strip('-') or 'find'}-{how}.png")


def test_every_page_is_checked_for_accessibility() -> None:
    read = [path.partition("?")[0] for path in (*PAGES, "/sign-in")]
    pages = {path for path in build(Settings(data="/nowhere")).paths if not path.startswith(NO_PAGES)} | {"/schema"}
    for page in pages - CHANGES:
        assert any(re.fullmatch(re.sub(r"{\w+}", "[^/]+", page), path) for path in read), page


@pytest.mark.parametrize("path", PAGES)
def test_page_is_accessible(page: Page, told: None, path: str) -> None:
    page.set_viewport_size(DESK)
    page.emulate_media(color_scheme="light")
    page.goto(path)
    assert findings(page) == []
    keep_picture(page, path, "light")
    page.emulate_media(color_scheme="dark")
    assert findings(page, runOnly=["color-contrast", "link-in-text-block"]) == []
    keep_picture(page, path, "dark")
    page.set_viewport_size(PHONE)
    assert findings(page) == []
    keep_picture(page, path, "phone")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_sign_in_page_is_accessible(page: Page) -> None:
    page.context.clear_cookies()
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        page.goto("/sign-in")
        assert findings(page) == []


def test_error_pages_are_accessible(browser: Browser, served: Server, caller: Caller) -> None:
    # The browser tells the console of every such answer.
    with signed_in(browser, served, caller) as context:
        page = context.new_page()
        for scheme, path in zip(SCHEMES, ("/contacts/nobody", "/no/such/page"), strict=True):
            page.emulate_media(color_scheme=scheme)
            page.goto(path)
            assert page.get_by_role("heading", level=1).is_visible()
            assert findings(page) == []
