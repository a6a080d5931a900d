"""The live part of the account page: each activity as safe HTML."""

import re

import httpx

from rapport.auth.scope import Role
from rapport.store.feed import MAX_KEYS_PER_BATCH
from tests.helpers.api import ApiClient, make_line
from tests.helpers.server import Server
from tests.helpers.streams import open_stream
from tests.helpers.web import MALICIOUS_HTML, open_browser


def test_live_page_receives_escaped_html_of_its_account(server: Server, account: str, client: ApiClient) -> None:
    nasty = {
        "first_name": MALICIOUS_HTML,
        "campaign_activity_name": MALICIOUS_HTML,
        "email_address": f'"{MALICIOUS_HTML}"@example.com',
    }
    with (
        open_browser(server, account) as page,
        open_stream(page, "/live") as live,
        open_browser(server, f"{account}-other") as stranger,
        open_stream(stranger, "/live") as others,
    ):
        assert live.response.headers["content-type"] == "text/event-stream"
        client.record(
            make_line(
                "c1", "em_clicks", link_url=f"https://example.com/{MALICIOUS_HTML}", device_type="mobile", **nasty
            )
        )
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
        # Times of today are shown without the date, in the viewer's zone.
        with server.client(f"{account}-other") as other:
            other.record(make_line("theirs"))
        (theirs,) = others.next()
        assert 'href="/contacts/theirs"' in theirs.data
        assert re.search(r"1 Mar 2026, 10:00</time>", theirs.data)


def test_omitted_live_activities_are_counted(server: Server, account: str, client: ApiClient) -> None:
    with open_browser(server, account) as page, open_stream(page, "/live") as live:
        client.record(*(make_line(time=1_767_225_600_000 + number) for number in range(MAX_KEYS_PER_BATCH + 7)))
        (event,) = live.next()
        assert '<li class="omitted">+ 7 more</li>' in event.data


def test_live_page_requires_contact_permission(server: Server, account: str) -> None:
    with httpx.Client(base_url=server.url) as nobody:
        response = nobody.get("/live")
        assert (response.status_code, response.headers["location"]) == (303, "/sign-in?next=%2Flive")
    with open_browser(server, account, Role.CAMPAIGN_CREATOR) as creator:
        assert creator.get("/live").status_code == 403
