"""Stats and summaries of campaigns."""

from collections.abc import Iterator

import constant_contact_api_client as sdk
import pytest

from rapport.auth.scope import Role, Scope
from rapport.reporting.stats import percent
from tests.helpers.api import ApiClient, make_line
from tests.helpers.server import Server

STATS = "/v3/reports/stats/email_campaign_activities"
CAMPAIGNS = "/v3/reports/stats/email_campaigns"
SUMMARIES = "/v3/reports/summary_reports/email_campaign_summaries"


@pytest.fixture
def reader(server: Server, account: str, client: ApiClient) -> Iterator[ApiClient]:
    """A client, in an account with two campaigns."""
    client.record(
        make_line("c1", "em_sends", campaign_id="spring"),
        make_line("c2", "em_sends", campaign_id="spring"),
        make_line("c1", "em_opens", campaign_id="spring", device_type="tablet"),
        make_line("c1", "em_sends", "2026-03-02T10:00:00Z", campaign_activity_id="ca-2", campaign_id="summer"),
    )
    with server.client(account, frozenset({Scope.CAMPAIGN_DATA})) as reading:
        yield reading


def test_unknown_ids_are_listed_beside_stats_of_known_ids(reader: ApiClient) -> None:
    response = reader.get(f"{STATS}/ca-1,nowhere,ca-1").json()
    assert [result["campaign_activity_id"] for result in response["results"]] == ["ca-1"]
    (error,) = response["errors"]
    assert error["error_key"] == "reportingsvc.not_found.invalid_path_param.campaign_activity_ids."
    assert error["error_message"].endswith(" nowhere")


def test_unknown_campaign_id_fails_request(reader: ApiClient) -> None:
    assert len(reader.get(f"{CAMPAIGNS}/spring,summer").json()["results"]) == 2
    for ids in ("spring,winter", "no.id"):
        response = reader.get(f"{CAMPAIGNS}/{ids}")
        assert response.status_code == 404
        assert response.json()[0]["error_key"] == "reportingsvc.not_found.invalid_path_param.campaign_ids."


def test_malformed_campaign_activity_id_fails_request(reader: ApiClient) -> None:
    assert reader.get(f"{STATS}/ca-1,no%00id").status_code == 404


@pytest.mark.parametrize(("path", "most"), [(STATS, 10), (CAMPAIGNS, 150)])
def test_too_many_ids_and_no_ids_are_rejected(reader: ApiClient, path: str, most: int) -> None:
    assert reader.get(f"{path}/{','.join(f'x{number}' for number in range(most))}").status_code in {200, 404}
    for ids in (",".join(f"x{number}" for number in range(most + 1)), ","):
        response = reader.get(f"{path}/{ids}")
        assert response.status_code == 400
        assert f"1 to {most} ids" in response.json()[0]["error_message"]


def test_account_without_campaigns_returns_empty_list(server: Server) -> None:
    with server.client("no-campaigns-at-all", frozenset({Scope.CAMPAIGN_DATA})) as client:
        assert client.get(SUMMARIES).json() == {
            "bulk_email_campaign_summaries": [],
            "aggregate_percents": {"click": 0, "open": 0, "did_not_open": 0, "bounce": 0, "unsubscribe": 0},
            "_links": {},
        }


def test_campaigns_of_other_account_are_not_found(server: Server, reader: ApiClient) -> None:
    assert reader.get(f"{CAMPAIGNS}/spring").status_code == 200
    with server.client("another-account", frozenset({Scope.CAMPAIGN_DATA})) as stranger:
        assert stranger.get(f"{CAMPAIGNS}/spring").status_code == 404
        assert stranger.get(f"{STATS}/ca-1").json()["results"] == []


@pytest.mark.parametrize("limit", ["0", "501", "x", ""])
def test_invalid_limit_is_reported(reader: ApiClient, limit: str) -> None:
    response = reader.get(SUMMARIES, params={"limit": limit})
    assert response.status_code == 400
    assert response.json()[0]["error_message"].startswith("limit: must be a whole number from 1 to 500")


@pytest.mark.parametrize("path", [f"{STATS}/ca-1", f"{CAMPAIGNS}/spring", SUMMARIES])
@pytest.mark.parametrize(
    ("scope", "role"), [(Scope.CONTACT_DATA, Role.OWNER), (Scope.CAMPAIGN_DATA, Role.CAMPAIGN_CREATOR)]
)
def test_scope_and_privilege_are_required(server: Server, account: str, path: str, scope: Scope, role: Role) -> None:
    with server.client(account, frozenset({scope}), role) as client:
        assert client.get(path).status_code == 403


def test_summaries_are_filtered_by_time_of_last_send(reader: ApiClient) -> None:
    all_items = reader.get(SUMMARIES).json()["bulk_email_campaign_summaries"]
    later, earlier = (campaign["last_sent_date"] for campaign in all_items)

    def params(query: str) -> list[str]:
        page = reader.get(f"{SUMMARIES}?{query}").json()
        return [
            bulk_email_campaign_summary["campaign_id"]
            for bulk_email_campaign_summary in page["bulk_email_campaign_summaries"]
        ]

    assert params(f"created_after={later}") == ["summer"]
    assert params(f"created_before={earlier}") == ["spring"]
    assert params(f"created_after={earlier}&created_before={later}") == ["summer", "spring"]
    assert params("created_before=1969-01-01") == []


@pytest.mark.parametrize(
    ("some", "of_all", "expected"), [(1, 3, 33.3), (2, 3, 66.7), (1, 2000, 0.1), (1, 2001, 0.0), (5, 0, 0), (3, 3, 100)]
)
def test_percentages_have_one_decimal_rounded_half_up(some: int, of_all: int, expected: float) -> None:
    assert percent(some, of_all) == expected


def test_sdk_parses_campaign_stats_responses(server: Server, reader: ApiClient) -> None:
    configuration = sdk.Configuration(host=f"{server.url}/v3", access_token=reader.token)
    with sdk.ApiClient(configuration) as client:
        api = sdk.EmailReportingApi(client)
        (spring, summer) = api.get_email_stats_report("spring,summer").results
        assert (spring.stats.em_sends, spring.stats.em_opens_all_tablet, spring.percents.open) == (2, 1, 50)
        assert (summer.campaign_id, summer.stats.em_not_opened) == ("summer", 1)
        response = api.get_email_campaign_activity_report("ca-2,nowhere")
        assert response.results[0].stats.em_bounces_blocked == 0
        assert len(response.errors) == 1
        page = api.get_email_campaign_report(limit="1")
        assert [
            bulk_email_campaign_summary.campaign_id
            for bulk_email_campaign_summary in page.bulk_email_campaign_summaries
        ] == ["summer"]
        last = type(page).from_json(reader.get(page.links.next.href).text)
        assert last.bulk_email_campaign_summaries[0].unique_counts.sends == 2
        assert last.links.next is None
