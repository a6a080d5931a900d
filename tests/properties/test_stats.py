"""Random histories: stats of campaigns and campaign activities equal a recount."""

from collections import defaultdict
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rapport.auth.scope import Scope
from tests.helpers.api import ApiClient
from tests.helpers.recount import Line, deduplicate, get_milliseconds
from tests.helpers.server import Server

BEGIN = 1_767_225_600_000
CAMPAIGNS = {"m1": "spring", "m2": "spring", "m3": "summer", "m4": None}
KINDS = ["em_sends", "em_opens", "em_clicks", "em_bounces", "em_forwards", "em_optouts"]
DEVICES = ["computer", "mobile", "tablet", "other"]
BOUNCES = {
    "Z": "blocked",
    "F": "mailbox_full",
    "B": "nonexistent_address",
    "X": "other",
    "S": "suspended",
    "D": "undeliverable",
    "V": "vacation",
}


@st.composite
def draw_line(draw: st.DrawFn) -> Line:
    activity_type = draw(st.sampled_from([*KINDS, "em_sends", "p_contact_open"]))
    campaign_activity_id = draw(st.sampled_from(sorted(CAMPAIGNS)))
    line: Line = {
        "contact_id": draw(st.sampled_from(["ada", "bob", "cleo", "dan"])),
        "campaign_activity_id": campaign_activity_id,
        "tracking_activity_type": activity_type,
        "created_time": BEGIN + draw(st.integers(0, 12)),
    }
    if CAMPAIGNS[campaign_activity_id]:
        line["campaign_id"] = CAMPAIGNS[campaign_activity_id]
    if activity_type in {"em_opens", "em_clicks"} and draw(st.booleans()):
        line["device_type"] = draw(st.sampled_from(DEVICES))
    if activity_type == "em_bounces":
        line["bounce_code"] = draw(st.sampled_from(sorted(BOUNCES)))
    if activity_type == "em_optouts" and draw(st.booleans()):
        line["opt_out_reason"] = draw(st.sampled_from(["complaint", "spam complaint", "no longer interested"]))
    if draw(st.integers(0, 3)) == 0:
        line["event_id"] = f"e{draw(st.integers(0, 12))}"
    return line


REAL_SERVER = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.slow
@REAL_SERVER
@given(history=st.lists(draw_line(), min_size=1, max_size=70), pieces=st.integers(1, 4), limit=st.integers(1, 2))
def test_stats_equal_recount(server: Server, history: list[Line], pieces: int, limit: int) -> None:
    with server.client(f"stats-{uuid4().hex}", frozenset(Scope)) as client:
        for first in range(pieces):
            client.record(*history[first::pieces])
        # Of repeated events, the first delivery is recorded.
        lines = deduplicate([line for first in range(pieces) for line in history[first::pieces]])
        activity_stats = client.get(f"/v3/reports/stats/email_campaign_activities/{','.join(CAMPAIGNS)}").json()
        known = {line["campaign_activity_id"] for line in lines}
        assert len(activity_stats["results"]) == len(known)
        assert len(activity_stats["errors"]) == len(CAMPAIGNS) - len(known)
        for result in activity_stats["results"]:
            mine = [line for line in lines if line["campaign_activity_id"] == result["campaign_activity_id"]]
            assert result["stats"] == compute_stats(mine, with_bounce_codes=True)
            assert result.get("campaign_id") == CAMPAIGNS[result["campaign_activity_id"]]
        campaigns = {line["campaign_id"] for line in lines if "campaign_id" in line}
        if campaigns:
            campaign_stats = client.get(f"/v3/reports/stats/email_campaigns/{'%2C'.join(sorted(campaigns))}").json()
            assert campaign_stats["errors"] == []
            for result in campaign_stats["results"]:
                mine = [line for line in lines if line.get("campaign_id") == result["campaign_id"]]
                assert result["stats"] == compute_stats(mine, with_bounce_codes=False)
                assert result["percents"] == compute_percentages(mine)
        assert_summaries(client, lines, limit)


def assert_summaries(client: ApiClient, lines: list[Line], limit: int) -> None:
    sent: dict[str, int] = {}
    for line in lines:
        if line["tracking_activity_type"] == "em_sends" and "campaign_id" in line:
            sent[line["campaign_id"]] = max(sent.get(line["campaign_id"], 0), get_milliseconds(line))
    order = sorted(sent, key=lambda campaign: (sent[campaign], campaign), reverse=True)
    href = f"/v3/reports/summary_reports/email_campaign_summaries?limit={limit}"
    seen: list[str] = []
    while href:
        page = client.get(href).json()
        rows = page["bulk_email_campaign_summaries"]
        on_page = [line for line in lines if line.get("campaign_id") in {row["campaign_id"] for row in rows}]
        named = ("click", "open", "did_not_open", "bounce", "unsubscribe")
        assert page["aggregate_percents"] == {name: compute_percentages(on_page)[name] for name in named}
        for row in rows:
            mine = [line for line in lines if line.get("campaign_id") == row["campaign_id"]]
            counts = count_unique(mine)
            assert row["last_sent_date"] == format_time(sent[row["campaign_id"]])
            assert row["unique_counts"] == {
                **{activity_type.removeprefix("em_"): counts[activity_type] for activity_type in KINDS},
                "abuse": count_complaints(mine),
                "not_opened": count_not_opened(counts),
            }
        seen += [row["campaign_id"] for row in rows]
        href = page["_links"]["next"]["href"] if page["_links"] else ""
    assert seen == order


def count_unique(lines: list[Line]) -> dict[str, int]:
    """Count unique contacts by type over the campaign activities."""
    pairs = defaultdict(set)
    for line in lines:
        pairs[line["tracking_activity_type"]].add((line["campaign_activity_id"], line["contact_id"]))
    return {activity_type: len(pairs[activity_type]) for activity_type in KINDS}


def count_complaints(lines: list[Line]) -> int:
    """Count the contacts that complained, each once for each campaign activity."""
    reasons = {"complaint", "spam complaint", "spam report"}
    return len(
        {
            (line["campaign_activity_id"], line["contact_id"])
            for line in lines
            if line["tracking_activity_type"] == "em_optouts" and line.get("opt_out_reason") in reasons
        }
    )


def count_not_opened(counts: dict[str, int]) -> int:
    return max(0, counts["em_sends"] - counts["em_opens"] - counts["em_bounces"])


def compute_stats(lines: list[Line], *, with_bounce_codes: bool) -> dict[str, int]:
    counts = count_unique(lines)
    expected = {**counts, "em_not_opened": count_not_opened(counts)}
    for activity_type in ("em_opens", "em_clicks"):
        devices = [line.get("device_type", "none") for line in lines if line["tracking_activity_type"] == activity_type]
        for device in (*DEVICES, "none"):
            expected[f"{activity_type}_all_{device}"] = expected[f"{activity_type}.all.{device}"] = devices.count(
                device
            )
        expected[f"{activity_type}_all"] = expected[f"{activity_type}.all"] = len(devices)
    if with_bounce_codes:
        expected["em_abuse"] = count_complaints(lines)
        for code, name in BOUNCES.items():
            expected[f"em_bounces_{name}"] = len(
                {line["contact_id"] for line in lines if line.get("bounce_code") == code}
            )
    return expected


def compute_percentages(lines: list[Line]) -> dict[str, float]:
    counts = count_unique(lines)
    delivered = counts["em_sends"] - counts["em_bounces"]
    expected = {
        "bounce": compute_percentage(counts["em_bounces"], counts["em_sends"]),
        "open": compute_percentage(counts["em_opens"], delivered),
        "did_not_open": compute_percentage(count_not_opened(counts), delivered),
        "unsubscribe": compute_percentage(counts["em_optouts"], delivered),
        "click": compute_percentage(counts["em_clicks"], counts["em_opens"]),
    }
    for activity_type in ("open", "click"):
        devices = [
            line.get("device_type") for line in lines if line["tracking_activity_type"] == f"em_{activity_type}s"
        ]
        expected[f"desktop_{activity_type}"] = compute_percentage(devices.count("computer"), len(devices))
        expected[f"mobile_{activity_type}"] = compute_percentage(
            devices.count("mobile") + devices.count("tablet"), len(devices)
        )
    return expected


def compute_percentage(some: int, of_all: int) -> float:
    if of_all <= 0:
        return 0
    return min(float((Decimal(100 * some) / of_all).quantize(Decimal("0.1"), ROUND_HALF_UP)), 100.0)


def format_time(instant: int) -> str:
    return datetime.fromtimestamp(instant / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_recount_matches_hand_written_example() -> None:
    """Two contacts received the email, one opened it twice, one bounced."""
    lines: list[dict[str, Any]] = [
        {"campaign_activity_id": "m1", "contact_id": contact, "tracking_activity_type": activity_type, **more}
        for contact, activity_type, more in [
            ("ada", "em_sends", {}),
            ("bob", "em_sends", {}),
            ("ada", "em_opens", {"device_type": "mobile"}),
            ("ada", "em_opens", {}),
            ("bob", "em_bounces", {"bounce_code": "B"}),
        ]
    ]
    assert compute_stats(lines, with_bounce_codes=True)["em_opens_all_none"] == 1
    assert compute_percentages(lines)["open"] == 100
    assert compute_percentages(lines)["mobile_open"] == 50
