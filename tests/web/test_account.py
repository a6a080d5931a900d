"""The account page: activity over time and recent campaigns."""

import re
from datetime import UTC, date, datetime, timedelta
from html import unescape

import httpx
import pytest

from rapport.web.sessions import now
from tests.helpers.api import ApiClient, make_line
from tests.helpers.server import Server
from tests.helpers.web import open_browser

NASTY = "<b>Spring</b> & more"


def read_chart(page: httpx.Response) -> list[tuple[str, list[int]]]:
    """Return the rows of the first chart's table: the label of each slot, and its numbers."""
    table = page.text[page.text.index("<figure") : page.text.index("</figure>")]
    return [
        (unescape(label), [int(count) for count in re.findall(r'data-count="(\d+)"', row)])
        for label, row in re.findall(r'<tr data-begin[^>]*><th scope="row">([^<]*)</th>(.*?)</tr>', table)
    ]


def read_tiles(page: httpx.Response) -> dict[str, int]:
    results = re.findall(r'<dt class="type">.*?</svg> ([^<]+)</dt><dd>([\d,]+)</dd>', page.text)
    return {word: int(number.replace(",", "")) for word, number in results}


def test_daily_numbers_are_in_viewers_zone(server: Server, account: str, client: ApiClient) -> None:
    client.record(
        make_line("c1", "em_sends", "2026-03-01T10:00:00Z"),
        make_line("c1", "em_opens", "2026-03-01T22:59:59.999Z"),
        make_line("c1", "em_opens", "2026-03-01T23:00:00Z"),
        make_line("c2", "em_opens", "2026-03-03T12:00:00Z"),
        make_line("c2", "p_contact_open", "2026-03-04T12:00:00Z"),
    )
    with open_browser(server, account) as browser:
        chosen = "/account?after=2026-03-01&before=2026-03-03"
        utc = browser.get(chosen)
        assert read_chart(utc) == [("1 Mar 2026", [1, 2]), ("2 Mar 2026", [0, 0]), ("3 Mar 2026", [0, 1])]
        assert read_tiles(utc) == {"Sent": 1, "Opened": 3}
        browser.cookies.set("rapport_zone", "Europe/Berlin")
        berlin = browser.get(chosen)
        assert read_chart(berlin) == [("1 Mar 2026", [1, 1]), ("2 Mar 2026", [0, 1]), ("3 Mar 2026", [0, 1])]
        assert 'data-zone="Europe/Berlin"' in berlin.text
        browser.cookies.set("rapport_zone", "Asia/Kolkata")
        kolkata = browser.get(chosen)
        assert read_chart(kolkata) == read_chart(utc)
        assert "per day, in UTC" in kolkata.text


def test_default_period_contains_activities(server: Server, account: str, client: ApiClient) -> None:
    client.record(make_line("c1", "em_sends", "2025-01-15T10:00:00Z"))
    with open_browser(server, account) as browser:
        page = browser.get("/account")
        assert "Nothing was sent in the last 30 days" in page.text
        assert read_chart(page)[0] == ("15 Jan 2025", [1])
        today = datetime.fromtimestamp(now() / 1000, UTC).date()
        client.record(make_line("c1", "em_sends", f"{today - timedelta(days=3)}T10:00:00Z"))
        page = browser.get("/account")
        assert "Nothing was sent" not in page.text
        assert len(read_chart(page)) == 30
        assert read_tiles(page) == {"Sent": 1}
        assert len(read_chart(browser.get("/account?days=7"))) == 7
        assert "No activity in this period" in browser.get("/account?after=2020-01-01&before=2020-01-05").text


def test_period_links_have_names(server: Server, account: str) -> None:
    with open_browser(server, account) as browser:
        links = re.findall(r'href="/account\?days=(\d+)"[^>]*>\s*(.*?)\s*</a>', browser.get("/account").text)
    assert links == [("7", "Week"), ("30", "30 days"), ("90", "90 days"), ("365", "Year")]


def test_recent_campaigns_show_numbers_of_api(server: Server, account: str, client: ApiClient) -> None:
    first = date(2026, 3, 1)
    for number in range(10):
        time = f"{first + timedelta(days=number)}T10:00:00Z"
        name = {"campaign_activity_id": f"m{number}", "campaign_activity_name": f"{NASTY} {number}"}
        client.record(
            *(make_line(f"c{contact}", "em_sends", time, **name) for contact in range(10)),
            *(make_line(f"c{contact}", "em_opens", time, **name) for contact in range(number)),
        )
    with open_browser(server, account) as browser:
        text = browser.get("/account?days=365").text
    assert NASTY not in text
    row = r'<a href="/activities/(m\d)">(.*?)</a>.*?<td class="count">(\d+)</td>.*?([\d.]+)%'
    rows = re.findall(row, text, re.DOTALL)
    assert [(name, unescape(word), sent, share) for name, word, sent, share in rows] == [
        (f"m{number}", f"{NASTY} {number}", "10", f"{number * 10}.0") for number in range(9, 1, -1)
    ]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("days=8", "must be one of 7, 30, 90, 365"),
        ("after=soon", "must be a date"),
        ("after=0001-01-01", "must be between"),
        ("after=2026-03-02&before=2026-03-01", "must not be after 2026-03-01"),
        ("after=2001-01-01&before=2026-03-01", "five years"),
    ],
)
def test_invalid_period_is_reported(server: Server, account: str, query: str, message: str) -> None:
    with open_browser(server, account) as browser:
        page = browser.get(f"/account?{query}")
        assert page.status_code == 400
        assert message in page.text


def test_campaign_page_shows_first_72_hours_and_lifetime(server: Server, account: str, client: ApiClient) -> None:
    client.record(
        make_line("c1", "em_sends", "2026-03-01T10:20:00Z"),
        *(make_line(f"c{number}", "em_opens", "2026-03-01T11:00:00Z") for number in range(4)),
        make_line("c1", "em_clicks", "2026-03-04T09:59:59Z", link_url="https://example.com"),
        make_line("c1", "em_opens", "2026-03-04T10:00:00Z"),
        make_line("c1", "em_opens", "2026-03-20T10:00:00Z"),
    )
    with open_browser(server, account) as browser:
        page = browser.get("/activities/ca-1")
        hours = read_chart(page)
        assert len(hours) == 72
        assert hours[:2] == [("1 Mar 2026, 10:00", [0, 0]), ("1 Mar 2026, 11:00", [4, 0])]
        assert hours[-1] == ("4 Mar 2026, 09:00", [0, 1])
        assert sum(sum(counts) for _, counts in hours) == 5
        life = page.text[page.text.index("All time, by day") :]
        assert life.count("<tr data-begin") == 20
