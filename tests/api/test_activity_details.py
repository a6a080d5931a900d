"""GET /v3/reports/contact_reports/{contact_id}/activity_details."""

import re

import httpx
import pytest

from tests.helpers.api import ALL_ACTIVITY_TYPES, ApiClient, details_path, make_line
from tests.helpers.server import Server

VENDOR_IDS = ["71600990-908b-11e6-907f-00166bff25", "010a0-1234-5678-9012-1100a0c1ab2a"]


def get_types(response: httpx.Response) -> list[str]:
    assert response.status_code == 200, response.text
    return [item["tracking_activity_type"] for item in response.json()["tracking_activities"]]


@pytest.fixture
def mixed_client(client: ApiClient) -> ApiClient:
    """A client, whose contact has a send, an open and a click, an hour apart."""
    client.record(
        make_line(activity_type="em_sends", time="2026-03-01T10:00:00Z", campaign_activity_name="March"),
        make_line(activity_type="em_opens", time="2026-03-01T11:00:00Z"),
        make_line(activity_type="em_clicks", time="2026-03-01T12:00:00Z", link_url="https://example.com/a"),
    )
    return client


def test_activity_details_item_has_documented_fields_only(mixed_client: ApiClient) -> None:
    response = mixed_client.page("c1", tracking_activities_list="em_clicks")
    assert response.json() == {
        "tracking_activities": [
            {
                "contact_id": "c1",
                "campaign_activity_id": "ca-1",
                "campaign_activity_name": "March",
                "created_time": "2026-03-01T12:00:00.000Z",
                "tracking_activity_type": "em_clicks",
                "tracking_activities_list": "em_clicks",
            }
        ],
        "_links": {},
    }
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("name", ["tracking_activity_type", "tracking_activities_list"])
@pytest.mark.parametrize(
    "values",
    [
        "{n}=em_sends&{n}=em_clicks",
        "{n}=em_sends,em_clicks",
        "{n}=em_sends%2Cem_clicks",
        "{n}=em_sends,%20em_clicks",
        "{n}=+em_sends+,+em_clicks+",
        "{n}=em_sends,,em_clicks,",
        "{n}=em_sends,em_sends&{n}=em_clicks&{n}=em_clicks",
        "{n}=&{n}=em_clicks,em_sends",
    ],
)
def test_activity_type_parameters_accept_all_client_encodings(mixed_client: ApiClient, name: str, values: str) -> None:
    assert get_types(mixed_client.get(f"{details_path('c1')}?{values.format(n=name)}")) == ["em_clicks", "em_sends"]


def test_empty_activity_type_parameter_is_ignored(mixed_client: ApiClient) -> None:
    response = mixed_client.get(f"{details_path('c1')}?tracking_activity_type=&tracking_activities_list=em_sends")
    assert get_types(response) == ["em_sends"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "tracking_activity_type"),
        ("tracking_activity_type=", "tracking_activity_type"),
        ("tracking_activities_list=,", "tracking_activity_type"),
        ("tracking_activity_type=em_sends&tracking_activities_list=em_sends", "together"),
        ("tracking_activity_type=em_reads", "'em_reads'"),
        ("tracking_activity_type=EM_SENDS", "'EM_SENDS'"),
        ("tracking_activity_type=p_contact_opens", "'p_contact_opens'"),
        ("tracking_activity_type=em_sends&limit=0", "'0'"),
        ("tracking_activity_type=em_sends&limit=101", "'101'"),
        ("tracking_activity_type=em_sends&limit=-1", "'-1'"),
        ("tracking_activity_type=em_sends&limit=abc", "'abc'"),
        ("tracking_activity_type=em_sends&limit=1.0", "'1.0'"),
        ("tracking_activity_type=em_sends&limit=%D9%A1", "limit"),
        ("tracking_activity_type=em_sends&limit=", "limit"),
        ("tracking_activity_type=em_sends&limit=5&limit=5", "more than once"),
        ("tracking_activity_type=em_sends&include_campaign_activity_names=yes", "'yes'"),
        ("tracking_activity_type=em_sends&include_campaign_activity_names=", "include_campaign_activity_names"),
        ("tracking_activity_type=em_sends&created_after=yesterday", "'yesterday'"),
        ("tracking_activity_type=em_sends&created_after=2026-03-01T10:00:00", "offset"),
        ("tracking_activity_type=em_sends&created_before=", "created_before"),
        ("tracking_activity_type=em_sends&created_after=2026-03-02&created_before=2026-03-01", "created_after"),
        ("next=", "next"),
        ("next=abc", "next"),
        ("cursor=abc", "next"),
    ],
)
def test_invalid_parameters_return_400(mixed_client: ApiClient, query: str, expected: str) -> None:
    response = mixed_client.get(f"{details_path('c1')}?{query}")
    assert response.status_code == 400
    (error,) = response.json()
    assert set(error) == {"error_key", "error_message"}
    assert error["error_key"] == "contacts.api.validation.error"
    assert expected in error["error_message"]


@pytest.mark.parametrize(
    ("value", "with_names"),
    [("true", True), ("1", True), ("TRUE", True), ("false", False), ("0", False), ("False", False)],
)
def test_campaign_activity_names_are_included_by_default(mixed_client: ApiClient, value: str, with_names: bool) -> None:
    response = mixed_client.page("c1", tracking_activity_type="em_sends", include_campaign_activity_names=value)
    (item,) = response.json()["tracking_activities"]
    assert item.get("campaign_activity_name") == ("March" if with_names else None)
    assert ("campaign_activity_name" in item) is with_names


def test_unknown_campaign_activity_name_is_omitted(client: ApiClient) -> None:
    client.record(make_line())
    (item,) = client.page("c1", tracking_activity_type="em_opens").json()["tracking_activities"]
    assert "campaign_activity_name" not in item


def test_renamed_campaign_activity_appears_on_next_request(mixed_client: ApiClient) -> None:
    mixed_client.page("c1", tracking_activity_type="em_sends")
    mixed_client.record(
        make_line(activity_type="em_opens", time="2026-03-02T10:00:00Z", campaign_activity_name="March, mended")
    )
    items = mixed_client.page("c1", tracking_activities_list=ALL_ACTIVITY_TYPES).json()["tracking_activities"]
    assert {item["campaign_activity_name"] for item in items} == {"March, mended"}


def test_unicode_names_round_trip(client: ApiClient) -> None:
    name = '„Ostern“ "2026" \\ <b>&amp; 🐣 \u200d e\u0301 日本'
    client.record(make_line(campaign_activity_name=name))
    (item,) = client.page("c1", tracking_activity_type="em_opens").json()["tracking_activities"]
    assert item["campaign_activity_name"] == name


@pytest.mark.parametrize("contact_id", [*VENDOR_IDS, "1", "x" * 64, "A_b-9"])
def test_opaque_ids_round_trip_byte_for_byte(client: ApiClient, contact_id: str) -> None:
    client.record(make_line(contact_id, campaign_activity_id=VENDOR_IDS[0] + "z"))
    (item,) = client.page(contact_id, tracking_activity_type="em_opens").json()["tracking_activities"]
    assert item["contact_id"] == contact_id
    assert item["campaign_activity_id"] == VENDOR_IDS[0] + "z"


@pytest.mark.parametrize("contact_id", ["x" * 256, "%20", "", "%00", "a%0Ab"])
def test_malformed_contact_id_returns_404(client: ApiClient, contact_id: str) -> None:
    response = client.get(f"{details_path(contact_id)}?tracking_activity_type=em_opens")
    assert response.status_code == 404
    (error,) = response.json()
    assert error["error_key"] == "contacts.api.not_found"
    assert "invalid format" in error["error_message"]


def test_unknown_contact_returns_404(client: ApiClient) -> None:
    response = client.page("nobody", tracking_activity_type="em_opens")
    assert response.status_code == 404
    assert [error["error_key"] for error in response.json()] == ["contacts.api.not_found"]


def test_known_contact_without_matching_activities_returns_empty_page(mixed_client: ApiClient) -> None:
    response = mixed_client.page("c1", tracking_activity_type="em_forwards")
    assert (response.status_code, response.text) == (200, '{"tracking_activities":[],"_links":{}}')


def test_invalid_parameters_are_reported_before_unknown_contact(client: ApiClient) -> None:
    assert client.page("nobody", tracking_activity_type="x").status_code == 400


def test_unknown_parameters_are_ignored(mixed_client: ApiClient) -> None:
    assert get_types(mixed_client.page("c1", tracking_activity_type="em_sends", sort="up", offset=3)) == ["em_sends"]


def test_limit_defaults_to_100_which_is_maximum(client: ApiClient) -> None:
    client.record(*(make_line(time=1_767_225_600_000 + number) for number in range(101)))
    whole = client.page("c1", tracking_activity_type="em_opens").json()
    assert len(whole["tracking_activities"]) == 100
    assert whole["_links"]["next"]["href"].startswith(f"{details_path('c1')}?next=")
    assert len(client.page("c1", tracking_activity_type="em_opens", limit=1).json()["tracking_activities"]) == 1


def test_full_last_page_has_empty_links(client: ApiClient) -> None:
    client.record(*(make_line(time=1_767_225_600_000 + number) for number in range(4)))
    pages = list(client.walk("c1", "tracking_activity_type=em_opens&limit=2"))
    assert [len(page) for page in pages] == [2, 2]


def test_cursor_overrides_other_parameters(client: ApiClient) -> None:
    client.record(
        *(
            make_line(activity_type=activity_type, time=1_767_225_600_000 + number)
            for number in range(6)
            for activity_type in ("em_opens", "em_sends")
        )
    )
    first = client.page(
        "c1",
        tracking_activity_type="em_opens",
        limit=2,
        include_campaign_activity_names="false",
        created_after="2026-01-01",
    ).json()
    href = first["_links"]["next"]["href"]
    second = client.get(href).json()
    assert len(second["tracking_activities"]) == 2
    assert client.get(f"{href}&tracking_activity_type=nonsense&limit=999").json() == second
    assert client.get(href.replace("?next=", "?cursor=")).json() == second


def test_cursor_of_other_account_or_path_is_rejected(server: Server, client: ApiClient, account: str) -> None:
    lines = [make_line(contact, time=1_767_225_600_000 + number) for number in range(3) for contact in ("c1", "c2")]
    client.record(*lines)
    href = client.page("c1", tracking_activity_type="em_opens", limit=1).json()["_links"]["next"]["href"]
    assert client.get(href.replace("/c1/", "/c2/")).status_code == 400
    with server.client(f"{account}-other") as other:
        other.record(*lines)
        assert other.get(href).status_code == 400


def test_tampered_cursor_is_rejected(client: ApiClient) -> None:
    client.record(*(make_line(time=1_767_225_600_000 + number) for number in range(3)))
    href = client.page("c1", tracking_activity_type="em_opens", limit=1).json()["_links"]["next"]["href"]
    path, cursor = href.split("?next=")
    for place in range(len(cursor)):
        changed = cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :]
        assert client.get(f"{path}?next={changed}").status_code == 400
    for changed in (cursor + "=", cursor + "!", cursor[:-1], "!" + cursor):
        assert client.get(f"{path}?next={changed}").status_code == 400


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ("created_after=2026-03-01T11:00:00Z", ["em_clicks", "em_opens"]),
        ("created_before=2026-03-01T11:00:00Z", ["em_opens", "em_sends"]),
        ("created_after=2026-03-01T11:00:00Z&created_before=2026-03-01T11:00:00.000Z", ["em_opens"]),
        ("created_after=2026-03-01T06:00:00-0500", ["em_clicks", "em_opens"]),
        ("created_after=2026-03-01T13:00:00%2B02:00", ["em_clicks", "em_opens"]),
        ("created_after=2026-03-01T11:00:00+0000", ["em_clicks", "em_opens"]),
        ("created_after=2026-03-01", ["em_clicks", "em_opens", "em_sends"]),
        ("created_before=2026-03-01", []),
        ("created_before=1969-01-01", []),
        ("created_after=2026-03-01T11:00:00.001Z", ["em_clicks"]),
    ],
)
def test_time_bounds_are_inclusive_and_accept_all_client_formats(
    mixed_client: ApiClient, bounds: str, expected: list[str]
) -> None:
    assert (
        get_types(mixed_client.get(f"{details_path('c1')}?tracking_activities_list={ALL_ACTIVITY_TYPES}&{bounds}"))
        == expected
    )


def test_times_have_three_decimals_and_z(client: ApiClient) -> None:
    client.record(
        make_line(time="2026-03-01T10:00:00+01:00"),
        make_line(time="2026-03-01T10:00:00.1Z"),
        make_line(time="2026-03-01T10:00:00.123999Z"),
        make_line(time=1_767_225_600_000),
    )
    items = client.page("c1", tracking_activity_type="em_opens").json()["tracking_activities"]
    times = [item["created_time"] for item in items]
    assert times == [
        "2026-03-01T10:00:00.123Z",
        "2026-03-01T10:00:00.100Z",
        "2026-03-01T09:00:00.000Z",
        "2026-01-01T00:00:00.000Z",
    ]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", time) for time in times)


def test_head_returns_headers_of_get(mixed_client: ApiClient) -> None:
    got = mixed_client.page("c1", tracking_activity_type="em_opens")
    headed = mixed_client.head(details_path("c1"), params={"tracking_activity_type": "em_opens"})
    assert headed.status_code == 200
    assert headed.content == b""
    assert headed.headers["content-length"] == got.headers["content-length"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_unsupported_methods_return_405(mixed_client: ApiClient, method: str) -> None:
    response = mixed_client.request(method, details_path("c1"), params={"tracking_activity_type": "em_opens"})
    assert response.status_code == 405
    assert response.json()["error_key"] == "method_not_allowed"
    assert "GET" in response.headers["allow"]


@pytest.mark.parametrize("path", ["/v3/reports", "/nothing", "/nothing/"])
def test_unknown_route_returns_404_without_redirect(mixed_client: ApiClient, path: str) -> None:
    response = mixed_client.get(path)
    assert response.status_code == 404
    assert response.json()["error_key"] == "not_found"


@pytest.mark.parametrize(
    "headers",
    [
        {"accept": "application/json", "content-type": "application/json"},
        {"accept": "*/*"},
        {"accept": "text/html"},
        {"content-type": "text/plain"},
    ],
)
def test_request_headers_of_clients_do_not_change_response(mixed_client: ApiClient, headers: dict[str, str]) -> None:
    response = mixed_client.get(details_path("c1"), params={"tracking_activity_type": "em_opens"}, headers=headers)
    assert response.status_code == 200


def test_accounts_with_equal_contact_ids_are_isolated(server: Server, account: str) -> None:
    with server.client(f"{account}-a") as alice, server.client(f"{account}-b") as bob:
        alice.record(make_line(campaign_activity_name="Alice's", event_id="e1"), make_line("only-alice"))
        bob.record(make_line(time="2026-05-05T05:05:05Z", campaign_activity_name="Bob's", event_id="e1"))
        (hers,) = alice.page("c1", tracking_activity_type="em_opens").json()["tracking_activities"]
        (his,) = bob.page("c1", tracking_activity_type="em_opens").json()["tracking_activities"]
        assert (hers["campaign_activity_name"], his["campaign_activity_name"]) == ("Alice's", "Bob's")
        hidden = bob.page("only-alice", tracking_activity_type="em_opens")
        unknown = bob.page("nobody", tracking_activity_type="em_opens")
        assert (hidden.status_code, hidden.content) == (unknown.status_code, unknown.content) == (404, hidden.content)
