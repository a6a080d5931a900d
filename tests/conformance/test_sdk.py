"""Constant Contact's SDK, with only the host changed."""

from collections.abc import Iterator

import constant_contact_api_client as sdk
import pytest

from tests.helpers.api import ALL_ACTIVITY_TYPES, ApiClient, make_line
from tests.helpers.server import Server

EVERY = ALL_ACTIVITY_TYPES.split(",")


@pytest.fixture
def api(server: Server, client: ApiClient) -> Iterator[sdk.ContactsReportingApi]:
    configuration = sdk.Configuration(host=f"{server.url}/v3", access_token=client.token)
    with sdk.ApiClient(configuration) as sdk_client:
        yield sdk.ContactsReportingApi(sdk_client)


def test_sdk_parses_first_page(api: sdk.ContactsReportingApi, client: ApiClient) -> None:
    client.record(*(make_line(time=1_767_225_600_000 + number, campaign_activity_name="A") for number in range(5)))
    page = api.get_contact_tracking_report("c1", tracking_activity_type=["em_opens", "em_clicks"], limit="2")
    assert [item.tracking_activity_type for item in page.tracking_activities] == ["em_opens", "em_opens"]
    assert page.tracking_activities[0].contact_id == "c1"
    assert page.tracking_activities[0].campaign_activity_name == "A"
    assert page.links.next.href.startswith("/v3/reports/contact_reports/c1/activity_details?next=")


def test_sdk_parses_middle_and_last_page(api: sdk.ContactsReportingApi, client: ApiClient) -> None:
    """The SDK has no cursor argument: its users request the next link and parse the response with it."""
    client.record(*(make_line(time=1_767_225_600_000 + number) for number in range(5)))
    page = api.get_contact_tracking_report("c1", tracking_activities_list=["em_opens"], limit="2")
    seen = list(page.tracking_activities)
    while page.links and page.links.next:
        page = type(page).from_json(client.get(page.links.next.href).text)
        seen += page.tracking_activities
    assert len(seen) == 5
    assert page.links.next is None
    assert len({item.created_time for item in seen}) == 5


def test_sdk_parses_single_and_empty_page(api: sdk.ContactsReportingApi, client: ApiClient) -> None:
    client.record(make_line())
    whole = api.get_contact_tracking_report("c1", tracking_activities_list=EVERY)
    assert len(whole.tracking_activities) == 1
    empty = api.get_contact_tracking_report("c1", tracking_activities_list=["em_sends"])
    assert empty.tracking_activities == []
    assert empty.links.next is None


@pytest.mark.parametrize("with_names", [True, False])
def test_sdk_parses_pages_with_and_without_names(
    api: sdk.ContactsReportingApi, client: ApiClient, with_names: bool
) -> None:
    client.record(make_line(campaign_activity_name="A"))
    page = api.get_contact_tracking_report(
        "c1", tracking_activity_type=["em_opens"], include_campaign_activity_names=with_names
    )
    assert page.tracking_activities[0].campaign_activity_name == ("A" if with_names else None)


def test_errors_raise_sdk_exceptions(api: sdk.ContactsReportingApi, server: Server) -> None:
    with pytest.raises(sdk.exceptions.NotFoundException) as unknown:
        api.get_contact_tracking_report("nobody", tracking_activity_type=["em_opens"])
    assert "contacts.api.not_found" in unknown.value.body
    with pytest.raises(sdk.exceptions.BadRequestException):
        api.get_contact_tracking_report("nobody")
    stranger = sdk.ApiClient(sdk.Configuration(host=f"{server.url}/v3", access_token="x"))  # noqa: S106 - not a token
    with pytest.raises(sdk.exceptions.UnauthorizedException):
        sdk.ContactsReportingApi(stranger).get_contact_tracking_report("c1", tracking_activity_type=["em_opens"])


def test_client_loop_over_next_links_ends(client: ApiClient) -> None:
    """`while links: get(links["next"]["href"])`, as in django-ctct."""
    client.record(*(make_line(time=1_767_225_600_000 + number) for number in range(10)))
    seen = 0
    page = client.page("c1", tracking_activity_type="em_opens", limit=3).json()
    while True:
        seen += len(page["tracking_activities"])
        if not page.get("_links"):
            break
        page = client.get(page["_links"]["next"]["href"]).json()
    assert seen == 10


def test_sdk_parses_summaries_and_rates(api: sdk.ContactsReportingApi, client: ApiClient) -> None:
    """First, middle, last and empty pages."""
    client.record(*(make_line(activity_type="em_sends", campaign_activity_id=f"m{number}") for number in range(401)))
    client.record(
        make_line(campaign_activity_id="m7"), make_line(activity_type="em_optouts", campaign_activity_id="m7")
    )
    page = api.get_contact_tracking_count_report("c1", start="2026-01-01", end="2026-12-31T00:00:00-0500")
    rows = list(page.campaign_activities)
    while page.links and page.links.next:
        page = type(page).from_json(client.get(page.links.next.href).text)
        rows += page.campaign_activities
    assert len(rows) == len({row.campaign_activity_id for row in rows}) == 401
    (opened,) = (row for row in rows if row.em_opens)
    assert (opened.campaign_activity_id, opened.em_sends, opened.em_unsubscribes) == ("m7", 1, 1)
    empty = api.get_contact_tracking_count_report("c1", start="2020-01-01", end="2020-12-31")
    assert (empty.contact_id, empty.campaign_activities) == ("c1", [])
    rates = api.get_contact_open_click_rate_report("c1", start="2026-01-01", end="2026-12-31")
    assert (rates.included_activities_count, rates.average_open_rate, rates.average_click_rate) == (401, 0.0025, 0)
