"""GET /v3/reports/email_reports/{campaign_activity_id}/tracking/…."""

import httpx
import pytest

from tests.helpers.api import ApiClient, make_line, tracking_path
from tests.helpers.server import Server

REPORTS = ["sends", "opens", "clicks", "forwards", "optouts", "bounces"]
NOON = 1_767_268_800_000


def get_rows(response: httpx.Response) -> list[dict[str, str]]:
    assert response.status_code == 200, response.text
    results: list[dict[str, str]] = response.json()["tracking_activities"]
    return results


def get_common_fields(activity_type: str) -> dict[str, str]:
    return {
        "contact_id": "c1",
        "campaign_activity_id": "ca-1",
        "tracking_activity_type": activity_type,
        "email_address": "ada@example.com",
        "first_name": "Ada",
        "last_name": "Lovelace",
        "created_time": "2026-03-01T10:00:00.000Z",
    }


@pytest.mark.parametrize(
    ("report", "recorded", "more"),
    [
        ("sends", {}, {}),
        ("opens", {"device_type": "tablet"}, {"device_type": "tablet"}),
        ("opens", {}, {}),
        (
            "clicks",
            {"device_type": "mobile", "url_id": "17", "link_url": "https://example.com/ü?a=1&b"},
            {"device_type": "mobile", "url_id": "17", "link_url": "https://example.com/ü?a=1&b"},
        ),
        ("clicks", {"url_id": "17"}, {"url_id": "17", "link_url": ""}),
        (
            "clicks",
            {"link_url": "https://example.com/"},
            {"url_id": "5035082437572861802", "link_url": "https://example.com/"},
        ),
        ("clicks", {}, {"url_id": "0", "link_url": ""}),
        ("forwards", {}, {}),
        ("optouts", {"opt_out_reason": 'Too "many"\ne-mails'}, {"opt_out_reason": 'Too "many"\ne-mails'}),
        ("optouts", {}, {}),
        ("bounces", {"bounce_code": "Z"}, {"bounce_code": "Z", "current_email_address": "ada@example.com"}),
        ("bounces", {}, {"bounce_code": "X", "current_email_address": "ada@example.com"}),
    ],
)
def test_report_row_has_documented_fields_only(
    client: ApiClient, report: str, recorded: dict[str, str], more: dict[str, str]
) -> None:
    activity_type = f"em_{report}"
    who = {"email_address": "ada@example.com", "first_name": "Ada", "last_name": "Lovelace"}
    client.record(
        make_line(activity_type=activity_type, **who, **recorded),
        make_line(activity_type="p_contact_open", campaign_activity_id="ca-2"),
    )
    response = client.get(tracking_path("ca-1", report))
    assert response.json() == {"tracking_activities": [{**get_common_fields(activity_type), **more}], "_links": {}}
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    assert client.get(tracking_path("ca-2", report)).text == '{"tracking_activities":[],"_links":{}}'


def test_row_shows_profile_at_time_of_activity(client: ApiClient) -> None:
    """Each field comes from the activity itself, else the latest one before it, else the current profile."""
    client.record(
        make_line(activity_type="em_sends", time=NOON),
        make_line(
            activity_type="em_sends", time=NOON + 1, email_address="old@example.com", campaign_activity_id="ca-2"
        ),
        make_line(activity_type="em_sends", time=NOON + 2, first_name="Ada"),
        make_line(activity_type="p_contact_update", time=NOON + 3, email_address="new@example.com", last_name="King"),
        make_line(activity_type="em_sends", time=NOON + 4),
        make_line(activity_type="em_sends", time=NOON + 5, email_address="newest@example.com", last_name="Lovelace"),
    )
    said = [
        (row["email_address"], row["first_name"], row["last_name"])
        for row in get_rows(client.get(tracking_path("ca-1")))
    ]
    assert said == [
        ("newest@example.com", "Ada", "Lovelace"),
        ("new@example.com", "Ada", "King"),
        ("old@example.com", "Ada", "Lovelace"),
        ("newest@example.com", "Ada", "Lovelace"),
    ]


def test_contact_without_profile_has_empty_address(client: ApiClient) -> None:
    client.record(make_line(activity_type="em_bounces"))
    (row,) = get_rows(client.get(tracking_path("ca-1", "bounces")))
    assert row["email_address"] == ""
    assert not {"first_name", "last_name", "current_email_address", "deleted_at"} & row.keys()


def test_bounce_row_contains_past_and_current_address(client: ApiClient) -> None:
    client.record(
        make_line(activity_type="em_bounces", time=NOON, email_address="old@example.com"),
        make_line(activity_type="em_opens", time=NOON + 1, email_address="new@example.com"),
    )
    (row,) = get_rows(client.get(tracking_path("ca-1", "bounces")))
    assert (row["email_address"], row["current_email_address"]) == ("old@example.com", "new@example.com")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("url_id=17", {"own", "both"}),
        ("url_id=5035082437572861802", {"derived"}),
        ("url_id=0", {"none"}),
        ("url_id=-1", set()),
        ("url_id=18", set()),
    ],
)
def test_clicks_are_filtered_by_link(client: ApiClient, query: str, expected: set[str]) -> None:
    client.record(
        make_line("own", "em_clicks", url_id="17"),
        make_line("both", "em_clicks", url_id="17", link_url="https://example.com/"),
        make_line("derived", "em_clicks", link_url="https://example.com/"),
        make_line("another", "em_clicks", link_url="https://example.com/#"),
        make_line("none", "em_clicks"),
    )
    assert {row["contact_id"] for row in get_rows(client.get(f"{tracking_path('ca-1', 'clicks')}?{query}"))} == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("bounce_code=B", {"B"}),
        ("bounce_code=B&bounce_code=Z", {"B", "Z"}),
        ("bounce_code=B,Z", {"B", "Z"}),
        ("bounce_code=B%2C%20Z&bounce_code=V,,B", {"B", "V", "Z"}),
        ("bounce_code=X", {"X", "unknown"}),
        ("bounce_code=D", set()),
        ("bounce_code=", {"B", "V", "X", "Z", "unknown"}),
    ],
)
def test_bounces_are_filtered_by_code(client: ApiClient, query: str, expected: set[str]) -> None:
    client.record(
        make_line("unknown", "em_bounces"), *(make_line(code, "em_bounces", bounce_code=code) for code in "BVXZ")
    )
    assert {
        row["contact_id"] for row in get_rows(client.get(f"{tracking_path('ca-1', 'bounces')}?{query}"))
    } == expected


@pytest.mark.parametrize("report", REPORTS)
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("limit=0", "limit: must be a whole number from 1 to 500, not '0'"),
        ("limit=501", "'501'"),
        ("limit=abc", "'abc'"),
        ("limit=", "limit"),
        ("limit=5&limit=5", "more than once"),
        ("created_after=yesterday", "'yesterday'"),
        ("created_after=2026-03-02&created_before=2026-03-01", "created_after"),
        ("next=", "next"),
        ("next=abc", "next"),
        ("cursor=abc", "next"),
    ],
)
def test_invalid_parameters_return_400(client: ApiClient, report: str, query: str, expected: str) -> None:
    # Before the 404 for an unknown campaign activity.
    response = client.get(f"{tracking_path('unknown', report)}?{query}")
    assert response.status_code == 400
    (error,) = response.json()
    assert error["error_key"] == "reportingsvc.validation.error"
    assert expected in error["error_message"]


@pytest.mark.parametrize(
    ("report", "query", "expected"),
    [
        ("clicks", "url_id=", "url_id"),
        ("clicks", f"url_id={'x' * 256}", "url_id"),
        ("clicks", "url_id=%00", "url_id"),
        ("clicks", "url_id=1&url_id=1", "more than once"),
        ("bounces", "bounce_code=b", "unknown bounce code 'b'; expected one of B, D, F, S, V, X, Z"),
        ("bounces", "bounce_code=B,A", "'A'"),
    ],
)
def test_invalid_filter_returns_400_only_where_it_applies(
    client: ApiClient, report: str, query: str, expected: str
) -> None:
    client.record(make_line(activity_type="em_sends"))
    response = client.get(f"{tracking_path('ca-1', report)}?{query}")
    assert response.status_code == 400
    assert response.json()[0]["error_key"] == "reportingsvc.validation.error"
    assert expected in response.json()[0]["error_message"]
    assert get_rows(client.get(f"{tracking_path('ca-1', 'opens')}?{query}")) == []


@pytest.mark.parametrize("report", REPORTS)
@pytest.mark.parametrize(
    ("campaign_activity_id", "message"),
    [("unknown", "not found"), *((bad, "invalid format") for bad in ("x" * 256, "%20", "", "%00", "a%0Ab"))],
)
def test_unknown_campaign_activity_returns_404(
    client: ApiClient, report: str, campaign_activity_id: str, message: str
) -> None:
    response = client.get(tracking_path(campaign_activity_id, report))
    assert response.status_code == 404
    (error,) = response.json()
    assert error["error_key"] == "reportingsvc.not_found.invalid_path_param.campaign_activity_id"
    assert message in error["error_message"]


def test_campaign_activity_of_other_account_returns_404(server: Server, account: str) -> None:
    with server.client(f"{account}-a") as alice, server.client(f"{account}-b") as bob:
        alice.record(make_line("hers", "em_sends"), make_line("hers", "em_sends", campaign_activity_id="only-alice"))
        bob.record(make_line("his", "em_sends"))
        assert [row["contact_id"] for row in get_rows(alice.get(tracking_path("ca-1")))] == ["hers"]
        assert [row["contact_id"] for row in get_rows(bob.get(tracking_path("ca-1")))] == ["his"]
        hidden, unknown = bob.get(tracking_path("only-alice")), bob.get(tracking_path("nobodys"))
        assert (hidden.status_code, hidden.content) == (unknown.status_code, unknown.content) == (404, hidden.content)


def test_limit_defaults_to_500_which_is_maximum(client: ApiClient) -> None:
    client.record(*(make_line(f"c{number}", "em_sends") for number in range(501)))
    whole = client.get(tracking_path("ca-1")).json()
    assert len(whole["tracking_activities"]) == 500
    assert whole["_links"]["next"]["href"].startswith(f"{tracking_path('ca-1')}?next=")
    assert [len(page) for page in client.walk_tracking("ca-1", "sends", "limit=167")] == [167, 167, 167]


@pytest.mark.parametrize(
    ("report", "query"),
    [
        ("clicks", "url_id=17&limit=2&created_after=2026-01-01T12:00:00.003Z"),
        ("bounces", "bounce_code=B&bounce_code=Z&limit=2&created_before=2026-01-01T12:00:00.009Z"),
    ],
)
def test_cursor_overrides_other_parameters(client: ApiClient, report: str, query: str) -> None:
    more = [{"url_id": "17"}, {"url_id": "18"}] if report == "clicks" else [{"bounce_code": code} for code in "BDZ"]
    client.record(
        *(
            make_line(activity_type=f"em_{report}", time=NOON + number, **more[number % len(more)])
            for number in range(16)
        )
    )
    href = client.get(f"{tracking_path('ca-1', report)}?{query}").json()["_links"]["next"]["href"]
    second = client.get(href).json()
    assert len(second["tracking_activities"]) == 2
    assert client.get(f"{href}&url_id=x&bounce_code=x&limit=999").json() == second
    assert client.get(href.replace("?next=", "?cursor=")).json() == second
    walked = [row for page in client.walk_tracking("ca-1", report, query) for row in page]
    whole = get_rows(client.get(f"{tracking_path('ca-1', report)}?{query.replace('limit=2', 'limit=500')}"))
    assert walked == whole
    assert len(walked) == (6 if report == "clicks" else 7)


def test_cursor_of_other_account_or_path_is_rejected(server: Server, client: ApiClient, account: str) -> None:
    lines = [
        make_line(activity_type=activity_type, time=NOON + number)
        for number in range(3)
        for activity_type in ("em_opens", "em_sends")
    ]
    client.record(*lines, *({**line, "campaign_activity_id": "ca-2"} for line in lines))
    href = client.get(f"{tracking_path('ca-1')}?limit=1").json()["_links"]["next"]["href"]
    assert client.get(href).status_code == 200
    assert client.get(href.replace("/ca-1/", "/ca-2/")).status_code == 400
    assert client.get(href.replace("/sends", "/opens")).status_code == 400
    with server.client(f"{account}-other") as other:
        other.record(*lines)
        assert other.get(href).status_code == 400


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ("created_after=2026-03-01T11:00:00Z", [12, 11]),
        ("created_before=2026-03-01T11:00:00Z", [11, 10]),
        ("created_after=2026-03-01T11:00:00Z&created_before=2026-03-01T11:00:00.000Z", [11]),
        ("created_after=2026-03-01T13:00:00+0200", [12, 11]),
        ("created_after=2026-03-01", [12, 11, 10]),
        ("created_before=2026-03-01", []),
        ("created_before=1969-01-01", []),
        ("created_after=9999-12-31T23:59:59Z", []),
        ("created_before=9999-12-31T23:59:59Z", [12, 11, 10]),
    ],
)
def test_time_bounds_are_inclusive(client: ApiClient, bounds: str, expected: list[int]) -> None:
    client.record(*(make_line(activity_type="em_sends", time=f"2026-03-01T{hour}:00:00Z") for hour in (10, 11, 12)))
    results = get_rows(client.get(f"{tracking_path('ca-1')}?{bounds}"))
    assert [int(row["created_time"][11:13]) for row in results] == expected


@pytest.mark.parametrize("report", REPORTS)
def test_head_is_supported_and_other_methods_return_405(client: ApiClient, report: str) -> None:
    client.record(make_line(activity_type=f"em_{report}"))
    got, headed = client.get(tracking_path("ca-1", report)), client.head(tracking_path("ca-1", report))
    assert (headed.status_code, headed.content) == (200, b"")
    assert headed.headers["content-length"] == got.headers["content-length"]
    assert client.post(tracking_path("ca-1", report)).status_code == 405


def test_page_after_erased_contact_has_each_row_once(server: Server, account: str) -> None:
    with server.client(account) as client:
        client.record(*(make_line(f"c{number}", "em_sends", NOON) for number in range(20)))
        (everybody,) = client.walk_tracking("ca-1", "sends", "limit=100")
        pages: list[str] = []
        for page in client.walk_tracking("ca-1", "sends", "limit=4"):
            pages += [row["contact_id"] for row in page]
            assert client.delete(f"/track/v1/contacts/{pages[-1]}").status_code == httpx.codes.NO_CONTENT
        assert pages == [row["contact_id"] for row in everybody]


def test_first_link_with_url_names_url_id_within_batch(client: ApiClient) -> None:
    clicks = [("1", "18"), ("0", "17"), ("0", None), ("1", None), ("2", None), ("2", "19"), ("3", None)]
    client.record(
        *(
            make_line(
                f"c{number}",
                "em_clicks",
                NOON + number,
                link_url=f"https://e.com/{page}",
                **({} if url_id is None else {"url_id": url_id}),
            )
            for number, (page, url_id) in enumerate(clicks)
        )
    )
    links = client.get("/v3/reports/email_reports/ca-1/links").json()["link_click_counts"]
    assert [link["link_url"] for link in links] == [f"https://e.com/{page}" for page in "1023"]
    assert [link["url_id"] for link in links[:2]] == ["18", "17"]
    assert "19" not in {link["url_id"] for link in links}


def test_campaign_activities_are_listed_in_order_of_arrival(client: ApiClient) -> None:
    arrived = ("m-1", "m-0", "z", "M", "a")
    client.record(
        *(make_line("c1", "em_sends", campaign_activity_id=activity, campaign_id="k") for activity in arrived)
    )
    activities = client.get("/v3/emails/k").json()["campaign_activities"]
    assert [activity["campaign_activity_id"] for activity in activities] == list(arrived)
