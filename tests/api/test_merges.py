"""Merging contacts over HTTP."""

import httpx

from tests.helpers.api import ALL_ACTIVITY_TYPES, ApiClient, make_line
from tests.helpers.server import Server

MERGE = "/track/v1/contacts/merge"


def count_activities(client: ApiClient, contact_id: str) -> int:
    return sum(len(page) for page in client.walk(contact_id, f"tracking_activities_list={ALL_ACTIVITY_TYPES}"))


def test_merged_contacts_are_one(client: ApiClient) -> None:
    client.record(make_line("crm/4711"), make_line("c1", time="2026-03-02T10:00:00Z"))
    merge = {"contact_id": "crm/4711", "merged_into": "c1"}
    assert client.post(MERGE, json=[merge, merge]).json() == {
        "accepted": 1,
        "duplicate": 1,
        "rejected": 0,
        "rejections": [],
    }
    client.record(make_line("crm/4711", time="2026-03-03T10:00:00Z"))
    assert count_activities(client, "c1") == 3
    assert client.page("crm%2F4711", tracking_activities_list=ALL_ACTIVITY_TYPES).status_code == httpx.codes.NOT_FOUND
    assert client.delete("/track/v1/contacts/crm%2F4711").status_code == httpx.codes.NO_CONTENT
    assert client.page("c1", tracking_activities_list=ALL_ACTIVITY_TYPES).status_code == httpx.codes.NOT_FOUND


def test_invalid_merges_are_rejected_by_index(client: ApiClient) -> None:
    client.record(make_line("old"), make_line("gone"))
    assert client.delete("/track/v1/contacts/gone").status_code == httpx.codes.NO_CONTENT
    receipt = client.post(
        MERGE,
        json=[
            {"contact_id": "old", "merged_into": "gone"},
            {"contact_id": "a", "merged_into": "a"},
            {"contact_id": "a"},
            {"contact_id": 7, "merged_into": "b"},
        ],
    ).json()
    assert (receipt["accepted"], receipt["rejected"]) == (1, 3)
    reasons = {rejection["index"]: rejection["reason"] for rejection in receipt["rejections"]}
    assert "contact gone was erased" in reasons[0]
    assert reasons[1] == "must be the id of another contact"
    assert reasons[2] == "is required"
    assert count_activities(client, "old") == 1


def test_merge_does_not_reach_other_account(server: Server, client: ApiClient) -> None:
    client.record(make_line("old"))
    with server.client("someone-else") as other:
        assert other.post(MERGE, json={"contact_id": "old", "merged_into": "new"}).json()["accepted"] == 1
    assert count_activities(client, "old") == 1
