"""GET /v3/reports/contact_reports/{contact_id}/activity_details, point by point."""

import re

import httpx
import pytest

from tests.world import EVERY_TYPE, Caller, Server, details, line

VENDOR_IDS = ["71600990-908b-11e6-907f-00166bff25", "010a0-1234-5678-9012-1100a0c1ab2a"]


def types_of(response: httpx.Response) -> list[str]:
    assert response.status_code == 200, response.text
    return [item["tracking_activity_type"] for item in response.json()["tracking_activities"]]


@pytest.fixture
def mixed(caller: Caller) -> Caller:
    """A contact with a send, an open and a click, an hour apart."""
    caller.record(
        line(activity_type="em_sends", time="2026-03-01T10:00:00Z", campaign_activity_name="March"),
        line(activity_type="em_opens", time="2026-03-01T11:00:00Z"),
        line(activity_type="em_clicks", time="2026-03-01T12:00:00Z", link_url="https://example.com/a"),
    )
    return caller


def test_activity_details_item_has_documented_fields_only(mixed: Caller) -> None:
    response = mixed.page("c1", tracking_activities_list="em_clicks")
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
def test_activity_type_parameters_accept_all_client_encodings(mixed: Caller, name: str, values: str) -> None:
    assert types_of(mixed.get(f"{details('c1')}?{values.format(n=name)}")) == ["em_clicks", "em_sends"]


def test_empty_activity_type_parameter_is_ignored(mixed: Caller) -> None:
    response = mixed.get(f"{details('c1')}?tracking_activity_type=&tracking_activities_list=em_sends")
    assert types_of(response) == ["em_sends"]


@pytest.mark.parametrize(
    ("query", "named"),
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
def test_invalid_parameters_return_400(mixed: Caller, query: str, named: str) -> None:
    response = mixed.get(f"{details('c1')}?{query}")
    assert response.status_code == 400
    (problem,) = response.json()
    assert set(problem) == {"error_key", "error_message"}
    assert problem["error_key"] == "contacts.api.validation.error"
    assert named in problem["error_message"]


@pytest.mark.parametrize(
    ("value", "with_names"),
    [("true", True), ("1", True), ("TRUE", True), ("false", False), ("0", False), ("False", False)],
)
def test_campaign_activity_names_are_included_by_default(mixed: Caller, value: str, with_names: bool) -> None:
    response = mixed.page("c1", tracking_activity_type="em_sends", include_campaign_activity_names=value)
    (item,) = response.json()["tracking_activities"]
    assert item.get("campaign_activity_name") == ("March" if with_names else None)
    assert ("campaign_activity_name" in item) is with_names


def test_unknown_campaign_activity_name_is_omitted(caller: Caller) -> None:
    caller.record(line())
    (item,) = caller.page("c1", tracking_activity_type="em_opens").json()["tracking_activities"]
    assert "campaign_activity_name" not in item


def test_renamed_campaign_activity_appears_on_next_request(mixed: Caller) -> None:
    mixed.page("c1", tracking_activity_type="em_sends")
    mixed.record(line(activity_type="em_opens", time="2026-03-02T10:00:00Z", campaign_activity_name="March, mended"))
    items = mixed.page("c1", tracking_activities_list=EVERY_TYPE).json()["tracking_activities"]
    assert {item["campaign_activity_name"] for item in items} == {"March, mended"}


def test_unicode_names_round_trip(caller: Caller) -> None:
    name = '„Ostern“ "2026" \\ <b>&amp; 🐣 \u200d e\u0301 日本'
    caller.record(line(campaign_activity_name=name))
    (item,) = caller.page("c1", tracking_activity_type="em_opens").json()["tracking_activities"]
    assert item["campaign_activity_name"] == name


@pytest.mark.parametrize("contact_id", [*VENDOR_IDS, "1", "x" * 64, "A_b-9"])
def test_opaque_ids_round_trip_byte_for_byte(caller: Caller, contact_id: str) -> None:
    caller.record(line(contact_id, campaign_activity_id=VENDOR_IDS[0] + "z"))
    (item,) = caller.page(contact_id, tracking_activity_type="em_opens").json()["tracking_activities"]
    assert item["contact_id"] == contact_id
    assert item["campaign_activity_id"] == VENDOR_IDS[0] + "z"


@pytest.mark.parametrize("contact_id", ["x" * 65, "a%20b", "a%2Fb", "a/b", "", "%00", "a.b", "%C3%A4"])
def test_malformed_contact_id_returns_404(caller: Caller, contact_id: str) -> None:
    response = caller.get(f"{details(contact_id)}?tracking_activity_type=em_opens")
    assert response.status_code == 404
    (problem,) = response.json()
    assert problem["error_key"] == "contacts.api.not_found"
    assert "invalid format" in problem["error_message"]


def test_unknown_contact_returns_404(caller: Caller) -> None:
    response = caller.page("nobody", tracking_activity_type="em_opens")
    assert response.status_code == 404
    assert [problem["error_key"] for problem in response.json()] == ["contacts.api.not_found"]


def test_known_contact_without_matching_activities_returns_empty_page(mixed: Caller) -> None:
    response = mixed.page("c1", tracking_activity_type="em_forwards")
    assert (response.status_code, response.text) == (200, '{"tracking_activities":[],"_links":{}}')


def test_invalid_parameters_are_reported_before_unknown_contact(caller: Caller) -> None:
    assert caller.page("nobody", tracking_activity_type="x").status_code == 400


def test_unknown_parameters_are_ignored(mixed: Caller) -> None:
    assert types_of(mixed.page("c1", tracking_activity_type="em_sends", sort="up", offset=3)) == ["em_sends"]


def test_limit_defaults_to_100_which_is_maximum(caller: Caller) -> None:
    caller.record(*(line(time=1_767_225_600_000 + number) for number in range(101)))
    whole = caller.page("c1", tracking_activity_type="em_opens").json()
    assert len(whole["tracking_activities"]) == 100
    assert whole["_links"]["next"]["href"].startswith(f"{details('c1')}?next=")
    assert len(caller.page("c1", tracking_activity_type="em_opens", limit=1).json()["tracking_activities"]) == 1


def test_full_last_page_has_empty_links(caller: Caller) -> None:
    caller.record(*(line(time=1_767_225_600_000 + number) for number in range(4)))
    pages = list(caller.walk("c1", "tracking_activity_type=em_opens&limit=2"))
    assert [len(page) for page in pages] == [2, 2]


def test_cursor_overrides_other_parameters(caller: Caller) -> None:
    caller.record(
        *(
            line(activity_type=activity_type, time=1_767_225_600_000 + number)
            for number in range(6)
            for activity_type in ("em_opens", "em_sends")
        )
    )
    first = caller.page(
        "c1",
        tracking_activity_type="em_opens",
        limit=2,
        include_campaign_activity_names="false",
        created_after="2026-01-01",
    ).json()
    href = first["_links"]["next"]["href"]
    second = caller.get(href).json()
    assert len(second["tracking_activities"]) == 2
    assert caller.get(f"{href}&tracking_activity_type=nonsense&limit=999").json() == second
    assert caller.get(href.replace("?next=", "?cursor=")).json() == second


def test_cursor_of_other_account_or_path_is_rejected(server: Server, caller: Caller, account: str) -> None:
    lines = [line(contact, time=1_767_225_600_000 + number) for number in range(3) for contact in ("c1", "c2")]
    caller.record(*lines)
    href = caller.page("c1", tracking_activity_type="em_opens", limit=1).json()["_links"]["next"]["href"]
    assert caller.get(href.replace("/c1/", "/c2/")).status_code == 400
    with server.caller(f"{account}-other") as other:
        other.record(*lines)
        assert other.get(href).status_code == 400


def test_tampered_cursor_is_rejected(caller: Caller) -> None:
    caller.record(*(line(time=1_767_225_600_000 + number) for number in range(3)))
    href = caller.page("c1", tracking_activity_type="em_opens", limit=1).json()["_links"]["next"]["href"]
    path, cursor = href.split("?next=")
    for place in range(len(cursor)):
        changed = cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :]
        assert caller.get(f"{path}?next={changed}").status_code == 400
    for changed in (cursor + "=", cursor + "!", cursor[:-1], "!" + cursor):
        assert caller.get(f"{path}?next={changed}").status_code == 400


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
    mixed: Caller, bounds: str, expected: list[str]
) -> None:
    assert types_of(mixed.get(f"{details('c1')}?tracking_activities_list={EVERY_TYPE}&{bounds}")) == expected


def test_times_have_three_decimals_and_z(caller: Caller) -> None:
    caller.record(
        line(time="2026-03-01T10:00:00+01:00"),
        line(time="2026-03-01T10:00:00.1Z"),
        line(time="2026-03-01T10:00:00.123999Z"),
        line(time=1_767_225_600_000),
    )
    items = caller.page("c1", tracking_activity_type="em_opens").json()["tracking_activities"]
    times = [item["created_time"] for item in items]
    assert times == [
        "2026-03-01T10:00:00.123Z",
        "2026-03-01T10:00:00.100Z",
        "2026-03-01T09:00:00.000Z",
        "2026-01-01T00:00:00.000Z",
    ]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", time) for time in times)


def test_head_returns_headers_of_get(mixed: Caller) -> None:
    got = mixed.page("c1", tracking_activity_type="em_opens")
    headed = mixed.head(details("c1"), params={"tracking_activity_type": "em_opens"})
    assert headed.status_code == 200
    assert headed.content == b""
    assert headed.headers["content-length"] == got.headers["content-length"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_unsupported_methods_return_405(mixed: Caller, method: str) -> None:
    response = mixed.request(method, details("c1"), params={"tracking_activity_type": "em_opens"})
    assert response.status_code == 405
    assert response.json()["error_key"] == "method_not_allowed"
    assert "GET" in response.headers["allow"]


@pytest.mark.parametrize("path", ["/v3/reports", "/nothing", "/nothing/"])
def test_unknown_route_returns_404_without_redirect(mixed: Caller, path: str) -> None:
    response = mixed.get(path)
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
def test_request_headers_of_clients_do_not_change_response(mixed: Caller, headers: dict[str, str]) -> None:
    response = mixed.get(details("c1"), params={"tracking_activity_type": "em_opens"}, headers=headers)
    assert response.status_code == 200


def test_accounts_with_equal_contact_ids_are_isolated(server: Server, account: str) -> None:
    with server.caller(f"{account}-a") as alice, server.caller(f"{account}-b") as bob:
        alice.record(line(campaign_activity_name="Alice's", event_id="e1"), line("only-alice"))
        bob.record(line(time="2026-05-05T05:05:05Z", campaign_activity_name="Bob's", event_id="e1"))
        (hers,) = alice.page("c1", tracking_activity_type="em_opens").json()["tracking_activities"]
        (his,) = bob.page("c1", tracking_activity_type="em_opens").json()["tracking_activities"]
        assert (hers["campaign_activity_name"], his["campaign_activity_name"]) == ("Alice's", "Bob's")
        hidden = bob.page("only-alice", tracking_activity_type="em_opens")
        unknown = bob.page("nobody", tracking_activity_type="em_opens")
        assert (hidden.status_code, hidden.content) == (unknown.status_code, unknown.content) == (404, hidden.content)
