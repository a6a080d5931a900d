"""Lists, tags and custom fields over HTTP, and contacts by list and tag."""

import json
from collections.abc import Iterator

import constant_contact_api_client as sdk
import pytest

from rapport.auth.scope import Role, Scope
from tests.helpers.api import ApiClient, make_line
from tests.helpers.server import Server

LISTS = [
    {"list_id": "l1", "name": "News", "favorite": True, "description": "Weekly", "created_at": "2026-01-01T00:00:00Z"},
    {"list_id": "l2", "name": "Events", "created_at": "2026-01-02T00:00:00Z"},
    {
        "list_id": "l3",
        "name": "Gone",
        "created_at": "2026-01-03T00:00:00Z",
        "updated_at": "2026-02-01T00:00:00Z",
        "deleted_at": "2026-02-01T00:00:00Z",
    },
]
TAGS = [{"tag_id": f"t{number}", "name": f"tag {number}", "tag_source": "Shop"} for number in range(3)]
FIELDS = [
    {
        "custom_field_id": "f1",
        "label": "Shirt size",
        "type": "single_select",
        "choices": [{"choice_id": 1, "choice_label": "M"}],
    }
]
CONTACTS = [
    {
        "contact_id": f"c{number}",
        "created_at": f"2026-03-0{number + 1}T00:00:00Z",
        "updated_at": "2026-04-01T00:00:00Z",
        "permission_to_send": "explicit" if number % 2 else "unsubscribed",
        "list_memberships": ["l1", "l2"] if number < 3 else ["l2"],
        "taggings": ["t1"] if number in {1, 3} else [],
        "custom_fields": [{"custom_field_id": "f1", "value": number}],
    }
    for number in range(5)
]


@pytest.fixture
def filled(client: ApiClient) -> ApiClient:
    for path, updates in (("lists", LISTS), ("tags", TAGS), ("custom_fields", FIELDS), ("contacts", CONTACTS)):
        receipt = client.post(f"/track/v1/{path}", json=updates).json()
        assert (receipt["accepted"], receipt["rejections"]) == (len(updates), [])
    return client


def list_ids(client: ApiClient, query: str, key: str = "contacts", item: str = "contact_id") -> list[str]:
    return [found[item] for page in list_pages(client, query, key) for found in page]


def list_pages(client: ApiClient, href: str, key: str) -> Iterator[list[dict[str, str]]]:
    while href:
        response = client.get(href)
        assert response.status_code == 200, response.text
        page = response.json()
        yield page[key]
        href = page["_links"]["next"]["href"] if page["_links"] else ""


def test_lists_are_paginated_newest_first_with_counts(filled: ApiClient) -> None:
    def get(query: str) -> list[str]:
        return list_ids(filled, f"/v3/contact_lists?{query}", "lists", "list_id")

    assert get("limit=1") == ["l2", "l1"]
    assert get("status=all") == ["l3", "l2", "l1"]
    assert get("status=deleted&limit=1") == ["l3"]
    assert get("name=News") == ["l1"]
    assert get("channel_type=sms") == []
    page = filled.get("/v3/contact_lists?include_count=true&include_membership_count=all").json()
    assert (page["lists_count"], page["_links"]) == (2, {})
    assert [found["membership_count"] for found in page["lists"]] == [5, 3]
    active = filled.get("/v3/contact_lists?include_membership_count=active").json()["lists"]
    assert [found["membership_count"] for found in active] == [2, 1]
    news = filled.get("/v3/contact_lists/l1?include_membership_count=active").json()
    assert (news["name"], news["favorite"], news["description"], news["membership_count"]) == (
        *("News", True, "Weekly"),
        1,
    )
    assert filled.get("/v3/contact_lists/l3").json()["deleted_at"] == "2026-02-01T00:00:00Z"
    assert filled.get("/v3/contact_lists/l9").json()[0]["error_key"] == "contacts.api.not_found"


def test_tags_have_counts(filled: ApiClient) -> None:
    assert sorted(list_ids(filled, "/v3/contact_tags?limit=2", "tags", "tag_id")) == ["t0", "t1", "t2"]
    counts = {
        tag["tag_id"]: tag["contacts_count"] for tag in filled.get("/v3/contact_tags?include_count=1").json()["tags"]
    }
    assert counts == {"t0": 0, "t1": 2, "t2": 0}
    tag = filled.get("/v3/contact_tags/t1?include_count=true").json()
    assert (tag["name"], tag["tag_source"], tag["contacts_count"]) == ("tag 1", "Shop", 2)
    assert filled.get("/v3/contact_tags/t9").status_code == 404


def test_custom_fields_have_types_and_choices(filled: ApiClient) -> None:
    (field,) = filled.get("/v3/contact_custom_fields").json()["custom_fields"]
    assert (field["label"], field["name"], field["type"]) == ("Shirt size", "Shirt_size", "single_select")
    assert field["choices"] == [{"choice_id": 1, "choice_label": "M", "display_order": 0}]
    assert filled.get("/v3/contact_custom_fields/f1").json() == field
    assert filled.get("/v3/contact_custom_fields/f9").status_code == 404


def test_contacts_are_selected_by_list_and_tag(filled: ApiClient) -> None:
    def get(query: str) -> list[str]:
        return list_ids(filled, f"/v3/contacts?{query}")

    assert get("lists=l1&limit=2") == ["c2", "c1", "c0"]
    assert get("lists=l1,l2&limit=2") == ["c4", "c3", "c2", "c1", "c0"]
    assert get("lists=l2&tags=t1&limit=1") == ["c3", "c1"]
    assert get("lists=l1&status=active") == ["c1"]
    assert get("lists=none") == []
    assert get("tags=t1,t2&created_after=2026-03-03") == ["c3"]
    assert get("sms_status=not_set&limit=3") == ["c4", "c3", "c2", "c1", "c0"]
    assert get("sms_status=explicit") == []
    assert filled.get("/v3/contacts?lists=l2&include_count=true&limit=1").json()["contacts_count"] == 5
    assert filled.get("/v3/contacts?segment_id=14").status_code == 404


def test_contact_includes_lists_tags_and_values(filled: ApiClient) -> None:
    contact = filled.get("/v3/contacts/c1?include=list_memberships,taggings,custom_fields").json()
    assert contact["list_memberships"] == ["l1", "l2"]
    assert contact["taggings"] == ["t1"]
    assert contact["custom_fields"] == [{"custom_field_id": "f1", "value": "1"}]
    page = filled.get("/v3/contacts?include=taggings&limit=2").json()
    assert [found["taggings"] for found in page["contacts"]] == [[], ["t1"]]
    assert "taggings" not in filled.get("/v3/contacts/c1").json()


def test_contact_without_updates_has_times_of_activities(client: ApiClient) -> None:
    client.record(
        make_line("c1", time="2026-03-02T10:00:00Z"),
        make_line("c1", "em_clicks", time="2026-03-05T10:00:00Z"),
        make_line("c1", "em_sends", time="2026-03-01T10:00:00Z"),
    )
    contact = client.get("/v3/contacts/c1").json()
    assert (contact["created_at"], contact["updated_at"]) == ("2026-03-01T10:00:00Z", "2026-03-05T10:00:00Z")
    assert client.get("/v3/contacts").json()["contacts"] == [contact]


def test_invalid_definition_is_rejected_by_its_field(client: ApiClient) -> None:
    for path, update, field in (
        ("lists", {"name": "News"}, "list_id"),
        ("lists", {"list_id": "l1", "favorite": "perhaps"}, "favorite"),
        ("tags", {"tag_id": "t1", "name": "x" * 256}, "name"),
        ("custom_fields", {"custom_field_id": "f1", "type": "color"}, "type"),
        ("contacts", {"contact_id": "c1", "list_memberships": ["l1", ""]}, "list_memberships"),
        ("contacts", {"contact_id": "c1", "birthday_month": 13}, "birthday_month"),
        ("contacts", {"contact_id": "c1", "clear": ["email_address"]}, "clear"),
    ):
        receipt = client.post(f"/track/v1/{path}", json=[update]).json()
        assert [rejection["field"] for rejection in receipt["rejections"]] == [field], update


def test_lists_of_other_account_are_not_found(server: Server, filled: ApiClient) -> None:
    with server.client("a-stranger") as stranger:
        assert stranger.get("/v3/contact_lists").json()["lists"] == []
        assert stranger.get("/v3/contact_lists/l1").status_code == 404
        assert stranger.get("/v3/contacts?lists=l1").json()["contacts"] == []
        cursor = filled.get("/v3/contact_lists?limit=1").json()["_links"]["next"]["href"]
        assert stranger.get(cursor).status_code == 400


@pytest.mark.parametrize("path", ["lists", "tags", "custom_fields"])
def test_recording_needs_scope_and_privilege(server: Server, account: str, path: str) -> None:
    for scope, role in ((Scope.CONTACT_DATA, Role.OWNER), (Scope.ACTIVITY_WRITE, Role.CAMPAIGN_CREATOR)):
        with server.client(account, frozenset({scope}), role) as client:
            assert client.post(f"/track/v1/{path}", json=[]).status_code == 403


def test_sdk_parses_lists_tags_and_custom_fields(server: Server, filled: ApiClient) -> None:
    configuration = sdk.Configuration(host=f"{server.url}/v3", access_token=filled.token)
    with sdk.ApiClient(configuration) as sdk_client:
        for api, method, key in (
            (sdk.ContactListsApi(sdk_client), "get_all_lists", "lists"),
            (sdk.ContactTagsApi(sdk_client), "get_all_tags", "tags"),
            (sdk.ContactsCustomFieldsApi(sdk_client), "get_all_custom_fields", "custom_fields"),
        ):
            path = {"lists": "contact_lists", "tags": "contact_tags", "custom_fields": "contact_custom_fields"}[key]
            page = type(getattr(api, method)()).from_json(filled.get(f"/v3/{path}").text)
            sent = filled.get(f"/v3/{path}").json()[key]
            assert len(getattr(page, key)) == len(sent) > 0
        contacts = sdk.ContactsApi(sdk_client).get_all_contacts(lists="l1", include="list_memberships,custom_fields")
        assert json.loads(contacts.to_json())["contacts"][0]["list_memberships"] == ["l1", "l2"]
