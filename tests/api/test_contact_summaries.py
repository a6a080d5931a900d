"""activity_summary and open_and_click_rates of a contact."""

import itertools

import httpx
import pytest

from tests.helpers.api import ApiClient, make_line
from tests.helpers.server import Server

YEAR = {"start": "2026-01-01", "end": "2026-12-31"}
REPORTS = ["activity_summary", "open_and_click_rates"]


def get_report(client: ApiClient, report: str, contact_id: str = "c1", **parameters: str) -> httpx.Response:
    return client.get(f"/v3/reports/contact_reports/{contact_id}/{report}", params=parameters)


def test_activity_summary_of_over_200_sends_is_paginated(client: ApiClient) -> None:
    client.record(*(make_line(activity_type="em_sends", campaign_activity_id=f"m{number:03}") for number in range(450)))
    seen, href = [], ""
    response = get_report(client, "activity_summary", **YEAR).json()
    while True:
        seen.append([row["campaign_activity_id"] for row in response["campaign_activities"]])
        if not response["_links"]:
            break
        href = response["_links"]["next"]["href"]
        assert href.startswith("/v3/reports/contact_reports/c1/activity_summary?next=")
        response = client.get(href).json()
    assert [len(page) for page in seen] == [200, 200, 50]
    assert sorted(itertools.chain(*seen)) == [f"m{number:03}" for number in range(450)]
    assert client.get(href.replace("activity_summary", "activity_details")).status_code == 400
    assert client.get(href.replace("/c1/", "/c2/")).status_code == 400
    assert get_report(client, "activity_summary", next="forged").json()[0]["error_message"].startswith("next: must be")


def test_unsent_campaign_activity_is_not_counted(client: ApiClient) -> None:
    client.record(
        make_line(activity_type="em_opens"), make_line(activity_type="em_sends", campaign_activity_id="other")
    )
    (row,) = get_report(client, "activity_summary", **YEAR).json()["campaign_activities"]
    assert row == {
        "campaign_activity_id": "other",
        "start_on": "2026-03-01T10:00:00.000Z",
        "em_sends": 1,
        "em_opens": 0,
        "em_clicks": 0,
        "em_bounces": 0,
        "em_forwards": 0,
        "em_unsubscribes": 0,
    }


def test_period_without_activities_counts_zero(client: ApiClient) -> None:
    client.record(make_line(activity_type="em_sends"))
    nothing = {"start": "2020-01-01T00:00:00-0500", "end": "2021-01-01T00:00:00-05:00"}
    assert get_report(client, "activity_summary", **nothing).json()["campaign_activities"] == []
    assert get_report(client, "open_and_click_rates", **nothing).json() == {
        "contact_id": "c1",
        "included_activities_count": 0,
        "average_open_rate": 0,
        "average_click_rate": 0,
    }


@pytest.mark.parametrize("report", REPORTS)
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "start: is required"),
        ({"start": "2026-01-01"}, "end: is required"),
        ({"start": "soon", "end": "2026-01-01"}, "start: must be a date"),
        ({"start": "2026-02-01", "end": "2026-01-01"}, "start: must not be later than end"),
    ],
)
def test_invalid_parameters_are_reported(
    client: ApiClient, report: str, parameters: dict[str, str], message: str
) -> None:
    response = get_report(client, report, **parameters)
    assert response.status_code == 400
    (error,) = response.json()
    assert error["error_key"] == "contacts.api.validation.error"
    assert error["error_message"].startswith(message)


def test_rates_are_limited_to_five_years_and_summaries_unlimited(client: ApiClient) -> None:
    client.record(make_line(activity_type="em_sends"))
    assert get_report(client, "open_and_click_rates", start="2021-11-24", end="2026-11-24").status_code == 200
    assert get_report(client, "open_and_click_rates", start="2024-02-29", end="2029-03-01").status_code == 200
    longer = get_report(client, "open_and_click_rates", start="2021-11-24", end="2026-11-24T00:00:00.001Z")
    assert longer.status_code == 400
    assert "5 years" in longer.json()[0]["error_message"]
    assert get_report(client, "activity_summary", start="1990-01-01", end="2026-11-24").status_code == 200


@pytest.mark.parametrize("report", REPORTS)
def test_unknown_and_malformed_contact_ids_return_404(server: Server, client: ApiClient, report: str) -> None:
    client.record(make_line())
    for contact_id in ("nobody", "no.id", "a/b"):
        response = get_report(client, report, contact_id, **YEAR)
        assert response.status_code == 404
        assert response.json()[0]["error_key"] == "contacts.api.not_found"
    with server.client("somebody-else") as stranger:
        assert get_report(stranger, report, **YEAR).status_code == 404
