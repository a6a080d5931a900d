"""GET /v3/contacts and /v3/contacts/{contact_id}."""

import random
from collections.abc import Iterator

import constant_contact_api_client as sdk
import pytest

from rapport.activity import ActivityType
from rapport.auth.scope import Role, Scope
from rapport.recording.activity_codec import encode_activity
from rapport.sample import generate_sample
from tests.helpers.api import ApiClient, make_line
from tests.helpers.server import Server

TIMES = {"created_at": "2026-03-01T10:00:00Z", "updated_at": "2026-03-01T10:00:00Z"}
"""The times of a contact with one activity."""


def list_pages(client: ApiClient, query: str) -> Iterator[list[str]]:
    """Return the ids of each page."""
    href = f"/v3/contacts?{query}"
    while href:
        response = client.get(href)
        assert response.status_code == 200, response.text
        page = response.json()
        yield [contact["contact_id"] for contact in page["contacts"]]
        href = page["_links"]["next"]["href"] if page["_links"] else ""


def test_pagination_returns_every_contact_once(client: ApiClient) -> None:
    rng = random.Random(1)
    ids = [f"{rng.choice('aZ_-9')}{number}" for number in range(120)]
    minutes = {contact_id: rng.randrange(10, 40) for contact_id in ids}
    client.record(*(make_line(contact_id, time=f"2026-03-01T10:{minutes[contact_id]}:00Z") for contact_id in ids))
    newest_first = sorted(ids, key=lambda contact_id: (minutes[contact_id], contact_id), reverse=True)
    pages = list(list_pages(client, "limit=50"))
    assert [len(page) for page in pages] == [50, 50, 20]
    assert sum(pages, start=list[str]()) == newest_first
    assert [len(page) for page in list_pages(client, "")] == [50, 50, 20]
    assert list(list_pages(client, "limit=500")) == [newest_first]
    after = [contact_id for contact_id in newest_first if minutes[contact_id] >= 25]
    assert sum(list_pages(client, "created_after=2026-03-01T10:25:00Z&limit=7"), start=list[str]()) == after


def test_contact_is_found_by_email_in_any_case(client: ApiClient) -> None:
    client.record(
        make_line("c1", email_address="Ada@Example.com", first_name="Ada", last_name="L"),
        make_line("c2", email_address="bob@example.com"),
        make_line("c3", email_address="ada@example.com"),
        make_line("c4"),
    )
    results = client.get("/v3/contacts", params={"email": "ADA@example.COM", "include_count": "true"}).json()
    assert results == {
        "contacts": [
            {"contact_id": "c3", "email_address": {"address": "ada@example.com"}, **TIMES},
            {
                "contact_id": "c1",
                "email_address": {"address": "Ada@Example.com"},
                "first_name": "Ada",
                "last_name": "L",
                **TIMES,
            },
        ],
        "contacts_count": 2,
        "_links": {},
    }
    assert list(list_pages(client, "email=ada@example.com&limit=1")) == [["c3"], ["c1"]]
    assert client.get("/v3/contacts?email=nobody@example.com&include_count=1").json() == {
        "contacts": [],
        "contacts_count": 0,
        "_links": {},
    }
    assert client.get("/v3/contacts?include_count=TRUE").json()["contacts_count"] == 4


def test_contact_is_found_by_current_address_only(client: ApiClient) -> None:
    client.record(make_line(email_address="old@example.com"))
    client.record(make_line(time="2026-04-01T00:00:00Z", email_address="new@example.com"))
    assert client.get("/v3/contacts/c1").json()["email_address"] == {"address": "new@example.com"}
    assert list(list_pages(client, "email=old@example.com")) == [[]]


def test_include_adds_subresources_and_is_kept_in_cursor(client: ApiClient) -> None:
    client.record(make_line("c1"), make_line("c2"))
    assert client.get("/v3/contacts/c1?include=taggings,notes").json() == {
        "contact_id": "c1",
        "taggings": [],
        "notes": [],
        **TIMES,
    }
    first = client.get("/v3/contacts?include=list_memberships&limit=1").json()
    assert first["_links"]["next"]["href"].startswith("/v3/contacts?cursor=")
    assert client.get(first["_links"]["next"]["href"]).json()["contacts"] == [
        {"contact_id": "c1", "list_memberships": [], **TIMES}
    ]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("lists=", "lists: must be 1 to 25 ids"),
        ("lists=" + ",".join(f"l{number}" for number in range(26)), "lists: must be 1 to 25 ids"),
        ("tags=" + "x" * 256, "tags: contains an invalid id"),
        ("sms_status=gone", "sms_status: unknown status 'gone'"),
        ("optout_after=soon", "optout_after: must be a date"),
        ("optout_after=2026-02-01&optout_before=2026-01-01", "optout_after: must not be later than optout_before"),
        ("status=gone", "status: unknown status 'gone'; expected one of active, "),
        ("updated_after=soon", "updated_after: must be a date"),
        ("created_after=2026-02-01&created_before=2026-01-01", "created_after: must not be later than created_before"),
        ("limit=501", "limit: must be a whole number from 1 to 500"),
        ("include=shoes", "include: unknown subresource 'shoes'; expected one of"),
        ("include_count=maybe", "include_count: must be true or false"),
        ("email=", "email: must be an email address"),
        ("cursor=forged", "next: must be"),
    ],
)
def test_invalid_parameters_are_reported(client: ApiClient, query: str, message: str) -> None:
    response = client.get(f"/v3/contacts?{query}")
    assert response.status_code == 400
    assert response.json()[0]["error_message"].startswith(message)


def test_contact_of_other_account_is_not_found(server: Server, client: ApiClient) -> None:
    client.record(make_line(email_address="ada@example.com"))
    with server.client("without-contacts") as stranger:
        assert stranger.get("/v3/contacts/c1").status_code == 404
        assert stranger.get("/v3/contacts?email=ada@example.com").json()["contacts"] == []
    assert client.get("/v3/contacts/nobody").json()[0]["error_key"] == "contacts.api.not_found"
    assert client.get("/v3/contacts/no.id").status_code == 404


@pytest.mark.parametrize("path", ["/v3/contacts", "/v3/contacts/c1"])
@pytest.mark.parametrize(
    ("scope", "role"), [(Scope.CAMPAIGN_DATA, Role.OWNER), (Scope.CONTACT_DATA, Role.CAMPAIGN_CREATOR)]
)
def test_scope_and_privilege_are_required(server: Server, account: str, path: str, scope: Scope, role: Role) -> None:
    with server.client(account, frozenset({scope}), role) as client:
        assert client.get(path).status_code == 403


def test_sdk_parses_contacts(server: Server, client: ApiClient) -> None:
    client.record(make_line("c1", email_address="ada@example.com", first_name="Ada"), make_line("c2"))
    configuration = sdk.Configuration(host=f"{server.url}/v3", access_token=client.token)
    with sdk.ApiClient(configuration) as sdk_client:
        api = sdk.ContactsApi(sdk_client)
        page = api.get_all_contacts(limit=1, include_count=True)
        assert [contact.contact_id for contact in page.contacts] == ["c2"]
        last = type(page).from_json(client.get(page.links.next.href).text)
        assert [contact.contact_id for contact in last.contacts] == ["c1"]
        (results,) = api.get_all_contacts(email="ada@example.com").contacts
        assert results.email_address.address == "ada@example.com"
        assert api.get_contact_by_id("c1").first_name == "Ada"


def test_opt_out_unsubscribes_contact(server: Server, client: ApiClient) -> None:
    client.record(
        *(make_line(f"c{number}", email_address=f"c{number}@example.com") for number in range(7)),
        *(
            make_line(f"c{number}", "em_optouts", f"2026-04-0{number}T10:00:00.123Z", opt_out_reason="Too many emails")
            for number in range(1, 6)
        ),
        make_line("c5", "p_contact_add", "2026-04-09T10:00:00Z"),
    )
    assert client.get("/v3/contacts/counts").json() == {
        "total": 7,
        "explicit": 1,
        "implicit": 0,
        "pending": 0,
        "unsubscribed": 4,
    }
    assert client.get("/v3/contacts/c1").json()["email_address"] == {
        "address": "c1@example.com",
        "permission_to_send": "unsubscribed",
        "opt_out_source": "Contact",
        "opt_out_date": "2026-04-01T10:00:00Z",
        "opt_out_reason": "Too many emails",
    }
    assert client.get("/v3/contacts/c5").json()["email_address"] == {
        "address": "c5@example.com",
        "permission_to_send": "explicit",
    }
    assert list(list_pages(client, "status=unsubscribed&limit=2")) == [["c4", "c3"], ["c2", "c1"]]
    assert list(list_pages(client, "status=active")) == [["c6", "c5", "c0"]]
    assert list(list_pages(client, "optout_after=2026-04-02&limit=2")) == [["c2", "c3"], ["c4"]]
    assert list(list_pages(client, "optout_before=2026-04-02T11:00:00Z&limit=1")) == [["c1"], ["c2"]]
    assert list(list_pages(client, "optout_after=2026-04-02&optout_before=2026-04-04&email=C3@example.com")) == [["c3"]]
    counted = client.get("/v3/contacts?optout_after=2026-04-02&include_count=true&limit=1").json()
    assert counted["contacts_count"] == 3
    configuration = sdk.Configuration(host=f"{server.url}/v3", access_token=client.token)
    with sdk.ApiClient(configuration) as sdk_client:
        api = sdk.ContactsApi(sdk_client)
        assert api.get_contact_by_id("c1").email_address.opt_out_source == "Contact"
        assert [found.contact_id for found in api.get_all_contacts(status="unsubscribed").contacts] == [
            "c4",
            "c3",
            "c2",
            "c1",
        ]


def test_contact_line_sets_opt_out_date_and_reason(client: ApiClient) -> None:
    updates = {
        "contact_id": "c1",
        "updated_at": "2026-04-01T10:00:00Z",
        "email_address": "c1@example.com",
        "permission_to_send": "unsubscribed",
        "opt_out_date": "2026-03-01T10:00:00Z",
        "opt_out_source": "contact",
        "opt_out_reason": "By phone",
    }
    misfits = [
        {"contact_id": "c2", "permission_to_send": "implicit", "opt_out_reason": "By phone"},
        {"contact_id": "c2", "permission_to_send": "unsubscribed", "opt_out_source": "Somebody"},
    ]
    receipt = client.post("/track/v1/contacts", json=[updates, *misfits]).json()
    assert (receipt["accepted"], receipt["rejected"]) == (1, 2)
    assert [rejection["field"] for rejection in receipt["rejections"]] == ["opt_out_reason", "opt_out_source"]
    assert client.get("/v3/contacts/c1").json()["email_address"] == {
        "address": "c1@example.com",
        "permission_to_send": "unsubscribed",
        "opt_out_source": "Contact",
        "opt_out_date": "2026-03-01T10:00:00Z",
        "opt_out_reason": "By phone",
    }


@pytest.mark.slow
def test_opted_out_contacts_of_sample_are_unsubscribed(client: ApiClient) -> None:
    activities = list(generate_sample(1_500, seed=1))
    left = {activity.contact_id for activity in activities if activity.type is ActivityType.EM_OPTOUTS}
    for first in range(0, len(activities), 10_000):
        body = b"".join(encode_activity(activity) + b"\n" for activity in activities[first : first + 10_000])
        recorded = client.post(
            "/track/v1/activities", content=body, headers={"content-type": "application/x-ndjson"}, timeout=60
        )
        assert recorded.status_code == 200
    assert len(left) > 20
    assert client.get("/v3/contacts/counts").json()["unsubscribed"] == len(left)
    assert sorted(sum(list_pages(client, "status=unsubscribed&limit=500"), start=list[str]())) == sorted(left)


@pytest.mark.parametrize(
    ("stored", "spellings"),
    [
        ("süd@bücher.example", ["süd@bücher.example", "süd@BÜCHER.example", "süd@xn--bcher-kva.example"]),
        ("sud@xn--bcher-kva.example", ["sud@bücher.example", "SUD@XN--BCHER-KVA.example"]),
        ("ada+news@Example.com", ["ada+news@example.com", "ada news@example.com", " ADA+NEWS@EXAMPLE.COM "]),
    ],
)
def test_address_is_found_in_every_spelling(client: ApiClient, stored: str, spellings: list[str]) -> None:
    client.record(make_line("c1", email_address=stored), make_line("c2", email_address="other@example.com"))
    for spelling in spellings:
        contacts = client.get("/v3/contacts", params={"email": spelling}).json()["contacts"]
        assert [contact["contact_id"] for contact in contacts] == ["c1"], spelling
