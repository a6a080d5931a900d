"""The vendor's own client and the reports on e-mails: first, middle, last and empty pages of each."""

from collections.abc import Iterator
from typing import Any

import constant_contact_api_client as sdk
import pytest

from tests.world import Caller, Server, line

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
def api(server: Server, caller: Caller) -> Iterator[sdk.EmailReportingApi]:
    configuration = sdk.Configuration(host=f"{server.url}/v3", access_token=caller.bearer)
    with sdk.ApiClient(configuration) as client:
        yield sdk.EmailReportingApi(client)


def kind_of(report: str) -> str:
    return KINDS.get(report, f"em_{report}")


def ask(api: sdk.EmailReportingApi, report: str, **parameters: Any) -> Any:  # noqa: ANN401 - the SDK's own
    return getattr(api, METHODS[report])("ca-1", **parameters)


@pytest.mark.parametrize("report", METHODS)
def test_sdk_parses_every_page(api: sdk.EmailReportingApi, caller: Caller, report: str) -> None:
    details = DETAILS.get(report, {})
    caller.record(
        *(line(f"c{number}", kind_of(report), 1_767_225_600_000 + number, **WHO, **details) for number in range(5))
    )
    page = ask(api, report, limit="2")
    assert page.links.next.href.startswith(f"/v3/reports/email_reports/ca-1/tracking/{report}?next=")
    seen = list(page.tracking_activities)
    # The SDK has no cursor argument: its users follow the link with a GET, and have it parsed.
    while page.links and page.links.next:
        page = type(page).from_json(caller.get(page.links.next.href).text)
        seen += page.tracking_activities
    assert page.links.next is None
    assert len({item.created_time for item in seen}) == len(seen) == 5
    for item in seen:
        assert item.campaign_activity_id == "ca-1"
        assert item.tracking_activity_type == {"unique_opens": "em_opens"}.get(report, f"em_{report}")
        assert {field: getattr(item, field) for field in (*WHO, *details)} == {**WHO, **details}
    assert len(ask(api, report).tracking_activities) == 5


@pytest.mark.parametrize("report", METHODS)
def test_sdk_parses_empty_page_and_minimal_rows(api: sdk.EmailReportingApi, caller: Caller, report: str) -> None:
    caller.record(line(activity_type="p_contact_open"))
    empty = ask(api, report)
    assert (empty.tracking_activities, empty.links.next) == ([], None)
    caller.record(line(activity_type=kind_of(report)))
    (item,) = ask(api, report).tracking_activities
    assert (item.email_address, item.first_name, item.deleted_at) == ("", None, None)


def test_filters_sent_by_sdk_are_applied(api: sdk.EmailReportingApi, caller: Caller) -> None:
    caller.record(*(line(f"c{code}", "em_bounces", bounce_code=code) for code in "BDFSVXZ"))
    caller.record(*(line(f"c{number}", "em_clicks", url_id=str(number)) for number in range(3)))
    caller.record(line("derived", "em_clicks", link_url="https://example.com/"))
    found = ask(api, "bounces", bounce_code=["B", "Z"]).tracking_activities
    assert {item.bounce_code for item in found} == {"B", "Z"}
    clicks = {item.contact_id: item.url_id for item in ask(api, "clicks").tracking_activities}
    for contact_id, url_id in clicks.items():
        (item,) = ask(api, "clicks", url_id=int(url_id)).tracking_activities
        assert item.contact_id == contact_id


def test_sdk_parses_links(api: sdk.EmailReportingApi, caller: Caller) -> None:
    caller.record(line(activity_type="em_sends"))
    assert api.get_campaign_activity_link_report("ca-1").link_click_counts == []
    caller.record(
        line("c1", "em_clicks", link_url="https://example.com/a", url_id="7"),
        line("c2", "em_clicks", link_url="https://example.com/a", url_id="8"),
        line("c2", "em_clicks", link_url="https://example.com/b"),
    )
    report = api.get_campaign_activity_link_report("ca-1", no_clicks=True)
    assert report.campaign_activity_id == "ca-1"
    first, second = report.link_click_counts
    assert (first.link_url, first.url_id, first.unique_clicks) == ("https://example.com/a", "7", 2)
    assert (second.link_url, second.unique_clicks) == ("https://example.com/b", 1)


def test_errors_raise_sdk_exceptions(api: sdk.EmailReportingApi, server: Server) -> None:
    with pytest.raises(sdk.exceptions.NotFoundException) as unknown:
        ask(api, "sends")
    assert "reportingsvc.not_found" in unknown.value.body
    with pytest.raises(sdk.exceptions.BadRequestException):
        ask(api, "sends", limit="501")
    stranger = sdk.ApiClient(sdk.Configuration(host=f"{server.url}/v3", access_token="x"))  # noqa: S106 - no token at all
    with pytest.raises(sdk.exceptions.UnauthorizedException):
        sdk.EmailReportingApi(stranger).get_clicks_report("ca-1")
