"""What clients ask for before a report: collections that are empty here, and when emails were sent."""

import pytest

from rapport.auth.scope import Scope
from tests.helpers.api import ApiClient, make_line
from tests.helpers.server import Server

COLLECTIONS = {
    "/v3/contact_lists": "lists",
    "/v3/contact_custom_fields": "custom_fields",
    "/v3/contact_tags": "tags",
    "/v3/segments": "segments",
    "/v3/activities": "activities",
}


@pytest.mark.parametrize(("path", "key"), COLLECTIONS.items())
def test_unrecorded_collection_is_empty_page(client: ApiClient, path: str, key: str) -> None:
    links = {} if key == "segments" else {"_links": {}}
    assert client.get(path).json() == {key: [], **links}
    assert client.get(f"{path}/?limit=20").json() == {key: [], **links}
    for limit in ("0", "1001", "x"):
        response = client.get(path, params={"limit": limit})
        assert (response.status_code, response.json()[0]["error_key"]) == (400, "contacts.api.validation.error")


def test_account_addresses_and_text_messages_are_well_formed(server: Server, account: str) -> None:
    address = {"address_line1": "", "city": "", "country_code": ""}
    path = "/v3/reports/summary_reports/sms_campaign_summaries"
    with server.client(account, frozenset(Scope)) as client:
        assert client.get("/v3/account/summary/physical_address").json() == address
        assert client.get("/v3/account/emails?role_code=C").json() == []
        for query in ("email_address=", "role_code=Z", "confirm_status=X"):
            assert client.get(f"/v3/account/emails?{query}").status_code == 400
        summaries = client.get(f"{path}?start_at=2026-01-01&limit=50").json()
        assert (summaries["bulk_sms_campaign_summaries"], summaries["_links"]) == ([], {})
        for query in ("", "?start_at=2026-01-01&limit=51", "?start_at=2026-02-01&end_at=2026-01-01"):
            assert client.get(path + query).status_code == 400


def test_lists_are_counted(client: ApiClient) -> None:
    params = {"include_count": "true", "include_membership_count": "active", "status": "all"}
    assert client.get("/v3/contact_lists", params=params).json() == {"lists": [], "lists_count": 0, "_links": {}}
    assert client.get("/v3/contact_lists?status=lost").status_code == 400
    assert client.get("/v3/activities?state=lost").status_code == 400


@pytest.mark.parametrize(
    ("path", "param"),
    [
        ("/v3/contacts/contact_id_xrefs", "sequence_ids"),
        ("/v3/contact_lists/list_id_xrefs", "sequence_ids"),
        ("/v3/emails/campaign_id_xrefs", "v2_email_campaign_ids"),
    ],
)
def test_v2_ids_are_unknown(client: ApiClient, path: str, param: str) -> None:
    assert client.get(path, params={param: "1,2"}).json() == {"xrefs": []}
    for missing in ({}, {param: ""}, {param: " , "}):
        assert client.get(path, params=missing).status_code == 400


def test_send_history_groups_sends_by_run(client: ApiClient) -> None:
    first = [make_line(f"c{n}", "em_sends", f"2026-03-01T10:{n:02}:00.000Z") for n in range(3)]
    later = [make_line(f"d{n}", "em_sends", "2026-03-01T12:30:00.000Z") for n in range(2)]
    again = [make_line("e1", "em_sends", "2026-03-05T08:15:00.000Z")]
    client.record(*first, *later, *again, make_line("c1", "em_opens", "2026-03-03T10:00:00.000Z"))
    runs = client.get("/v3/emails/activities/ca-1/send_history").json()
    assert [(run["send_id"], run["count"], run["run_date"]) for run in runs] == [
        (1, 5, "2026-03-01T10:00:00.000Z"),
        (2, 1, "2026-03-05T08:00:00.000Z"),
    ]
    assert {(run["send_status"], run["reason_code"]) for run in runs} == {("COMPLETED", 0)}
    assert client.get("/v3/emails/activities/ca-1/schedules").json() == []


def test_unsent_campaign_activity_has_no_runs(client: ApiClient) -> None:
    client.record(make_line("c1", "em_opens"))
    assert client.get("/v3/emails/activities/ca-1/send_history").json() == []


def test_preview_contains_subject_and_sender(server: Server, account: str) -> None:
    with server.client(account, frozenset(Scope)) as client:
        activity = {"campaign_activity_id": "ca-1", "role": "primary_email", "subject": "Hello", "from_name": "Ada"}
        campaign = {"campaign_id": "k-1", "campaign_activities": [activity]}
        assert client.post("/track/v1/campaigns", json=[campaign]).status_code == 200
        preview = client.get("/v3/emails/activities/ca-1/previews").json()
        assert (preview["subject"], preview["from_name"], preview["preview_html_content"]) == ("Hello", "Ada", "")


@pytest.mark.parametrize("name", ["send_history", "schedules", "previews"])
def test_unknown_campaign_activity_returns_404(client: ApiClient, name: str) -> None:
    assert client.get(f"/v3/emails/activities/unknown/{name}").status_code == 404
