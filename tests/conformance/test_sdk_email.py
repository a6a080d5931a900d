"""Constant Contact's SDK and the email reports: first, middle, last and empty pages of each."""

from collections.abc import Iterator
from typing import Any

import constant_contact_api_client as sdk
import pytest

from tests.helpers.api import ApiClient, make_line
from tests.helpers.server import Server

METHODS = {
    "sends": "get_email_sends_report",
    "opens": "get_email_opens_report",
    "unique_opens": "get_unique_opens_report",
    "didnotopens": "get_did_not_opens_report",
    "clicks": "get_clicks_report",
    "forwards": "get_forwards_report",
    "optouts": "get_optouts_report",
    "bounces": "get_bounces_report",
}
KINDS = {"unique_opens": "em_opens", "didnotopens": "em_sends"}
WHO = {"email_address": "ada@example.com", "first_name": "Ada", "last_name": "Lovelace"}
DETAILS: dict[str, dict[str, str]] = {
    "opens": {"device_type": "mobile"},
    "unique_opens": {"device_type": "mobile"},
    "clicks": {"device_type": "tablet", "url_id": "17", "link_url": "https://example.com/"},
    "optouts": {"opt_out_reason": "Too many"},
    "bounces": {"bounce_code": "B"},
}


@pytest.fixture
def api(server: Server, client: ApiClient) -> Iterator[sdk.EmailReportingApi]:
    configuration = sdk.Configuration(host=f"{server.url}/v3", access_token=client.token)
    with sdk.ApiClient(configuration) as sdk_client:
        yield sdk.EmailReportingApi(sdk_client)


def get_activity_type(report: str) -> str:
    return KINDS.get(report, f"em_{report}")


def call(api: sdk.EmailReportingApi, report: str, **parameters: Any) -> Any:  # noqa: ANN401 - a type of the SDK
    return getattr(api, METHODS[report])("ca-1", **parameters)


@pytest.mark.parametrize("report", METHODS)
def test_sdk_parses_every_page(api: sdk.EmailReportingApi, client: ApiClient, report: str) -> None:
    details = DETAILS.get(report, {})
    client.record(
        *(
            make_line(f"c{number}", get_activity_type(report), 1_767_225_600_000 + number, **WHO, **details)
            for number in range(5)
        )
    )
    page = call(api, report, limit="2")
    assert page.links.next.href.startswith(f"/v3/reports/email_reports/ca-1/tracking/{report}?next=")
    seen = list(page.tracking_activities)
    # The SDK has no cursor argument: its users request the next link and parse the response with it.
    while page.links and page.links.next:
        page = type(page).from_json(client.get(page.links.next.href).text)
        seen += page.tracking_activities
    assert page.links.next is None
    assert len({item.created_time for item in seen}) == len(seen) == 5
    for item in seen:
        assert item.campaign_activity_id == "ca-1"
        assert item.tracking_activity_type == {"unique_opens": "em_opens"}.get(report, f"em_{report}")
        assert {field: getattr(item, field) for field in (*WHO, *details)} == {**WHO, **details}
    assert len(call(api, report).tracking_activities) == 5


@pytest.mark.parametrize("report", METHODS)
def test_sdk_parses_empty_page_and_minimal_rows(api: sdk.EmailReportingApi, client: ApiClient, report: str) -> None:
    client.record(make_line(activity_type="p_contact_open"))
    empty = call(api, report)
    assert (empty.tracking_activities, empty.links.next) == ([], None)
    client.record(make_line(activity_type=get_activity_type(report)))
    (item,) = call(api, report).tracking_activities
    assert (item.email_address, item.first_name, item.deleted_at) == ("", None, None)


def test_filters_sent_by_sdk_are_applied(api: sdk.EmailReportingApi, client: ApiClient) -> None:
    client.record(*(make_line(f"c{code}", "em_bounces", bounce_code=code) for code in "BDFSVXZ"))
    client.record(*(make_line(f"c{number}", "em_clicks", url_id=str(number)) for number in range(3)))
    client.record(make_line("derived", "em_clicks", link_url="https://example.com/"))
    results = call(api, "bounces", bounce_code=["B", "Z"]).tracking_activities
    assert {item.bounce_code for item in results} == {"B", "Z"}
    clicks = {item.contact_id: item.url_id for item in call(api, "clicks").tracking_activities}
    for contact_id, url_id in clicks.items():
        (item,) = call(api, "clicks", url_id=int(url_id)).tracking_activities
        assert item.contact_id == contact_id


def test_sdk_parses_links(api: sdk.EmailReportingApi, client: ApiClient) -> None:
    client.record(make_line(activity_type="em_sends"))
    assert api.get_campaign_activity_link_report("ca-1").link_click_counts == []
    client.record(
        make_line("c1", "em_clicks", link_url="https://example.com/a", url_id="7"),
        make_line("c2", "em_clicks", link_url="https://example.com/a", url_id="8"),
        make_line("c2", "em_clicks", link_url="https://example.com/b"),
    )
    report = api.get_campaign_activity_link_report("ca-1", no_clicks=True)
    assert report.campaign_activity_id == "ca-1"
    first, second = report.link_click_counts
    assert (first.link_url, first.url_id, first.unique_clicks) == ("https://example.com/a", "7", 2)
    assert (second.link_url, second.unique_clicks) == ("https://example.com/b", 1)


def test_errors_raise_sdk_exceptions(api: sdk.EmailReportingApi, server: Server) -> None:
    with pytest.raises(sdk.exceptions.NotFoundException) as unknown:
        call(api, "sends")
    assert "reportingsvc.not_found" in unknown.value.body
    with pytest.raises(sdk.exceptions.BadRequestException):
        call(api, "sends", limit="501")
    stranger = sdk.ApiClient(sdk.Configuration(host=f"{server.url}/v3", access_token="x"))  # noqa: S106 - not a token
    with pytest.raises(sdk.exceptions.UnauthorizedException):
        sdk.EmailReportingApi(stranger).get_clicks_report("ca-1")
