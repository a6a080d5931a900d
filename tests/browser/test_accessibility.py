"""Accessibility of the pages: light and dark, desktop and phone."""

import os
import re

import httpx
import pytest
from playwright.sync_api import Browser, Page, ViewportSize

from rapport.app import build
from rapport.settings import Settings
from tests.helpers.api import ApiClient, make_line
from tests.helpers.browser import PHONE, SCHEMES, find_accessibility_issues, open_signed_in
from tests.helpers.command import run_rapport
from tests.helpers.server import Server

DESK = ViewportSize(width=1200, height=800)
TOPIC = "arn:aws:sns:eu-west-1:123456789012:rapport"
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
    "/applications",
    "/hooks",
    "/hooks/unmatched",
    "/activate",
    "/schema",
)
NO_PAGES = (
    *("/in/", "/oauth2/", "/v3/", "/track/", "/schema", "/.well-known/", "/healthz", "/readyz", "/metrics"),
    "/static/",
)
CHANGES = {
    *("/sign-in/{code}", "/sign-out", "/contacts/{contact_id}/erase", "/contacts/{contact_id}/export"),
    "/activities/{campaign_activity_id}/{report}/export",
    *("/connect/page-token", "/connect/tokens", "/connect/tokens/{token_id}/revoke", "/live"),
    *("/hooks/{hook_id}/delete", "/hooks/{hook_id}/test", "/hooks/unmatched/retry"),
    *("/applications/{client_id}/delete", "/applications/{client_id}/secret"),
    *("/sign-in/code", "/sign-in/password", "/profile/password", "/profile/sessions/{session_id}/end"),
    *("/profile/applications/{client_id}/revoke", "/profile/totp/recovery-codes"),
    *("/profile/totp/remove", "/people/sessions/{session_id}/end"),
    *(f"/people/{{user_id}}/{action}" for action in ("link", "remove", "role", "totp")),
}
"""Routes that return no page."""
CHECKED_ELSEWHERE = ("/sign-in", "/forgotten-password", "/people", "/profile", "/profile/totp", "/invitations/x")
"""The sign-in page below, and the others in test_people.py, as they need a user."""
PICTURES = os.environ.get("RAPPORT_TEST_PICTURES", "")
PAGE_TYPES = ("p_contact_open", "p_contact_click", "p_contact_add", "p_contact_update")


@pytest.fixture
def recorded_activities(server: Server, account: str, client: ApiClient) -> None:
    """Record one activity of each type, and capture an event that can't be matched."""
    run_rapport("hook", "create", "amazon-ses", "--data", server.data, "--account", account, f"--set=topic_arn={TOPIC}")
    created = run_rapport("hook", "create", "brevo", "--data", server.data, "--account", account).stdout
    [url] = re.findall(r"/in/brevo/\S+", created.partition("1. ")[0])
    event = {"event": "click", "email": "grace@example.net", "ts_epoch": 1_772_000_000_000, "link": LONG}
    assert httpx.post(server.url + url, json=event).is_success
    who = {"email_address": "ada@example.com", "first_name": "Ada", "last_name": "Lovelace"}
    client.record(
        *(
            make_line("c1", activity_type, campaign_activity_name="Spring sale", **who)
            for activity_type in ("em_sends", "em_forwards")
        ),
        make_line("c1", "em_bounces", bounce_code="F", **who),
        make_line("c1", "em_optouts", opt_out_reason="No longer interested", **who),
        make_line("c1", "em_opens", device_type="mobile", **who),
        make_line("c1", "em_clicks", device_type="tablet", link_url=LONG, **who),
        *(make_line("c1", activity_type, campaign_activity_id="ca-2", **who) for activity_type in PAGE_TYPES),
    )


def save_screenshot(page: Page, path: str, how: str) -> None:
    """Save a screenshot if RAPPORT_TEST_PICTURES names a folder."""
    if PICTURES:
        page.screenshot(path=f"{PICTURES}/{re.sub(r'[^a-z0-9]+', '-', path.lower()).strip('-') or 'find'}-{how}.png")


def test_every_page_is_checked_for_accessibility() -> None:
    read = [path.partition("?")[0] for path in (*PAGES, *CHECKED_ELSEWHERE)]
    pages = {path for path in build(Settings(data="/nowhere")).paths if not path.startswith(NO_PAGES)} | {"/schema"}
    for page in pages - CHANGES:
        assert any(re.fullmatch(re.sub(r"{\w+}", "[^/]+", page), path) for path in read), page


@pytest.mark.parametrize("path", PAGES)
def test_page_is_accessible(page: Page, recorded_activities: None, path: str) -> None:
    page.set_viewport_size(DESK)
    page.emulate_media(color_scheme="light")
    page.goto(path)
    assert find_accessibility_issues(page) == []
    save_screenshot(page, path, "light")
    page.emulate_media(color_scheme="dark")
    assert find_accessibility_issues(page, runOnly=["color-contrast", "link-in-text-block"]) == []
    save_screenshot(page, path, "dark")
    page.set_viewport_size(PHONE)
    assert find_accessibility_issues(page) == []
    save_screenshot(page, path, "phone")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_sign_in_page_is_accessible(page: Page) -> None:
    page.context.clear_cookies()
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        page.goto("/sign-in")
        assert find_accessibility_issues(page) == []


def test_error_pages_are_accessible(browser: Browser, server: Server, client: ApiClient) -> None:
    # The browser logs each such response to the console.
    with open_signed_in(browser, server, client) as context:
        page = context.new_page()
        for scheme, path in zip(SCHEMES, ("/contacts/nobody", "/no/such/page"), strict=True):
            page.emulate_media(color_scheme=scheme)
            page.goto(path)
            assert page.get_by_role("heading", level=1).is_visible()
            assert find_accessibility_issues(page) == []
