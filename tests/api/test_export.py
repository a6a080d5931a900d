"""GET /track/v1/export: formats, selection, and what an account may see."""

import csv
import io
import json

import httpx
import pyarrow.parquet
import pytest

from rapport.auth.scope import Scope
from tests.helpers.api import ApiClient, make_line
from tests.helpers.server import Server

EXPORT = "/track/v1/export"
CSV = {"accept": "text/csv"}
PARQUET = {"accept": "application/vnd.apache.parquet"}


@pytest.fixture
def filled(client: ApiClient) -> ApiClient:
    """A client of an account with three activities of two contacts."""
    client.record(
        make_line("-5", "em_sends", "2026-03-01T10:00:00Z", first_name="=1+1"),
        make_line("-5", "em_opens", "2026-03-02T10:00:00Z", device_type="mobile"),
        make_line("ada@example.com", "em_sends", "2026-03-01T11:00:00Z", event_id="e1"),
    )
    return client


def test_activities_are_exported_as_ndjson_by_default(filled: ApiClient) -> None:
    response = filled.get(f"{EXPORT}/activities")
    assert response.headers["content-type"] == "application/x-ndjson"
    assert response.headers["content-disposition"] == 'attachment; filename="activities.ndjson"'
    lines = [json.loads(line) for line in response.text.splitlines()]
    assert [(line["contact_id"], line["tracking_activity_type"]) for line in lines] == [
        ("-5", "em_opens"),
        ("-5", "em_sends"),
        ("ada@example.com", "em_sends"),
    ]
    receipt = filled.post("/track/v1/activities", content=response.content, headers={"content-type": "text/plain"})
    assert receipt.json() == {"accepted": 0, "duplicate": 3, "rejected": 0, "rejections": []}


def test_csv_cells_are_no_formulas(filled: ApiClient) -> None:
    response = filled.get(f"{EXPORT}/activities", headers=CSV)
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(response.text)))
    assert [(row["contact_id"], row["first_name"]) for row in rows] == [
        ("'-5", ""),
        ("'-5", "'=1+1"),
        ("ada@example.com", ""),
    ]
    assert filled.get(f"{EXPORT}/activities?format=csv&bom=1").content == b"\xef\xbb\xbf" + response.content


def test_parquet_has_typed_columns(filled: ApiClient) -> None:
    response = filled.get(f"{EXPORT}/activities", headers=PARQUET)
    table = pyarrow.parquet.read_table(io.BytesIO(response.content))
    assert str(table.schema.field("created_time").type) == "timestamp[ms, tz=UTC]"
    assert table.column("contact_id").to_pylist() == ["-5", "-5", "ada@example.com"]


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("*/*", "application/x-ndjson"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "application/x-ndjson"),
        ("application/x-ndjson;q=0.5, text/csv", "text/csv; charset=utf-8"),
        ("text/*", "text/csv; charset=utf-8"),
        ("application/jsonl", "application/x-ndjson"),
    ],
)
def test_format_is_negotiated(filled: ApiClient, accept: str, media_type: str) -> None:
    response = filled.get(f"{EXPORT}/activities", headers={"accept": accept})
    assert response.headers["content-type"] == media_type


@pytest.mark.parametrize("accept", ["text/html", "application/json", "text/csv;q=0"])
def test_unavailable_format_is_rejected(filled: ApiClient, accept: str) -> None:
    response = filled.get(f"{EXPORT}/activities", headers={"accept": accept})
    assert response.status_code == httpx.codes.BAD_REQUEST
    assert "text/csv" in response.text


def test_activities_of_contact_and_period_are_selected(filled: ApiClient) -> None:
    def times(query: str) -> list[str]:
        text = filled.get(f"{EXPORT}/activities?{query}").text
        return [json.loads(line)["created_time"] for line in text.splitlines()]

    assert times("contact_id=-5") == ["2026-03-02T10:00:00.000Z", "2026-03-01T10:00:00.000Z"]
    assert times("created_after=2026-03-01T11:00:00Z&created_before=2026-03-02T09:00:00Z") == [
        "2026-03-01T11:00:00.000Z"
    ]
    assert times("contact_id=-5&created_before=2026-03-01T10:00:00Z") == ["2026-03-01T10:00:00.000Z"]
    assert filled.get(f"{EXPORT}/activities?contact_id=nobody").status_code == httpx.codes.NOT_FOUND


def test_report_is_exported_with_event_ids(filled: ApiClient) -> None:
    response = filled.get(f"{EXPORT}/reports/ca-1?report=sends")
    lines = [json.loads(line) for line in response.text.splitlines()]
    assert [(line["contact_id"], line.get("event_id")) for line in lines] == [("ada@example.com", "e1"), ("-5", None)]
    did_not_open = filled.get(f"{EXPORT}/reports/ca-1?report=didnotopens").text.splitlines()
    assert [json.loads(line)["contact_id"] for line in did_not_open] == ["ada@example.com"]
    assert filled.get(f"{EXPORT}/reports/nothing").status_code == httpx.codes.NOT_FOUND
    assert filled.get(f"{EXPORT}/reports/ca-1?report=em_opens").status_code == httpx.codes.BAD_REQUEST


def test_contacts_campaigns_and_merges_are_exported(client: ApiClient) -> None:
    contact = {"contact_id": "c1", "updated_at": "2026-03-10T15:30:49.000Z", "first_name": "Ada"}
    campaign = {
        "campaign_id": "s1",
        "updated_at": "2026-03-10T15:30:49.000Z",
        "current_status": "DONE",
        "campaign_activities": [{"campaign_activity_id": "ca-1", "subject": "Spring"}],
    }
    client.post("/track/v1/contacts", json=contact)
    client.post("/track/v1/campaigns", json=campaign)
    client.post("/track/v1/contacts/merge", json={"contact_id": "old", "merged_into": "c1"})
    assert json.loads(client.get(f"{EXPORT}/contacts").text) == contact
    assert client.get(f"{EXPORT}/contacts?contact_id=c1").text == client.get(f"{EXPORT}/contacts").text
    assert json.loads(client.get(f"{EXPORT}/merges").text) == {"contact_id": "old", "merged_into": "c1"}
    rows = list(csv.DictReader(io.StringIO(client.get(f"{EXPORT}/campaigns", headers=CSV).text)))
    assert [(row["current_status"], row["subject"]) for row in rows] == [("Done", ""), ("", "Spring")]


def test_export_contains_only_its_account(server: Server, filled: ApiClient) -> None:
    with server.client("someone-else-exports") as other:
        for name in ("activities", "contacts", "campaigns", "merges"):
            assert other.get(f"{EXPORT}/{name}").text == ""
        assert other.get(f"{EXPORT}/reports/ca-1").status_code == httpx.codes.NOT_FOUND
        assert other.get(f"{EXPORT}/activities?contact_id=-5").status_code == httpx.codes.NOT_FOUND


def test_export_needs_its_scope(server: Server, account: str, filled: ApiClient) -> None:
    with server.client(account, scopes=frozenset({Scope.CAMPAIGN_DATA})) as client:
        assert client.get(f"{EXPORT}/activities").status_code == httpx.codes.FORBIDDEN
        assert client.get(f"{EXPORT}/reports/ca-1").status_code == httpx.codes.OK
