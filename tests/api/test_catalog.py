"""Contacts and campaigns that are recorded over HTTP, and the responses that contain them."""

import json
from typing import Any

import constant_contact_api_client as sdk
import pytest

from tests.helpers.api import ApiClient, make_line
from tests.helpers.server import Server

SPRING = {
    "campaign_id": "k1",
    "updated_at": "2026-03-10T15:30:49Z",
    "campaign_name": "Spring",
    "current_status": "DONE",
    "created_at": "2026-03-01T00:00:00Z",
    "campaign_activities": [
        {
            "campaign_activity_id": "ca-1",
            "campaign_activity_name": "Spring, first",
            "role": "primary_email",
            "subject": "Spring is here",
            "from_name": "Ada",
            "from_email": "ada@example.com",
            "reply_to_email": "reply@example.com",
            "links": [{"link_url": "https://example.com/", "url_id": "17"}],
        },
        {"campaign_activity_id": "ca-2", "role": "resend"},
    ],
}
ADA = {
    "contact_id": "c1",
    "updated_at": "2026-03-10T15:30:49.123Z",
    "email_address": "ada@example.com",
    "first_name": "Ada",
    "permission_to_send": "implicit",
    "created_at": "2026-01-05T09:30:00Z",
}


def post_updates(client: ApiClient, what: str, *statements: object) -> dict[str, Any]:
    response = client.post(f"/track/v1/{what}", json=statements)
    assert response.status_code == 200, response.text
    receipt: dict[str, Any] = response.json()
    return receipt


def list_contacts(client: ApiClient, query: str = "") -> list[str]:
    results: list[str] = []
    href = f"/v3/contacts?{query}"
    while href:
        page = client.get(href).raise_for_status().json()
        results += [contact["contact_id"] for contact in page["contacts"]]
        href = page["_links"]["next"]["href"] if page["_links"] else ""
    return results


def test_contact_response_contains_recorded_attributes(client: ApiClient) -> None:
    assert post_updates(client, "contacts", ADA) == {"accepted": 1, "duplicate": 0, "rejected": 0, "rejections": []}
    assert post_updates(client, "contacts", ADA)["duplicate"] == 1
    assert client.get("/v3/contacts/c1").json() == {
        "contact_id": "c1",
        "email_address": {"address": "ada@example.com", "permission_to_send": "implicit"},
        "first_name": "Ada",
        "created_at": "2026-01-05T09:30:00Z",
        "updated_at": "2026-03-10T15:30:49Z",
    }


def test_deleted_contact_keeps_history(client: ApiClient) -> None:
    client.record(make_line("c1", "em_sends", email_address="old@example.com"))
    post_updates(client, "contacts", {**ADA, "deleted_at": "2026-03-09T23:00:00Z"})
    (row,) = client.get("/v3/reports/email_reports/ca-1/tracking/sends").json()["tracking_activities"]
    assert (row["deleted_at"], row["email_address"]) == ("2026-03-09", "old@example.com")
    assert len(client.page("c1", tracking_activity_type="em_sends").json()["tracking_activities"]) == 1
    assert (list_contacts(client), list_contacts(client, "status=deleted")) == ([], ["c1"])
    post_updates(client, "contacts", {"contact_id": "c1", "updated_at": "2026-03-11T00:00:00Z"})
    assert list_contacts(client) == ["c1"]
    assert "deleted_at" not in client.get("/v3/contacts/c1").json()


def test_contact_filters_apply_to_every_page(client: ApiClient) -> None:
    permissions = ["explicit", "implicit", "unsubscribed", "temp_hold", "pending_confirmation", "not_set", None]
    statements = [
        {
            "contact_id": f"c{number}",
            "permission_to_send": permission,
            "created_at": f"2026-01-0{7 - number}T00:00:00Z",
            "updated_at": f"2026-02-0{number + 1}T00:00:00Z",
        }
        for number, permission in enumerate(permissions)
    ]
    post_updates(client, "contacts", *statements)
    assert list_contacts(client, "limit=2") == [f"c{number}" for number in range(7)]
    assert list_contacts(client, "status=active&limit=2") == ["c0", "c1", "c6"]
    assert list_contacts(client, "status=unsubscribed,temp_hold") == ["c2", "c3"]
    assert list_contacts(client, "updated_after=2026-02-03&limit=2") == ["c2", "c3", "c4", "c5", "c6"]
    assert list_contacts(client, "created_before=2026-01-03&limit=1") == ["c4", "c5", "c6"]
    assert list_contacts(client, "created_before=2026-01-03&updated_before=2026-02-06&status=active&limit=1") == []
    counted = client.get("/v3/contacts?status=active&include_count=true&limit=1").json()
    assert counted["contacts_count"] == 3
    assert client.get("/v3/contacts/counts").json() == {
        "total": 7,
        "explicit": 1,
        "implicit": 1,
        "pending": 1,
        "unsubscribed": 1,
    }
    assert client.get("/v3/contacts/counts?include=new_subscriber").json()["new_subscriber"] == 0


def test_campaign_response_contains_recorded_attributes(client: ApiClient) -> None:
    assert post_updates(client, "campaigns", SPRING)["accepted"] == 1
    assert post_updates(client, "campaigns", SPRING)["duplicate"] == 1
    common = {
        "campaign_id": "k1",
        "name": "Spring",
        "type": "NEWSLETTER",
        "type_code": 10,
        "created_at": "2026-03-01T00:00:00.000Z",
        "updated_at": "2026-03-10T15:30:49.000Z",
    }
    assert client.get("/v3/emails").json() == {"campaigns": [{**common, "current_status": "Done"}], "_links": {}}
    references = [
        {"campaign_activity_id": "ca-1", "role": "primary_email"},
        {"campaign_activity_id": "ca-2", "role": "resend"},
    ]
    single = {**common, "current_status": "DONE", "campaign_activities": references}
    assert client.get("/v3/emails/k1").json() == single
    assert client.get("/v3/emails/activities/ca-1").json() == {
        "campaign_activity_id": "ca-1",
        "campaign_id": "k1",
        "role": "primary_email",
        "current_status": "DONE",
        "format_type": 5,
        "subject": "Spring is here",
        "from_name": "Ada",
        "from_email": "ada@example.com",
        "reply_to_email": "reply@example.com",
        "contact_list_ids": [],
        "segment_ids": [],
    }
    (unclicked,) = client.get("/v3/reports/email_reports/ca-1/links?no_clicks=true").json()["link_click_counts"]
    assert unclicked == {"link_url": "https://example.com/", "url_id": "17", "unique_clicks": 0}


def test_campaigns_are_listed_newest_first_without_landing_pages(client: ApiClient) -> None:
    client.record(
        make_line("c1", "em_sends", "2026-03-02T00:00:00Z", campaign_activity_id="a1", campaign_id="sent"),
        make_line("c1", "em_opens", "2026-03-02T01:00:00Z", campaign_activity_id="a2", campaign_id="opened"),
        make_line("c1", "p_contact_open", campaign_activity_id="p1", campaign_id="page"),
    )
    post_updates(client, "campaigns", SPRING, {"campaign_id": "k2", "updated_at": "2026-03-01T12:00:00Z"})
    walked: list[tuple[str, str]] = []
    href = "/v3/emails?limit=1"
    while href:
        page = client.get(href).raise_for_status().json()
        walked += [(campaign["campaign_id"], campaign["current_status"]) for campaign in page["campaigns"]]
        href = page["_links"]["next"]["href"] if page["_links"] else ""
    assert walked == [("k1", "Done"), ("sent", "Done"), ("k2", "Draft"), ("opened", "Draft")]
    within = client.get("/v3/emails?after_date=2026-03-01&before_date=2026-03-05").json()
    assert [campaign["campaign_id"] for campaign in within["campaigns"]] == ["sent", "k2"]


@pytest.mark.parametrize(
    ("what", "statement", "field"),
    [
        ("contacts", {"first_name": "Ada"}, "contact_id"),
        ("contacts", {"contact_id": "c\n1"}, "contact_id"),
        ("contacts", {"contact_id": "c1", "email_address": "ada"}, "email_address"),
        ("contacts", {"contact_id": "c1", "permission_to_send": "maybe"}, "permission_to_send"),
        ("contacts", {"contact_id": "c1", "created_at": "soon"}, "created_at"),
        ("contacts", {"contact_id": "c1", "updated_at": "2096-01-01T00:00:00Z"}, "updated_at"),
        ("contacts", {"contact_id": "c1", "deleted_at": 7}, "deleted_at"),
        ("contacts", {"contact_id": "c1", "first_name": 7}, "first_name"),
        ("contacts", {"contact_id": "c1", "shoe_size": 7}, "shoe_size"),
        ("contacts", ["c1"], "line"),
        ("campaigns", {"campaign_name": "Spring"}, "campaign_id"),
        ("campaigns", {"campaign_id": "k1", "current_status": "Sent"}, "current_status"),
        ("campaigns", {"campaign_id": "k1", "type": "news letter"}, "type"),
        ("campaigns", {"campaign_id": "k1", "type_code": -1}, "type_code"),
        ("campaigns", {"campaign_id": "k1", "campaign_activities": [{"role": "resend"}]}, "campaign_activity_id"),
        (
            "campaigns",
            {"campaign_id": "k1", "campaign_activities": [{"campaign_activity_id": "a", "links": [{}]}]},
            "links",
        ),
        (
            "campaigns",
            {"campaign_id": "k1", "campaign_activities": [{"campaign_activity_id": "a", "from_email": "ada"}]},
            "from_email",
        ),
    ],
)
def test_invalid_line_is_rejected_without_affecting_others(
    client: ApiClient, what: str, statement: object, field: str
) -> None:
    valid = ADA if what == "contacts" else SPRING
    receipt = post_updates(client, what, statement, valid)
    assert (receipt["accepted"], receipt["rejected"]) == (1, 1)
    (rejection,) = receipt["rejections"]
    assert (rejection["index"], rejection["field"]) == (0, field)


def test_campaigns_of_other_account_are_not_listed(client: ApiClient, server: Server) -> None:
    post_updates(client, "campaigns", SPRING)
    with server.client("another") as stranger:
        assert stranger.get("/v3/emails").json()["campaigns"] == []
        assert stranger.get("/v3/emails/k1").status_code == 404
        assert stranger.get("/v3/emails/activities/ca-1").status_code == 404


def test_sdk_parses_catalog_responses(client: ApiClient, server: Server) -> None:
    post_updates(client, "contacts", ADA)
    post_updates(client, "campaigns", SPRING, {"campaign_id": "k2"})
    configuration = sdk.Configuration(host=f"{server.url}/v3", access_token=client.token)
    with sdk.ApiClient(configuration) as sdk_client:
        emails = sdk.EmailCampaignsApi(sdk_client)
        page = emails.get_all_email_campaigns(limit=1)
        assert page.campaigns is not None
        assert [campaign.campaign_id for campaign in page.campaigns] == ["k2"]
        following = type(page).from_json(client.get(page.links.next.href).text)
        assert [campaign.name for campaign in following.campaigns] == ["Spring"]
        campaign = emails.get_email_campaign_by_id("k1")
        assert campaign.campaign_activities is not None
        assert [campaign_activity.role for campaign_activity in campaign.campaign_activities] == [
            "primary_email",
            "resend",
        ]
        assert emails.get_email_campaign_activity("ca-1").subject == "Spring is here"
        assert emails.get_email_campaign_activity("ca-2").subject == ""
        people = sdk.ContactsApi(sdk_client)
        assert people.get_contact_counts().implicit == 1
        (known,) = people.get_all_contacts(status="active").contacts
        assert json.loads(known.to_json())["email_address"]["permission_to_send"] == "implicit"
