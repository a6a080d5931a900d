"""Contacts are erased between the pages of a list: no row is repeated, and no other row is missing."""

import itertools
import re

import pytest

from tests.helpers.api import ApiClient, landing_page_path, make_line, tracking_path

pytestmark = pytest.mark.slow

NOON = 1_775_120_400_000

REPORTS = {
    **{name: tracking_path("m1", name) for name in ("sends", "opens", "clicks", "forwards", "optouts", "bounces")},
    **{name: tracking_path("m1", name) for name in ("unique_opens", "didnotopens")},
    **{name: landing_page_path("m1", name) for name in ("p_contact_opens", "p_unique_contact_clicks")},
}
TYPES = {
    "unique_opens": "em_opens",
    "didnotopens": "em_sends",
    "p_contact_opens": "p_contact_open",
    "p_unique_contact_clicks": "p_contact_click",
}


def read_pages(
    client: ApiClient, path: str, rows: str, *, erase: int, limit: int = 10, comes_back: bool = False
) -> list[str]:
    """Read all pages of a list; after each of the first pages, its last contact is erased."""
    results: list[str] = []
    href = f"{path}limit={limit}"
    for number in itertools.count():
        response = client.get(href)
        assert response.status_code == 200, response.text
        page = response.json()
        results += [row["contact_id"] for row in page[rows]]
        href = page["_links"]["next"]["href"] if page["_links"] else ""
        if not href:
            return results
        if number < erase:
            assert client.delete(f"/track/v1/contacts/{results[-1]}").status_code == 204
            if comes_back:
                client.record(make_line(results[-1], "em_forwards", NOON + 86_400_000_000, campaign_activity_id="m2"))
    raise AssertionError


@pytest.mark.parametrize("comes_back", [False, True])
@pytest.mark.parametrize("contacts_at_once", [1, 7, 60])
@pytest.mark.parametrize("report", REPORTS)
def test_report_pages_after_erasure_have_each_row_once(
    client: ApiClient, report: str, contacts_at_once: int, comes_back: bool
) -> None:
    activity_type = TYPES.get(report, f"em_{report}")
    ids = [f"c{number:02}" for number in range(60)]
    client.record(
        *(
            make_line(contact_id, activity_type, NOON + number // contacts_at_once * 1_000, campaign_activity_id="m1")
            for number, contact_id in enumerate(ids)
        )
    )
    results = read_pages(client, f"{REPORTS[report]}?", "tracking_activities", erase=3, comes_back=comes_back)
    assert sorted(results) == ids


@pytest.mark.parametrize("query", ["", "email=Info@example.com&", "updated_after=2026-01-01T00:00:00Z&", "status=all&"])
def test_contact_pages_after_erasure_have_each_contact_once(client: ApiClient, query: str) -> None:
    ids = [f"c{number:02}" for number in range(60)]
    # Shuffled, so that keys assigned in order of arrival differ from the order of ids.
    updates = [
        {"contact_id": contact_id, "updated_at": "2026-03-10T15:30:49Z", "email_address": "info@example.com"}
        for contact_id in ids[::7] + [contact_id for contact_id in ids if contact_id not in ids[::7]]
    ]
    assert client.post("/track/v1/contacts", json=updates).json()["accepted"] == 60
    results = read_pages(client, f"/v3/contacts?{query}", "contacts", erase=3)
    assert results == (ids if query.startswith("updated_after") else ids[::-1])


def test_campaign_web_pages_after_erasure_have_each_row_once(client: ApiClient) -> None:
    ids = [f"c{number:03}" for number in range(130)]
    client.record(*(make_line(contact_id, "em_sends", NOON, campaign_activity_id="m1") for contact_id in ids))
    href, results = "/activities/m1/sends", list[str]()
    assert client.post("/sign-in", data={"token": client.token}).status_code == 303
    while href:
        page = client.get(href).text
        results += re.findall(r'href="/contacts/(c\d{3})"', page)
        older = re.search(r'href="(\?cursor=[^"]*)"', page)
        href = f"/activities/m1/sends{older[1]}".replace("&amp;", "&") if older else ""
        if href:
            assert client.delete(f"/track/v1/contacts/{results[-1]}").status_code == 204
    assert sorted(results) == ids
    assert client.get("/activities/m1/sends?cursor=1.c.2.3.4").status_code == 400
