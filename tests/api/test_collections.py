"""What clients ask for before a report: collections that are empty here, and when emails were sent."""

import pytest

from rapport.auth.scope import Scope
from tests.world import Caller, Server, line

COLLECTIONS = {
    "/v3/contact_lists": "lists",
    "/v3/contact_custom_fields": "custom_fields",
    "/v3/contact_tags": "tags",
    "/v3/segments": "segments",
    "/v3/activities": "activities",
}


@pytest.mark.parametrize(("path", "key"), COLLECTIONS.items())
def test_a_collection_of_what_is_not_recorded_is_an_empty_page(caller: Caller, path: str, key: str) -> None:
    assert caller.get(path).json() == {key: [], "_links": {}}
    assert caller.get(f"{path}/?limit=20").json() == {key: [], "_links": {}}
    for limit in ("0", "1001", "x"):
        response = caller.get(path, params={"limit": limit})
        assert (response.status_code, response.json()[0]["error_key"]) == (400, "contacts.api.validation.error")


def test_lists_are_counted(caller: Caller) -> None:
    params = {"include_count": "true", "include_membership_count": "active", "status": "all"}
    assert caller.get("/v3/contact_lists", params=params).json() == {"lists": [], "lists_count": 0, "_links": {}}
    assert caller.get("/v3/contact_lists?status=lost").status_code == 400
    assert caller.get("/v3/activities?state=lost").status_code == 400


@pytest.mark.parametrize(
    ("path", "param"),
    [
        ("/v3/contacts/contact_id_xrefs", "sequence_ids"),
        ("/v3/contact_lists/list_id_xrefs", "sequence_ids"),
        ("/v3/emails/campaign_id_xrefs", "v2_email_campaign_ids"),
    ],
)
def test_no_id_of_the_old_api_is_known(caller: Caller, path: str, param: str) -> None:
    assert caller.get(path, params={param: "1,2"}).json() == {"xrefs": []}
    for missing in ({}, {param: ""}, {param: " , "}):
        assert caller.get(path, params=missing).status_code == 400


def test_send_history_counts_the_recorded_sends_by_runs(caller: Caller) -> None:
    first = [line(f"c{n}", "em_sends", f"2026-03-01T10:{n:02}:00.000Z") for n in range(3)]
    later = [line(f"d{n}", "em_sends", "2026-03-01T12:30:00.000Z") for n in range(2)]
    again = [line("e1", "em_sends", "2026-03-05T08:15:00.000Z")]
    caller.record(*first, *later, *again, line("c1", "em_opens", "2026-03-03T10:00:00.000Z"))
    runs = caller.get("/v3/emails/activities/ca-1/send_history").json()
    assert [(run["send_id"], run["count"], run["run_date"]) for run in runs] == [
        (1, 5, "2026-03-01T10:00:00.000Z"),
        (2, 1, "2026-03-05T08:00:00.000Z"),
    ]
    assert {(run["send_status"], run["reason_code"]) for run in runs} == {("COMPLETED", 0)}
    assert caller.get("/v3/emails/activities/ca-1/schedules").json() == []


def test_an_unsent_campaign_activity_has_no_runs(caller: Caller) -> None:
    caller.record(line("c1", "em_opens"))
    assert caller.get("/v3/emails/activities/ca-1/send_history").json() == []


def test_a_preview_shows_the_subject_and_sender(server: Server, account: str) -> None:
    with server.caller(account, frozenset(Scope)) as caller:
        activity = {"campaign_activity_id": "ca-1", "role": "primary_email", "subject": "Hello", "from_name": "Ada"}
        campaign = {"campaign_id": "k-1", "campaign_activities": [activity]}
        assert caller.post("/track/v1/campaigns", json=[campaign]).status_code == 200
        preview = caller.get("/v3/emails/activities/ca-1/previews").json()
        assert (preview["subject"], preview["from_name"], preview["preview_html_content"]) == ("Hello", "Ada", "")


@pytest.mark.parametrize("name", ["send_history", "schedules", "previews"])
def test_an_unknown_campaign_activity_is_not_found(caller: Caller, name: str) -> None:
    assert caller.get(f"/v3/emails/activities/unknown/{name}").status_code == 404
