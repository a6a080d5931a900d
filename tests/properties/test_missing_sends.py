"""Random histories with missing sends: no number is negative, no percentage above 100%."""

import re
from collections.abc import Iterator
from html import unescape
from typing import Any
from uuid import uuid4

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rapport.auth.scope import Scope
from tests.helpers.api import ApiClient, landing_page_path, make_line, tracking_path
from tests.helpers.server import Server

EMAIL_TYPES = ("em_opens", "em_clicks", "em_bounces", "em_optouts", "em_forwards")
CONTACTS = ("ada", "bob", "cleo", "dan", "eve")
CAMPAIGNS = {"m1": "spring", "m2": "spring", "m3": "summer"}
EMAIL_REPORTS = ("sends", "opens", "unique_opens", "didnotopens", "clicks", "forwards", "optouts", "bounces")
PERIOD = "start=2025-06-01T00:00:00Z&end=2026-06-01T00:00:00Z"

REAL_SERVER = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def draw_activities(draw: st.DrawFn) -> dict[str, object]:
    activity_type = draw(st.sampled_from(["em_sends", *EMAIL_TYPES, "p_contact_open"]))
    campaign_activity_id = draw(st.sampled_from(sorted(CAMPAIGNS)))
    activity = make_line(
        draw(st.sampled_from(CONTACTS)),
        activity_type,
        1_772_000_000_000 + draw(st.integers(0, 5)),
        campaign_activity_id=campaign_activity_id,
        campaign_id=CAMPAIGNS[campaign_activity_id],
    )
    if activity_type == "em_bounces":
        activity["bounce_code"] = draw(st.sampled_from(["B", "V", "Z"]))
    if activity_type in {"em_opens", "em_clicks"} and draw(st.booleans()):
        activity["device_type"] = draw(st.sampled_from(["computer", "mobile"]))
    return activity


def list_api_paths() -> Iterator[str]:
    for campaign_activity_id in CAMPAIGNS:
        yield f"/v3/reports/stats/email_campaign_activities/{campaign_activity_id}"
        yield f"/v3/reports/email_reports/{campaign_activity_id}/links"
        for report in EMAIL_REPORTS:
            yield tracking_path(campaign_activity_id, report)
        yield landing_page_path(campaign_activity_id, "p_contact_opens")
    for campaign_id in set(CAMPAIGNS.values()):
        yield f"/v3/reports/stats/email_campaigns/{campaign_id}"
    yield "/v3/reports/summary_reports/email_campaign_summaries"
    yield "/v3/contacts/counts"
    for contact_id in CONTACTS:
        yield f"/v3/reports/contact_reports/{contact_id}/activity_summary?{PERIOD}"
        yield f"/v3/reports/contact_reports/{contact_id}/open_and_click_rates?{PERIOD}"


def list_page_paths() -> Iterator[str]:
    yield "/"
    yield "/account?after=2026-02-01&before=2026-03-31"
    yield from (f"/activities/{campaign_activity_id}" for campaign_activity_id in CAMPAIGNS)
    yield from (f"/contacts/{contact_id}" for contact_id in CONTACTS)


def find_numbers(value: Any, path: str = "") -> Iterator[tuple[str, float]]:  # noqa: ANN401 - decoded JSON
    """Return each number of a JSON document with its path."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield from find_numbers(member, f"{path}/{name}")
    elif isinstance(value, list):
        for item in value:
            yield from find_numbers(item, path)
    elif isinstance(value, int | float):
        yield path, value


def check_json(client: ApiClient, path: str) -> None:
    response = client.get(path)
    if response.status_code == httpx.codes.NOT_FOUND:
        # Nothing was recorded for this contact or campaign activity.
        return
    assert response.status_code == httpx.codes.OK, (path, response.text)
    for name, number in find_numbers(response.json()):
        assert number >= 0, (path, name, number)
        if "percent" in name:
            assert number <= 100, (path, name, number)
        if "rate" in name:
            assert number <= 1, (path, name, number)


def check_page(browser: httpx.Client, path: str) -> None:
    response = browser.get(path)
    if response.status_code == httpx.codes.NOT_FOUND:
        return
    assert response.status_code == httpx.codes.OK, (path, response.text)
    text = unescape(re.sub(r"<[^>]+>", " ", response.text))
    assert not re.findall(r"(?<![\w-])-\d", text), path
    for percent in re.findall(r"([\d.,]+) ?%", text):
        assert float(percent) <= 100, (path, percent)
    for width in re.findall(r'width="([^"]+)"', response.text):
        if width != "device-width, initial-scale=1":
            assert float(width) >= 0, (path, width)
    for bar in re.findall(r'<td class="(?:bar|count)">.*?</td>', response.text, re.DOTALL):
        for width in re.findall(r'<rect width="([^"]+)"', bar):
            assert 0 <= float(width) <= 100, (path, width)


@pytest.mark.slow
@REAL_SERVER
@given(history=st.lists(draw_activities(), min_size=1, max_size=25))
def test_stats_are_never_negative_or_above_100_percent(server: Server, history: list[dict[str, object]]) -> None:
    with (
        server.client(f"missing-{uuid4().hex}", frozenset(Scope)) as client,
        httpx.Client(base_url=server.url, timeout=60) as browser,
    ):
        client.record(*history)
        assert browser.post("/sign-in", data={"token": client.token}).status_code == httpx.codes.SEE_OTHER
        for path in list_api_paths():
            check_json(client, path)
        for path in list_page_paths():
            check_page(browser, path)


def get_page_text(browser: httpx.Client, path: str) -> str:
    """Return the page's text, without tags and with single spaces."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", browser.get(path).text)))


def test_pages_omit_rates_without_sends(server: Server, account: str, client: ApiClient) -> None:
    everything = {"campaign_activity_id": "p", "campaign_id": "cp"}
    client.record(
        make_line("x1", "em_sends", **everything),
        *(make_line(contact_id, "em_opens", **everything) for contact_id in ("x1", "x2", "x3")),
        *(make_line(contact_id, "em_bounces", bounce_code="B", **everything) for contact_id in ("x5", "x6", "x7")),
        make_line("y1", "em_clicks", campaign_activity_id="q", campaign_id="cq", link_url="https://example.com/"),
        make_line("z1", "em_sends", campaign_activity_id="r", campaign_id="cr"),
        *(make_line(c, "em_opens", campaign_activity_id="r", campaign_id="cr") for c in ("z1", "z2", "z3")),
    )
    summaries = client.get("/v3/reports/summary_reports/email_campaign_summaries").json()
    assert [row["unique_counts"]["not_opened"] for row in summaries["bulk_email_campaign_summaries"]] == [0, 0]
    (stats,) = client.get("/v3/reports/stats/email_campaigns/cp").json()["results"]
    assert (stats["percents"]["bounce"], stats["percents"]["open"]) == (100, 0)
    assert stats["percents"]["did_not_open"] == 0
    (stats,) = client.get("/v3/reports/stats/email_campaigns/cr").json()["results"]
    assert stats["percents"]["open"] == 100
    assert client.get(tracking_path("p", "didnotopens")).json()["tracking_activities"] == []
    with httpx.Client(base_url=server.url, timeout=60) as browser:
        with server.client(account, frozenset(Scope)) as owner:
            browser.post("/sign-in", data={"token": owner.token})
        partly, none = get_page_text(browser, "/activities/p"), get_page_text(browser, "/activities/q")
        assert "Sends were not recorded for every contact, so rates that depend on them are left out." in partly
        assert "Sent 1 Opened 3 Clicked 0 0.0% of opened Bounced 3 Unsubscribed 0" in partly
        assert "Sends were not recorded, so rates that depend on them are left out." in none
        assert "Opened 0 Clicked 1 Bounced 0 Unsubscribed 0" in none
        for text in (partly, none):
            assert "Delivered" not in text
            assert "Did not open" not in text
        account_page = get_page_text(browser, "/account?after=2026-02-01&before=2026-03-31")
        assert "“Unknown”: sends or opens were not recorded." in account_page
        contact = get_page_text(browser, "/contacts/y1")
        assert "No sends to this contact were recorded" in contact
        assert "Open rate" not in contact
