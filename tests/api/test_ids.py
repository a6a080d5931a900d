"""Ids of every form, through every door."""

import json
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rapport.activity import is_id
from tests.helpers.api import ApiClient, details_path, make_line, tracking_path
from tests.helpers.command import run_rapport
from tests.helpers.server import Server
from tests.helpers.sql import fetch_all

IDS = [
    "ada@example.com",
    "auth0|5f7c8ec7",
    "user/13",
    "a/activity_details",
    "Müller",
    "Spring 2026",
    "YWRhQGV4YW1wbGUuY29t=",
    "a,b",
    "50%",
    "%2F",
    "a+b&c=d#e?f",
    "{3F2504E0-4F89-11D3-9A0C-0305E82C3301}",
    '"><script>',
    "filter0490p1las1-9298-58AC827A-13.0",
    "-5",
    "123456789012345678901234567890",
    "🦉" * 100,
]
ANY_ID = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=255).filter(is_id)


def encode(text: str) -> str:
    return {".": "%2E", "..": "%2E%2E"}.get(text) or quote(text, safe="")


def read_contact(client: ApiClient, contact_id: str) -> list[str]:
    """Walk the contact's history page by page and return the names of its campaign activities."""
    pages = list(client.walk(encode(contact_id), "tracking_activity_type=em_opens&limit=1"))
    assert all(item["contact_id"] == contact_id for page in pages for item in page)
    return [item["campaign_activity_id"] for page in pages for item in page]


@pytest.mark.parametrize("id_", IDS)
def test_id_round_trips_through_api(client: ApiClient, id_: str) -> None:
    other = f"{id_[:200]} 2"
    receipt = client.record(
        make_line(id_, campaign_activity_id=id_, campaign_id=id_),
        make_line(id_, campaign_activity_id=other, time="2026-03-02T10:00:00Z"),
        make_line(other, "em_clicks", campaign_activity_id=id_, url_id=id_, time="2026-03-02T10:00:00Z"),
        make_line(id_, "em_clicks", campaign_activity_id=id_, url_id=id_),
        make_line(id_, "em_clicks", campaign_activity_id=id_, url_id="other"),
    )
    assert (receipt["accepted"], receipt["rejected"]) == (5, 0)
    assert read_contact(client, id_) == [other, id_]
    pages = list(client.walk_tracking(encode(id_), "clicks", f"limit=1&url_id={encode(id_)}"))
    assert [item["contact_id"] for page in pages for item in page] == [other, id_]
    assert client.get(f"/v3/contacts/{encode(id_)}").json()["contact_id"] == id_
    links = client.get(f"/v3/reports/email_reports/{encode(id_)}/links").json()["link_click_counts"]
    assert {link["url_id"] for link in links} == {id_, "other"}
    stats = f"/v3/reports/stats/email_campaign_activities/{encode(id_)},{encode(other)}"
    results = client.get(stats).json()["results"]
    assert {result["campaign_activity_id"] for result in results} == {id_, other}
    campaign = client.get(f"/v3/reports/stats/email_campaigns/{encode(id_)}").json()["results"]
    assert [result["campaign_id"] for result in campaign] == [id_]
    assert client.delete(f"/track/v1/contacts/{encode(id_)}").status_code == httpx.codes.NO_CONTENT
    assert client.get(details_path(encode(id_)), params={"tracking_activity_type": "em_opens"}).status_code == 404


@pytest.mark.slow
@given(contact_id=ANY_ID, campaign_activity_id=ANY_ID)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_id_round_trips_through_paths_and_cursors(
    server: Server, account: str, contact_id: str, campaign_activity_id: str
) -> None:
    with server.client(account) as client:
        times = ("2026-03-01T10:00:00.000Z", "2026-03-02T10:00:00.000Z")
        receipt = client.record(
            *(make_line(contact_id, time=time, campaign_activity_id=campaign_activity_id) for time in times)
        )
        assert receipt["accepted"] + receipt["duplicate"] == 2
        assert campaign_activity_id in read_contact(client, contact_id)
        path = tracking_path(encode(campaign_activity_id), "opens")
        rows = client.get(path, params={"limit": 500}).json()["tracking_activities"]
        assert contact_id in {row["contact_id"] for row in rows}


def test_commas_between_ids_may_be_encoded(client: ApiClient) -> None:
    client.record(make_line(campaign_activity_id="x1"), make_line(campaign_activity_id="x2"))
    results = client.get("/v3/reports/stats/email_campaign_activities/x1%2Cx2").json()["results"]
    assert len(results) == 2


@pytest.mark.parametrize("text", ["%20a", "a%20", "a%00b", "%0A", "x" * 256])
def test_malformed_id_returns_404(client: ApiClient, text: str) -> None:
    assert client.get(details_path(text), params={"tracking_activity_type": "em_opens"}).status_code == 404
    assert client.get(tracking_path(text, "opens")).status_code == 404


@pytest.mark.slow
def test_ids_round_trip_through_commands_and_sql(location: str, tmp_path: Path) -> None:
    file = tmp_path / "ids.ndjson"
    file.write_text("".join(json.dumps(make_line(id_, campaign_activity_id=id_, event_id=id_)) + "\n" for id_ in IDS))
    run_rapport("import", str(file), "--create", "--data", location)
    ids = {contact_id for (contact_id,) in fetch_all(location, "SELECT contact_id FROM activity")}
    assert ids == set(IDS)
    copy = str(tmp_path / "copy")
    run_rapport("copy", "--from", location, "--to", copy, "--create")
    for id_ in IDS:
        exported = run_rapport("export", id_, "--data", copy).stdout
        assert json.loads(exported)["contact_id"] == id_
        again = tmp_path / "again.ndjson"
        again.write_text(exported)
        assert "0 accepted, 1 duplicate" in run_rapport("import", str(again), "--data", location).stdout
    run_rapport("erase", "-5", "--yes", "--data", location)
    assert run_rapport("export", "-5", "--data", location, code=1).stdout == ""
