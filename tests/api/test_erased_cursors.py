"""Contacts are erased while somebody reads a list page by page: no row comes twice, and no other is left out."""

import itertools
import re

import pytest

from tests.world import Caller, landing_page, line, tracking

NOON = 1_775_120_400_000

REPORTS = {
    **{name: tracking("m1", name) for name in ("sends", "opens", "clicks", "forwards", "optouts", "bounces")},
    **{name: tracking("m1", name) for name in ("unique_opens", "didnotopens")},
    **{name: landing_page("m1", name) for name in ("p_contact_opens", "p_unique_contact_clicks")},
}
TYPES = {
    "unique_opens": "em_opens",
    "didnotopens": "em_sends",
    "p_contact_opens": "p_contact_open",
    "p_unique_contact_clicks": "p_contact_click",
}


def read(caller: Caller, path: str, rows: str, *, erase: int, limit: int = 10, comes_back: bool = False) -> list[str]:
    """Read a list by its pages; the contact at which each of the first pages ends is erased before the next is read."""
    found: list[str] = []
    href = f"{path}limit={limit}"
    for number in itertools.count():
        response = caller.get(href)
        assert response.status_code == 200, response.text
        page = response.json()
        found += [row["contact_id"] for row in page[rows]]
        href = page["_links"]["next"]["href"] if page["_links"] else ""
        if not href:
            return found
        if number < erase:
            assert caller.delete(f"/track/v1/contacts/{found[-1]}").status_code == 204
            if comes_back:
                caller.record(line(found[-1], "em_forwards", NOON + 86_400_000_000, campaign_activity_id="m2"))
    raise AssertionError


@pytest.mark.parametrize("comes_back", [False, True])
@pytest.mark.parametrize("contacts_at_once", [1, 7, 60])
@pytest.mark.parametrize("report", REPORTS)
def test_report_pages_after_erasure_have_each_row_once(
    caller: Caller, report: str, contacts_at_once: int, comes_back: bool
) -> None:
    activity_type = TYPES.get(report, f"em_{report}")
    ids = [f"c{number:02}" for number in range(60)]
    caller.record(
        *(
            line(contact_id, activity_type, NOON + number // contacts_at_once * 1_000, campaign_activity_id="m1")
            for number, contact_id in enumerate(ids)
        )
    )
    found = read(caller, f"{REPORTS[report]}?", "tracking_activities", erase=3, comes_back=comes_back)
    assert sorted(found) == ids


@pytest.mark.parametrize("query", ["", "email=Info@example.com&", "updated_after=2026-01-01T00:00:00Z&", "status=all&"])
def test_contact_pages_after_erasure_have_each_contact_once(caller: Caller, query: str) -> None:
    ids = [f"c{number:02}" for number in range(60)]
    # Not in the order of their ids, so that keys that are given one after the other have another order.
    stated = [
        {"contact_id": contact_id, "updated_at": "2026-03-10T15:30:49Z", "email_address": "info@example.com"}
        for contact_id in ids[::7] + [each for each in ids if each not in ids[::7]]
    ]
    assert caller.post("/track/v1/contacts", json=stated).json()["accepted"] == 60
    found = read(caller, f"/v3/contacts?{query}", "contacts", erase=3)
    assert found == ids


def test_campaign_web_pages_after_erasure_have_each_row_once(caller: Caller) -> None:
    ids = [f"c{number:03}" for number in range(130)]
    caller.record(*(line(contact_id, "em_sends", NOON, campaign_activity_id="m1") for contact_id in ids))
    href, found = "/activities/m1/sends", list[str]()
    assert caller.post("/sign-in", data={"token": caller.bearer}).status_code == 303
    while href:
        page = caller.get(href).text
        found += re.findall(r'href="/contacts/(c\d{3})"', page)
        older = re.search(r'href="(\?cursor=[^"]*)"', page)
        href = f"/activities/m1/sends{older[1]}".replace("&amp;", "&") if older else ""
        if href:
            assert caller.delete(f"/track/v1/contacts/{found[-1]}").status_code == 204
    assert sorted(found) == ids
    assert caller.get("/activities/m1/sends?cursor=1.c.2.3.4").status_code == 400
