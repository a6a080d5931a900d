"""What clients of Constant Contact send before a report and to write contacts, replayed: a request log for each client.

A log under `clients/requests/` has the requests in their order, with the status and what the client needs of the
response: keys, or paths of keys like `contacts.0.contact_id`. Placeholders stand for recorded ids, and
`{new_contact_id}` for that of the contact that the client has created last.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rapport.auth.scope import Scope
from tests.helpers.api import ApiClient, make_line
from tests.helpers.sdk_operations import ADA, BEN, EMAIL, FIELD, LIST, NOBODY, PAGE, TAG, fill_account
from tests.helpers.sdk_operations import CAMPAIGN as CAMPAIGN_ID
from tests.helpers.server import Server

LOGS = sorted((Path(__file__).parent / "clients" / "requests").glob("*.json"))
IDS = {
    "list_id": LIST,
    "tag_id": TAG,
    "custom_field_id": FIELD,
    "campaign_id": CAMPAIGN_ID,
    "campaign_activity_id": EMAIL,
    "landing_page_id": PAGE,
    "contact_id": ADA,
    "other_contact_id": BEN,
    "unknown_id": NOBODY,
}
CAMPAIGN = {"campaign_id": "c-1", "campaign_activity_name": "Spring"}


@pytest.fixture
def filled(server: Server, account: str) -> Iterator[ApiClient]:
    with server.client(account, frozenset(Scope)) as client:
        client.record(make_line("c1", "em_sends", email_address="ada@example.com", **CAMPAIGN))
        client.record(make_line("c1", "em_optouts", email_address="ada@example.com", **CAMPAIGN))
        yield client


def fill(text: str, ids: dict[str, str]) -> str:
    for name, value in ids.items():
        text = text.replace(f"{{{name}}}", value)
    return text


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.stem)
def test_requests_of_client_succeed(server: Server, account: str, log: Path) -> None:
    fill_account(server, account)
    ids = dict(IDS)
    with server.client(account, frozenset(Scope)) as client:
        for logged in json.loads(log.read_text()):
            request = json.loads(fill(json.dumps(logged), ids))
            response = client.request(request["method"], request["path"], json=request.get("body"))
            assert response.status_code == request.get("status", 200), (request, response.text)
            content = response.json() if response.content else None
            if not isinstance(content, dict):
                assert request["keys"] == [], request
                continue
            missing = [key for key in request["keys"] if not has_key(content, key)]
            assert missing == [], (request, content)
            if request["method"] == "POST" and "contact_id" in content:
                ids["new_contact_id"] = content["contact_id"]


def has_key(content: Any, path: str) -> bool:  # noqa: ANN401 - JSON
    """Return True if a value is at a path like `contacts.0.email_address`."""
    for key in path.split("."):
        if isinstance(content, list):
            content = content[int(key)] if int(key) < len(content) else None
        elif not isinstance(content, dict) or key not in content:
            return False
        else:
            content = content[key]
    return True


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
