"""Random histories: summaries and rates of a contact equal a recount."""

from datetime import UTC, datetime
from fractions import Fraction
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers.api import ApiClient
from tests.helpers.recount import Line, deduplicate, get_milliseconds
from tests.helpers.server import Server

BEGIN = 1_767_225_600_000
KINDS = ["em_sends", "em_opens", "em_clicks", "em_bounces", "em_optouts", "em_forwards"]
NAMES = {
    activity_type: "em_unsubscribes" if activity_type == "em_optouts" else activity_type for activity_type in KINDS
}


@st.composite
def draw_line(draw: st.DrawFn) -> Line:
    line: Line = {
        "contact_id": draw(st.sampled_from(["ada", "bob"])),
        "campaign_activity_id": draw(st.sampled_from(["m1", "m2", "m3", "M4"])),
        "tracking_activity_type": draw(st.sampled_from([*KINDS, "em_sends", "p_contact_open"])),
        "created_time": BEGIN + draw(st.integers(0, 12)),
    }
    if draw(st.integers(0, 3)) == 0:
        line["event_id"] = f"e{draw(st.integers(0, 12))}"
    return line


REAL_SERVER = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.slow
@REAL_SERVER
@given(
    history=st.lists(draw_line(), min_size=1, max_size=60), bounds=st.tuples(st.integers(-1, 13), st.integers(0, 14))
)
def test_summaries_and_rates_equal_recount(server: Server, history: list[Line], bounds: tuple[int, int]) -> None:
    start, end = BEGIN + bounds[0], BEGIN + bounds[0] + bounds[1]
    with server.client(f"summary-{uuid4().hex}") as client:
        client.record(*history)
        for contact_id in {line["contact_id"] for line in history}:
            lines = [line for line in deduplicate(history) if line["contact_id"] == contact_id]
            expected = compute_summaries(lines, start, end)
            response = get_report(client, contact_id, "activity_summary", start, end)
            assert response == {"contact_id": contact_id, "campaign_activities": expected, "_links": {}}
            rates = get_report(client, contact_id, "open_and_click_rates", start, end)
            assert rates["contact_id"] == contact_id
            assert rates["included_activities_count"] == len(expected)
            for activity_type, name in (("em_opens", "average_open_rate"), ("em_clicks", "average_click_rate")):
                share = Fraction(sum(row[activity_type] > 0 for row in expected), max(1, len(expected)))
                assert rates[name] == pytest.approx(float(share), abs=0.00005)


def compute_summaries(lines: list[Line], start: int, end: int) -> list[dict[str, Any]]:
    """Compute the summaries of campaign activities last sent in the period, most recently sent first."""
    rows = []
    for sent in {line["campaign_activity_id"] for line in lines}:
        mine = [line for line in lines if line["campaign_activity_id"] == sent]
        sends = [get_milliseconds(line) for line in mine if line["tracking_activity_type"] == "em_sends"]
        if not sends or not start <= max(sends) <= end:
            continue
        counts = {
            NAMES[activity_type]: sum(line["tracking_activity_type"] == activity_type for line in mine)
            for activity_type in KINDS
        }
        rows.append({"campaign_activity_id": sent, "start_on": format_time(max(sends)), **counts})
    return sorted(rows, key=lambda row: (row["start_on"], row["campaign_activity_id"]), reverse=True)


def get_report(client: ApiClient, contact_id: str, report: str, start: int, end: int) -> dict[str, Any]:
    response = client.get(
        f"/v3/reports/contact_reports/{contact_id}/{report}",
        params={"start": format_time(start), "end": format_time(end)},
    )
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


def format_time(instant: int) -> str:
    return datetime.fromtimestamp(instant / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
