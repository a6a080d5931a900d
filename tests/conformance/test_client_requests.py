"""What clients of Constant Contact send before a report and to write contacts, replayed: a request log for each client.

A log under `clients/requests/` has the requests in their order, with the status and the keys of the response that the
client needs. Placeholders stand for recorded ids.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rapport.auth.scope import Scope
from tests.helpers.api import ApiClient, make_line
from tests.helpers.server import Server

LOGS = sorted((Path(__file__).parent / "clients" / "requests").glob("*.json"))
LIST_ID, CUSTOM_FIELD_ID = "06526938-56dd-11e9-932a-fa163ea075fa", "1a4b9d3e-21c3-4e0d-9a52-3f8a0f1f2a01"
CAMPAIGN = {"campaign_id": "c-1", "campaign_activity_name": "Spring"}


@pytest.fixture
def filled(server: Server, account: str) -> Iterator[ApiClient]:
    with server.client(account, frozenset(Scope)) as client:
        client.post("/track/v1/lists", json=[{"list_id": LIST_ID, "name": "News"}])
        client.post("/track/v1/custom_fields", json=[{"custom_field_id": CUSTOM_FIELD_ID, "label": "Color"}])
        client.record(make_line("c1", "em_sends", email_address="ada@example.com", **CAMPAIGN))
        client.record(make_line("c1", "em_optouts", email_address="ada@example.com", **CAMPAIGN))
        yield client


def fill(text: str) -> str:
    return text.replace("{list_id}", LIST_ID).replace("{custom_field_id}", CUSTOM_FIELD_ID)


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.stem)
def test_requests_of_client_succeed(filled: ApiClient, log: Path) -> None:
    requests: list[dict[str, Any]] = json.loads(fill(log.read_text()))
    for request in requests:
        response = filled.request(request["method"], request["path"], json=request.get("body"))
        assert response.status_code == request.get("status", 200), (request, response.text)
        content = response.json()
        assert not isinstance(content, dict) or content.keys() >= set(request["keys"]), request


def test_newest_contacts_are_found_by_polling(filled: ApiClient) -> None:
    """A client polls for contacts newer than the last one that it has seen, and stops at the first older one."""

    def poll(last_seen: str | None) -> list[dict[str, Any]]:
        new = []
        href = f"/v3/contacts?limit=2{'' if last_seen is None else f'&created_after={last_seen}'}"
        while href:
            page = filled.get(href).json()
            for contact in page["contacts"]:
                if last_seen is not None and contact["created_at"] <= last_seen:
                    return new
                new.append(contact)
            href = page["_links"]["next"]["href"] if page["_links"] else ""
        return new

    def add(*days: int) -> None:
        updates = [{"contact_id": f"d{day}", "created_at": f"2026-04-{day:02}T00:00:00Z"} for day in days]
        assert filled.post("/track/v1/contacts", json=updates).json()["accepted"] == len(days)

    add(3, 1, 2, 5, 4)
    seen = poll(None)
    assert [contact["contact_id"] for contact in seen] == ["d5", "d4", "d3", "d2", "d1", "c1"]
    assert poll(seen[0]["created_at"]) == []
    add(9, 7, 8)
    assert [contact["contact_id"] for contact in poll(seen[0]["created_at"])] == ["d9", "d8", "d7"]


def test_campaigns_and_contacts_of_activities_have_times(filled: ApiClient) -> None:
    (campaign,) = filled.get("/v3/emails").json()["campaigns"]
    assert (campaign["created_at"], campaign["updated_at"]) == ("2026-03-01T10:00:00.000Z", "2026-03-01T10:00:00.000Z")
    assert filled.get("/v3/emails/c-1").json()["created_at"] == campaign["created_at"]
    (contact,) = filled.get("/v3/contacts").json()["contacts"]
    assert (contact["created_at"], contact["updated_at"]) == ("2026-03-01T10:00:00Z", "2026-03-01T10:00:00Z")
