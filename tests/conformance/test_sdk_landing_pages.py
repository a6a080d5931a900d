"""Constant Contact's SDK and the landing page reports: first, middle, last and empty pages of each."""

from collections.abc import Iterator
from typing import Any

import constant_contact_api_client as sdk
import pytest

from tests.helpers.api import ApiClient, make_line
from tests.helpers.server import Server

METHODS = {
    "p_contact_opens": ("get_contact_opens", "p_contact_open", "p_contact_opens"),
    "p_unique_contact_opens": ("get_unique_contact_opens", "p_contact_open", "p_contact_opens"),
    "p_unique_contact_clicks": ("get_unique_contact_clicks", "p_contact_click", "p_contact_click"),
    "p_unique_contact_adds": ("get_contact_adds", "p_contact_add", "p_contact_adds"),
    "p_unique_contact_updates": ("get_unique_contact_updates", "p_contact_update", "p_contact_updates"),
}
WHO = {"email_address": "ada@example.com", "first_name": "Ada", "last_name": "Lovelace"}


@pytest.fixture
def api(server: Server, client: ApiClient) -> Iterator[sdk.LandingPagesReportingApi]:
    configuration = sdk.Configuration(host=f"{server.url}/v3", access_token=client.token)
    with sdk.ApiClient(configuration) as sdk_client:
        yield sdk.LandingPagesReportingApi(sdk_client)


@pytest.mark.parametrize("report", METHODS)
def test_sdk_parses_every_page(api: sdk.LandingPagesReportingApi, client: ApiClient, report: str) -> None:
    method, activity_type, called = METHODS[report]
    details = {"url_id": "17", "link_url": "https://example.com/"} if activity_type == "p_contact_click" else {}
    client.record(
        *(make_line(f"c{number}", activity_type, 1_767_225_600_000 + number, **WHO, **details) for number in range(5))
    )

    def ask(**parameters: Any) -> Any:  # noqa: ANN401 - a type of the SDK
        return getattr(api, method)("ca-1", **parameters)

    page = ask(limit="2")
    path = f"/v3/reports/landing_pages/campaign_details/ca-1/{report}"
    assert page.links.next.href.startswith(f"{path}?next=")
    seen = list(page.tracking_activities)
    while page.links.next.href:
        page = type(page).from_json(client.get(page.links.next.href).text)
        seen += page.tracking_activities
    assert [item.contact_id for item in seen] == ["c4", "c3", "c2", "c1", "c0"]
    for item in seen:
        assert item.tracking_activity_type == called
        assert {field: getattr(item, field) for field in (*WHO, *details)} == {**WHO, **details}
    assert len(ask(contacts_filter="LOVE").tracking_activities) == 5
    nobody = ask(contacts_filter="Byron")
    assert (nobody.tracking_activities, nobody.links.next.href) == ([], "")


def test_landing_page_rows_have_no_sms_fields(api: sdk.LandingPagesReportingApi, client: ApiClient) -> None:
    with pytest.raises(sdk.exceptions.NotFoundException):
        api.get_unique_contact_sms_opt_ins("ca-1")
    client.record(make_line(activity_type="p_contact_open"))
    page = api.get_unique_contact_sms_opt_ins("ca-1")
    assert (page.tracking_activities, page.links.next.href) == ([], "")


def test_invalid_filter_raises_sdk_exception(client: ApiClient) -> None:
    path = "/v3/reports/landing_pages/campaign_details/ca-1/p_contact_opens"
    client.record(make_line(activity_type="p_contact_open"))
    for value in ("a" * 256, "%00", "%0A"):
        response = client.get(f"{path}?contacts_filter={value}")
        assert response.status_code == 400
        assert "contacts_filter" in response.json()[0]["error_message"]
