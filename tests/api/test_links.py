"""GET /v3/reports/email_reports/{campaign_activity_id}/links."""

import random
from typing import Any

import httpx
import pytest

from tests.helpers.api import ApiClient, make_line
from tests.helpers.server import Server

LINKS = "/v3/reports/email_reports/{}/links"
NOON = 1_767_268_800_000


def list_pages(client: ApiClient, query: str, campaign_activity_id: str = "ca-1") -> list[list[dict[str, Any]]]:
    """Return the links of each page, following `_links.next.href`."""
    pages = []
    href = f"{LINKS.format(campaign_activity_id)}?{query}"
    while href:
        response = client.get(href)
        assert response.status_code == httpx.codes.OK, response.text
        page = response.json()
        assert page["campaign_activity_id"] == campaign_activity_id
        assert set(page) <= {"campaign_activity_id", "link_click_counts", "_links"}
        pages.append(page["link_click_counts"])
        href = page["_links"]["next"]["href"] if "_links" in page else ""
    return pages


def test_pages_of_links_together_equal_all_links(client: ApiClient) -> None:
    rng = random.Random(7)
    clickers: dict[str, set[str]] = {}
    lines = []
    for number in range(900):
        link_url, contact_id = f"https://example.com/{rng.randrange(60)}", f"c{rng.randrange(40)}"
        clickers.setdefault(link_url, set()).add(contact_id)
        # A URL with several ids is one link.
        lines.append(make_line(contact_id, "em_clicks", NOON + number, link_url=link_url, url_id=str(rng.randrange(3))))
    for first in range(0, len(lines), 300):
        client.record(*lines[first : first + 300])
    client.post(
        "/track/v1/campaigns",
        json=[
            {
                "campaign_id": "k1",
                "campaign_activities": [
                    {
                        "campaign_activity_id": "ca-1",
                        "links": [{"link_url": f"https://example.com/unclicked/{number}"} for number in range(5)],
                    }
                ],
            }
        ],
    )
    (whole,) = list_pages(client, "")
    assert {link["link_url"]: link["unique_clicks"] for link in whole} == {
        link_url: len(contacts) for link_url, contacts in clickers.items()
    }
    counts = [link["unique_clicks"] for link in whole]
    assert counts == sorted(counts, reverse=True)
    for limit in (1, 7, len(whole), len(whole) + 1):
        pages = list_pages(client, f"limit={limit}")
        assert [link for page in pages for link in page] == whole
        assert {len(page) for page in pages[:-1]} <= {limit}
    with_unclicked = [link for page in list_pages(client, "limit=9&no_clicks=true") for link in page]
    assert with_unclicked[: len(whole)] == whole
    assert sorted(link["link_url"] for link in with_unclicked[len(whole) :]) == [
        f"https://example.com/unclicked/{number}" for number in range(5)
    ]


def test_campaign_activity_without_links_returns_empty_page(client: ApiClient) -> None:
    client.record(make_line(activity_type="em_opens"))
    assert list_pages(client, "") == list_pages(client, "no_clicks=true") == [[]]


def test_default_limit_covers_all_links_of_an_email(client: ApiClient) -> None:
    links = [{"link_url": f"https://example.com/{number}"} for number in range(1_000)]
    activity = {"campaign_activity_id": "ca-1", "links": links}
    client.post("/track/v1/campaigns", json=[{"campaign_id": "k1", "campaign_activities": [activity]}])
    (page,) = list_pages(client, "no_clicks=true")
    assert len(page) == 1_000
    client.record(make_line(activity_type="em_clicks", link_url="https://example.com/more"))
    assert [len(page) for page in list_pages(client, "no_clicks=true")] == [1_000, 1]


def test_page_of_long_links_ends_before_limit(client: ApiClient) -> None:
    text = "\U0001f600" * 8_000
    for first in range(0, 200, 50):
        numbers = range(first, first + 50)
        client.record(
            *(make_line("c1", "em_clicks", NOON + n, link_url=f"https://example.com/{n}/{text}") for n in numbers)
        )
    pages = list_pages(client, "")
    assert len(pages) > 2
    assert max(len(str(page)) for page in pages) < 1_000_000
    assert len({link["link_url"] for page in pages for link in page}) == 200
    clicks = list(client.walk_tracking("ca-1", "clicks", ""))
    assert len(clicks) > 2
    assert len({row["link_url"] for page in clicks for row in page}) == sum(map(len, clicks)) == 200


@pytest.mark.parametrize("limit", ["0", "1001", "x", "01", ""])
def test_limit_out_of_range_is_rejected(client: ApiClient, limit: str) -> None:
    client.record(make_line(activity_type="em_clicks"))
    response = client.get(LINKS.format("ca-1"), params={"limit": limit})
    assert (response.status_code, response.json()[0]["error_key"]) == (400, "reportingsvc.validation.error")


def test_cursor_of_other_account_or_campaign_activity_is_rejected(
    server: Server, account: str, client: ApiClient
) -> None:
    with server.client(f"{account}-other") as other:
        for api_client in (client, other):
            for number in range(3):
                api_client.record(
                    make_line(f"c{number}", "em_clicks", link_url=f"https://example.com/{number}"),
                    make_line(
                        f"c{number}", "em_clicks", campaign_activity_id="ca-2", link_url=f"https://{number}.example"
                    ),
                )
        href = client.get(f"{LINKS.format('ca-1')}?limit=1").json()["_links"]["next"]["href"]
        assert client.get(href).status_code == 200
        assert other.get(href).status_code == 400
        assert client.get(href.replace("ca-1", "ca-2")).status_code == 400
        assert client.get(href[:-1]).status_code == 400
