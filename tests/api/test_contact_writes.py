"""Contacts are created, updated, deleted and signed up as Constant Contact documents it."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import constant_contact_api_client as sdk
import pytest
from constant_contact_api_client import models

from rapport.auth.scope import Role, Scope
from tests.helpers.api import ApiClient, make_line
from tests.helpers.server import Server

ADA: dict[str, Any] = {
    "email_address": {"address": "Ada@example.com", "permission_to_send": "explicit"},
    "first_name": "Ada",
    "last_name": "Lovelace",
    "job_title": "Mathematician",
    "create_source": "Account",
    "birthday_month": 12,
    "birthday_day": 10,
    "anniversary": "12/10/1815",
    "list_memberships": ["l1"],
    "taggings": ["t1"],
    "custom_fields": [{"custom_field_id": "f1", "value": "red"}],
    "phone_numbers": [{"phone_number": "555-1212", "kind": "home"}],
    "street_addresses": [{"kind": "work", "street": "St James's Square", "city": "London"}],
}


@pytest.fixture
def prepared(client: ApiClient) -> ApiClient:
    client.post("/track/v1/lists", json=[{"list_id": "l1", "name": "News"}, {"list_id": "l2", "name": "Events"}])
    client.post("/track/v1/tags", json=[{"tag_id": "t1", "name": "vip"}])
    client.post("/track/v1/custom_fields", json=[{"custom_field_id": "f1", "label": "Color"}])
    return client


def create(client: ApiClient, **values: object) -> dict[str, Any]:
    response = client.post("/v3/contacts", json={"create_source": "Account", **values})
    assert response.status_code == 201, response.text
    contact: dict[str, Any] = response.json()
    return contact


def test_created_contact_has_all_values(prepared: ApiClient) -> None:
    contact = create(prepared, **ADA)
    assert contact["email_address"] == {"address": "Ada@example.com", "permission_to_send": "explicit"}
    assert (contact["first_name"], contact["job_title"]) == ("Ada", "Mathematician")
    assert (contact["birthday_month"], contact["anniversary"]) == (12, "12/10/1815")
    assert (contact["list_memberships"], contact["taggings"]) == (["l1"], ["t1"])
    assert contact["custom_fields"] == [{"custom_field_id": "f1", "value": "red"}]
    assert contact["phone_numbers"][0]["phone_number"] == "555-1212"
    assert contact["street_addresses"][0]["city"] == "London"
    assert contact["notes"] == []
    everything = "custom_fields,list_memberships,notes,phone_numbers,street_addresses,taggings"
    assert prepared.get(f"/v3/contacts/{contact['contact_id']}?include={everything}").json() == contact
    assert (
        prepared.get("/v3/contacts?email=ada@example.com").json()["contacts"][0]["contact_id"] == contact["contact_id"]
    )


def test_address_of_another_contact_is_a_conflict(prepared: ApiClient) -> None:
    ada = create(prepared, **ADA)
    bob = create(prepared, email_address={"address": "bob@example.com"})
    again = prepared.post(
        "/v3/contacts", json={"create_source": "Contact", "email_address": {"address": "ADA@example.com"}}
    )
    assert (again.status_code, again.json()[0]["error_key"]) == (409, "contacts.api.conflict")
    put = {"update_source": "Account", "email_address": {"address": "bob@example.com"}}
    assert prepared.put(f"/v3/contacts/{ada['contact_id']}", json=put).status_code == 409
    assert prepared.put(f"/v3/contacts/{bob['contact_id']}", json=put).status_code == 200
    assert prepared.delete(f"/v3/contacts/{bob['contact_id']}").status_code == 204
    assert prepared.put(f"/v3/contacts/{ada['contact_id']}", json=put).status_code == 409


def test_put_removes_omitted_values_but_keeps_subresources(prepared: ApiClient) -> None:
    contact_id = create(prepared, **ADA)["contact_id"]
    put = {"update_source": "Contact", "last_name": "King", "contact_id": "ignored", "created_at": "ignored"}
    contact = prepared.put(f"/v3/contacts/{contact_id}", json=put).json()
    assert contact["last_name"] == "King"
    assert contact["update_source"] == "Contact"
    for field in ("first_name", "job_title", "anniversary", "birthday_month"):
        assert field not in contact
    assert contact["email_address"]["address"] == "Ada@example.com"
    assert (contact["list_memberships"], contact["custom_fields"][0]["value"]) == (["l1"], "red")
    put = {
        "update_source": "Contact",
        "list_memberships": ["l2"],
        "taggings": [],
        "custom_fields": [{"custom_field_id": "f1", "value": ""}],
    }
    contact = prepared.put(f"/v3/contacts/{contact_id}", json=put).json()
    assert (contact["list_memberships"], contact["taggings"], contact["custom_fields"]) == (["l2"], [], [])
    assert contact["phone_numbers"][0]["phone_number"] == "555-1212"


def test_choices_and_notes_are_kept_and_changed(prepared: ApiClient) -> None:
    notes = [{"content": "Called.", "created_at": "2026-01-01T00:00:00Z"}, {"content": "Asked\nfor a brochure."}]
    choices = [{"custom_field_id": "f1", "choice_ids": ["000001", 2, "2"]}]
    contact = create(prepared, **ADA | {"notes": notes, "custom_fields": choices})
    assert contact["custom_fields"] == [{"custom_field_id": "f1", "value": "", "choice_ids": ["000001", "2"]}]
    assert [note["content"] for note in contact["notes"]] == ["Asked\nfor a brochure.", "Called."]
    assert contact["notes"][1]["created_at"] == "2026-01-01T00:00:00Z"
    path = f"/v3/contacts/{contact['contact_id']}"
    put = {"update_source": "Account", "custom_fields": [{"custom_field_id": "f1", "value": "red", "choice_ids": [3]}]}
    changed = prepared.put(path, json=put).json()
    assert changed["custom_fields"] == [{"custom_field_id": "f1", "value": "red", "choice_ids": ["3"]}]
    assert changed["notes"] == contact["notes"]
    put = {"update_source": "Account", "custom_fields": [{"custom_field_id": "f1", "choice_ids": []}], "notes": []}
    assert prepared.put(path, json=put).json().items() >= {"custom_fields": [], "notes": []}.items()


def test_source_sets_permission(prepared: ApiClient) -> None:
    for source, permission in (("Account", "implicit"), ("Contact", "explicit")):
        address = f"{source}@example.com"
        created = create(prepared, email_address={"address": address}, create_source=source)
        assert created["email_address"]["permission_to_send"] == permission
        form = {"email_address": f"form-{address}", "source": source}
        signed_up = prepared.post("/v3/contacts/sign_up_form", json=form).json()
        contact = prepared.get(f"/v3/contacts/{signed_up['contact_id']}").json()
        assert (contact["email_address"]["permission_to_send"], contact["update_source"]) == (permission, source)
    assert prepared.post("/v3/contacts/sign_up_form", json={**form, "source": "Robot"}).status_code == 400


def test_consent_to_text_messages_is_ignored(prepared: ApiClient) -> None:
    """Constant Contact documents one shape for forms and another one for contacts."""
    consents = [{"sms_consent_permission": "explicit", "consent_type": "promotional_sms"}]
    channel = {"full_sms_address": "17815551212", "sms_channel_consents": consents}
    contact = create(prepared, **ADA, sms_channel=channel)
    put = {"update_source": "Account", "sms_channel": channel}
    assert "sms_channel" not in prepared.put(f"/v3/contacts/{contact['contact_id']}", json=put).json()
    form = {"sms_address": "7815551212", "dial_code": "1", "country_code": "US", "sms_channel_consents": consents}
    body = {"email_address": "ada@example.com", "list_memberships": ["l1"], "sms_channel": form}
    assert prepared.post("/v3/contacts/sign_up_form", json=body).status_code == 200
    assert prepared.get("/v3/contacts?sms_status=explicit").json()["contacts"] == []


def test_deleted_contact_keeps_history_and_is_restored(prepared: ApiClient) -> None:
    contact_id = create(prepared, **ADA)["contact_id"]
    prepared.record(make_line(contact_id))
    path = f"/v3/contacts/{contact_id}"
    assert prepared.delete(path).status_code == 204
    assert prepared.delete(path).status_code == 204
    assert prepared.get("/v3/contacts").json()["contacts"] == []
    (deleted,) = prepared.get("/v3/contacts?status=deleted").json()["contacts"]
    assert deleted["deleted_at"][:10] >= "2026-01-01"
    assert len(prepared.page(contact_id, tracking_activities_list="em_opens").json()["tracking_activities"]) == 1
    restored = prepared.put(path, json={"update_source": "Account", "first_name": "Ada"}).json()
    assert "deleted_at" not in restored
    assert prepared.delete("/v3/contacts/unknown").status_code == 404
    assert prepared.put("/v3/contacts/unknown", json={"update_source": "Account"}).status_code == 404


def test_sign_up_creates_then_adds(prepared: ApiClient) -> None:
    form = {"email_address": "ada@example.com", "list_memberships": ["l1"], "first_name": "Ada", "phone_number": "1"}
    created = prepared.post("/v3/contacts/sign_up_form", json=form)
    assert (created.status_code, created.json()["action"]) == (201, "created")
    contact_id = created.json()["contact_id"]
    again = {
        "email_address": "ADA@example.com",
        "list_memberships": ["l2"],
        "last_name": "L",
        "custom_fields": [{"custom_field_id": "f1", "value": "blue"}],
        "street_address": {"kind": "home", "city": "London"},
    }
    updated = prepared.post("/v3/contacts/sign_up_form", json=again)
    assert (updated.status_code, updated.json()) == (200, {"contact_id": contact_id, "action": "updated"})
    contact = prepared.get(f"/v3/contacts/{contact_id}?include=list_memberships,phone_numbers,custom_fields").json()
    assert (contact["first_name"], contact["last_name"]) == ("Ada", "L")
    assert contact["list_memberships"] == ["l1", "l2"]
    assert contact["custom_fields"][0]["value"] == "blue"
    assert contact["email_address"]["permission_to_send"] == "explicit"
    prepared.delete(f"/v3/contacts/{contact_id}")
    assert prepared.post("/v3/contacts/sign_up_form", json=form).json() == {
        "contact_id": contact_id,
        "action": "updated",
    }
    assert "deleted_at" not in prepared.get(f"/v3/contacts/{contact_id}").json()


def test_simultaneous_sign_ups_create_one_contact(prepared: ApiClient) -> None:
    def sign_up(number: int) -> tuple[int, str]:
        form = {"email_address": "Ada@example.com", "list_memberships": [f"l{number % 2 + 1}"]}
        response = prepared.post("/v3/contacts/sign_up_form", json=form)
        return response.status_code, response.json()["contact_id"]

    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(sign_up, range(16)))
    assert len({contact_id for _, contact_id in results}) == 1
    assert sorted(status for status, _ in results) == [200] * 15 + [201]
    contact = prepared.get(f"/v3/contacts/{results[0][1]}?include=list_memberships").json()
    assert contact["list_memberships"] == ["l1", "l2"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"create_source": None}, "create_source"),
        ({"create_source": "Robot"}, "create_source"),
        ({"email_address": None, "first_name": "", "last_name": None}, "email_address"),
        ({"email_address": {"address": "nobody"}}, "email_address"),
        ({"email_address": {"address": "a" * 80 + "@example.com"}}, "email_address"),
        ({"email_address": {"address": "a@example.com", "permission_to_send": "maybe"}}, "permission_to_send"),
        ({"first_name": "x" * 51}, "first_name"),
        ({"birthday_day": None}, "birthday_day"),
        ({"birthday_month": 13}, "birthday_month"),
        ({"anniversary": "soon"}, "anniversary"),
        ({"list_memberships": ["unknown"]}, "list_memberships"),
        ({"list_memberships": [f"l{number}" for number in range(51)]}, "list_memberships"),
        ({"taggings": ["unknown"]}, "taggings"),
        ({"custom_fields": [{"custom_field_id": "unknown", "value": "x"}]}, "custom_fields"),
        ({"phone_numbers": [{"phone_number": "1"}] * 4}, "phone_numbers"),
        ({"phone_numbers": [{"phone_number": "1", "kind": "fax"}]}, "phone_numbers"),
        ({"street_addresses": [{"city": "London"}]}, "street_addresses"),
        ({"custom_fields": [{"custom_field_id": "unknown", "choice_ids": ["1"]}]}, "custom_fields"),
        ({"custom_fields": [{"custom_field_id": "f1", "choice_ids": [""]}]}, "choice_ids"),
        ({"custom_fields": [{"custom_field_id": "f1", "choice_ids": list(range(101))}]}, "choice_ids"),
        ({"notes": [{"content": "x" * 2_001}]}, "notes"),
        ({"notes": [{"content": "x", "created_at": "yesterday"}]}, "notes"),
        ({"notes": [{"content": "x"}] * 151}, "notes"),
    ],
)
def test_invalid_value_is_reported_by_its_field(prepared: ApiClient, change: dict[str, object], field: str) -> None:
    response = prepared.post("/v3/contacts", json={**ADA, **change})
    assert response.status_code == 400, response.text
    assert response.json()[0]["error_message"].startswith(field), response.text
    assert prepared.get("/v3/contacts").json()["contacts"] == []


def test_body_must_be_json_object(prepared: ApiClient) -> None:
    json_type = {"content-type": "application/json"}
    assert prepared.post("/v3/contacts", content=b"{", headers=json_type).status_code == 400
    assert prepared.post("/v3/contacts", content=b"[]", headers=json_type).status_code == 400
    assert prepared.post("/v3/contacts", content=b"a=1", headers={"content-type": "text/plain"}).status_code == 415
    assert prepared.post("/v3/contacts", content=b" " * 300_000, headers=json_type).status_code == 413
    assert prepared.post("/v3/contacts/sign_up_form", json={"email_address": "a@example.com"}).status_code == 400
    empty = {"email_address": "a@example.com", "list_memberships": []}
    assert prepared.post("/v3/contacts/sign_up_form", json=empty).status_code == 400


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v3/contacts"),
        ("POST", "/v3/contacts/sign_up_form"),
        ("PUT", "/v3/contacts/c1"),
        ("DELETE", "/v3/contacts/c1"),
    ],
)
def test_writes_need_contact_data_and_privilege(server: Server, account: str, method: str, path: str) -> None:
    for scope, role in ((Scope.CAMPAIGN_DATA, Role.OWNER), (Scope.CONTACT_DATA, Role.CAMPAIGN_CREATOR)):
        with server.client(account, frozenset({scope}), role) as client:
            assert client.request(method, path, json={}).status_code == 403


def test_contact_of_other_account_cannot_be_changed(server: Server, prepared: ApiClient) -> None:
    contact_id = create(prepared, **ADA)["contact_id"]
    with server.client("a-stranger") as stranger:
        assert stranger.put(f"/v3/contacts/{contact_id}", json={"update_source": "Account"}).status_code == 404
        assert stranger.delete(f"/v3/contacts/{contact_id}").status_code == 404
        body = {"create_source": "Account", "email_address": {"address": "ada@example.com"}}
        assert stranger.post("/v3/contacts", json=body).status_code == 201


def test_sdk_writes_contacts(server: Server, prepared: ApiClient) -> None:
    configuration = sdk.Configuration(host=f"{server.url}/v3", access_token=prepared.token)
    with sdk.ApiClient(configuration) as sdk_client:
        api = sdk.ContactsApi(sdk_client)
        created = api.create_contact(models.CreateContactRequest.from_dict(ADA))
        assert (created.first_name, created.list_memberships) == ("Ada", ["l1"])
        put = models.UpdateContactRequest.from_dict({"update_source": "Account", "first_name": "Augusta"})
        assert api.update_contact(created.contact_id, put).first_name == "Augusta"
        form = {"email_address": "bob@example.com", "list_memberships": ["l1"]}
        assert api.create_or_update_contact(models.CreateOrUpdateContactRequest.from_dict(form)).action == "created"
        api.delete_contact(created.contact_id)
        with pytest.raises(sdk.ApiException) as conflict:
            api.create_contact(models.CreateContactRequest.from_dict(ADA))
        assert conflict.value.status == 409


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v3/contacts", {"GET", "HEAD", "POST"}),
        ("/v3/contacts/sign_up_form", {"POST"}),
        ("/v3/contacts/c1", {"GET", "HEAD", "PUT", "DELETE"}),
        ("/oauth2/default/v1/token", {"OPTIONS", "POST"}),
    ],
)
def test_refused_method_is_answered_with_all_allowed(client: ApiClient, path: str, allowed: set[str]) -> None:
    response = client.patch(path)
    assert response.status_code == 405
    assert set(response.headers["allow"].replace(" ", "").split(",")) == allowed
    assert client.get("/v3/contacts/counts").json()["total"] == 0
