"""Ids of every form, through every door."""

import json
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rapport.activity import is_id
from tests.cli.command import rapport
from tests.store.by_hand import params
from tests.world import Caller, Server, details, line, tracking

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


def read_contact(caller: Caller, contact_id: str) -> list[str]:
    """Walk the contact's history page by page and return the names of its campaign activities."""
    pages = list(caller.walk(encode(contact_id), "tracking_activity_type=em_opens&limit=1"))
    assert all(item["contact_id"] == contact_id for page in pages for item in page)
    return [item["campaign_activity_id"] for page in pages for item in page]


@pytest.mark.parametrize("id_", IDS)
def test_id_round_trips_through_the_api(caller: Caller, id_: str) -> None:
    other = f"{id_[:200]} 2"
    receipt = caller.record(
        line(id_, campaign_activity_id=id_, campaign_id=id_),
        line(id_, campaign_activity_id=other, time="2026-03-02T10:00:00Z"),
        line(other, "em_clicks", campaign_activity_id=id_, url_id=id_, time="2026-03-02T10:00:00Z"),
        line(id_, "em_clicks", campaign_activity_id=id_, url_id=id_),
        line(id_, "em_clicks", campaign_activity_id=id_, url_id="other"),
    )
    assert (receipt["accepted"], receipt["rejected"]) == (5, 0)
    assert read_contact(caller, id_) == [other, id_]
    pages = list(caller.walk_tracking(encode(id_), "clicks", f"limit=1&url_id={encode(id_)}"))
    assert [item["contact_id"] for page in pages for item in page] == [other, id_]
    assert caller.get(f"/v3/contacts/{encode(id_)}").json()["contact_id"] == id_
    links = caller.get(f"/v3/reports/email_reports/{encode(id_)}/links").json()["link_click_counts"]
    assert {link["url_id"] for link in links} == {id_, "other"}
    stats = f"/v3/reports/stats/email_campaign_activities/{encode(id_)},{encode(other)}"
    results = caller.get(stats).json()["results"]
    assert {result["campaign_activity_id"] for result in results} == {id_, other}
    campaign = caller.get(f"/v3/reports/stats/email_campaigns/{encode(id_)}").json()["results"]
    assert [result["campaign_id"] for result in campaign] == [id_]
    assert caller.delete(f"/track/v1/contacts/{encode(id_)}").status_code == httpx.codes.NO_CONTENT
    assert caller.get(details(encode(id_)), params={"tracking_activity_type": "em_opens"}).status_code == 404


@given(contact_id=ANY_ID, campaign_activity_id=ANY_ID)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_id_round_trips_through_paths_and_cursors(
    server: Server, account: str, contact_id: str, campaign_activity_id: str
) -> None:
    with server.caller(account) as caller:
        times = ("2026-03-01T10:00:00.000Z", "2026-03-02T10:00:00.000Z")
        receipt = caller.record(
            *(line(contact_id, time=time, campaign_activity_id=campaign_activity_id) for time in times)
        )
        assert receipt["accepted"] + receipt["duplicate"] == 2
        assert campaign_activity_id in read_contact(caller, contact_id)
        path = tracking(encode(campaign_activity_id), "opens")
        rows = caller.get(path, params={"limit": 500}).json()["tracking_activities"]
        assert contact_id in {row["contact_id"] for row in rows}


def test_commas_between_ids_may_be_encoded(caller: Caller) -> None:
    caller.record(line(campaign_activity_id="x1"), line(campaign_activity_id="x2"))
    results = caller.get("/v3/reports/stats/email_campaign_activities/x1%2Cx2").json()["results"]
    assert len(results) == 2


@pytest.mark.parametrize("text", ["%20a", "a%20", "a%00b", "%0A", "x" * 256])
def test_malformed_id_is_not_found(caller: Caller, text: str) -> None:
    assert caller.get(details(text), params={"tracking_activity_type": "em_opens"}).status_code == 404
    assert caller.get(tracking(text, "opens")).status_code == 404


def test_ids_round_trip_through_commands_and_sql(data: str, tmp_path: Path) -> None:
    file = tmp_path / "ids.ndjson"
    file.write_text("".join(json.dumps(line(id_, campaign_activity_id=id_, event_id=id_)) + "\n" for id_ in IDS))
    rapport("import", str(file), "--create", "--data", data)
    ids = {contact_id for (contact_id,) in params(data, "SELECT contact_id FROM activity")}
    assert ids == set(IDS)
    copy = str(tmp_path / "copy")
    rapport("copy", "--from", data, "--to", copy, "--create")
    for id_ in IDS:
        exported = rapport("export", id_, "--data", copy).stdout
        assert json.loads(exported)["contact_id"] == id_
        again = tmp_path / "again.ndjson"
        again.write_text(exported)
        assert "0 accepted, 1 duplicate" in rapport("import", str(again), "--data", data).stdout
    rapport("erase", "-5", "--yes", "--data", data)
    assert rapport("export", "-5", "--data", data, code=1).stdout == ""
