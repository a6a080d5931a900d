"""The part of a page that moves: each activity as it is recorded, as HTML that is safe to put there."""

import re

import httpx

from rapport.auth.scope import Role
from rapport.store.feed import MAX_KEYS_PER_BATCH
from tests.api.streams import listening
from tests.web.test_pages import NASTY, browser
from tests.world import Caller, Server, line


def test_live_page_receives_escaped_html_of_its_account(server: Server, account: str, caller: Caller) -> None:
    nasty = {"first_name": NASTY, "campaign_activity_name": NASTY, "email_address": f'"{NASTY}"@example.com'}
    with (
        browser(server, account) as page,
        listening(page, "/live") as live,
        browser(server, f"{account}-other") as stranger,
        listening(stranger, "/live") as others,
    ):
        assert live.response.headers["content-type"] == "text/event-stream"
        caller.record(line("c1", "em_clicks", link_url=f"https://example.com/{NASTY}", device_type="mobile", **nasty))
        (event,) = live.next()
        assert (event.name, event.id) == ("activity", "")
        html = event.data.strip()
        assert html.startswith('<li class="t2">')
        assert html.endswith("</li>")
        assert 'href="/contacts/c1"' in html
        assert 'href="/activities/ca-1"' in html
        assert '<time datetime="2026-03-01T10:00:00.000Z"' in html
        assert "Clicked" in html
        assert "<script" not in html
        assert html.count("&lt;script&gt;") == 3
        # A time of today is the time of day, in the zone of who looks.
        with server.caller(f"{account}-other") as other:
            other.record(line("theirs"))
        (theirs,) = others.next()
        assert 'href="/contacts/theirs"' in theirs.data
        assert re.search(r"1 Mar 2026, 10:00</time>", theirs.data)


def test_omitted_live_activities_are_counted(server: Server, account: str, caller: Caller) -> None:
    with browser(server, account) as page, listening(page, "/live") as live:
        caller.record(*(line(time=1_767_225_600_000 + number) for number in range(MAX_KEYS_PER_BATCH + 7)))
        (event,) = live.next()
        assert '<li class="missed">7 more activities, not shown one by one</li>' in event.data


def test_live_page_requires_contact_permission(server: Server, account: str) -> None:
    with httpx.Client(base_url=server.url) as nobody:
        response = nobody.get("/live")
        assert (response.status_code, response.headers["location"]) == (303, "/sign-in?next=%2Flive")
    with browser(server, account, Role.CAMPAIGN_CREATOR) as creator:
        assert creator.get("/live").status_code == 403
