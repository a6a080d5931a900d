"""Random histories of a campaign activity: the rows of its reports equal a recount in every field."""

import itertools
from collections import Counter
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers.api import ApiClient
from tests.helpers.recount import deduplicate, get_milliseconds
from tests.helpers.server import Server

REPORTS = ["sends", "opens", "clicks", "forwards", "optouts", "bounces"]
LANDING_PAGES = {
    "p_contact_opens": "p_contact_open",
    "p_unique_contact_opens": "p_contact_open",
    "p_unique_contact_clicks": "p_contact_click",
    "p_unique_contact_adds": "p_contact_add",
    "p_unique_contact_updates": "p_contact_update",
}
CALLED = {
    "p_contact_open": "p_contact_opens",
    "p_contact_add": "p_contact_adds",
    "p_contact_update": "p_contact_updates",
}
OTHER_TYPES = sorted(set(LANDING_PAGES.values()))
# A few times, so that many activities share one.
FIRST, LAST = 1_767_225_600_000, 1_767_225_600_006
CODES = ["B", "D", "F", "S", "V", "X", "Z"]
LINKS = ["https://a.example", "https://b.example/ü"]
URL_IDS = ["17", "9223372036854775807"]

Line = dict[str, Any]
Row = dict[str, str]


def draw_optional(draw: st.DrawFn, line: Line, field: str, values: list[str]) -> None:
    if draw(st.booleans()):
        line[field] = draw(st.sampled_from(values))


@st.composite
def draw_line(draw: st.DrawFn) -> Line:
    activity_type = draw(st.sampled_from([f"em_{report}" for report in REPORTS] + OTHER_TYPES))
    time = draw(st.integers(FIRST, LAST))
    line: Line = {
        "contact_id": draw(st.sampled_from(["ada", "bob", "C-1", "d_2"])),
        "campaign_activity_id": draw(st.sampled_from(["m1", "m1", "m2"])),
        "tracking_activity_type": activity_type,
        "created_time": time,
    }
    # Profiles with equal times are equal, because which one wins is unspecified.
    draw_optional(draw, line, "email_address", [f"{time % 3}@example.com"])
    draw_optional(draw, line, "first_name", [f"F{time % 2}"])
    draw_optional(draw, line, "last_name", [f"L{time % 4}"])
    if activity_type in {"em_opens", "em_clicks", *OTHER_TYPES}:
        draw_optional(draw, line, "device_type", ["computer", "mobile", "tablet", "other"])
    if activity_type.endswith(("clicks", "click")):
        draw_optional(draw, line, "link_url", LINKS)
        draw_optional(draw, line, "url_id", URL_IDS)
    if activity_type == "em_bounces":
        draw_optional(draw, line, "bounce_code", CODES)
    if activity_type == "em_optouts":
        draw_optional(draw, line, "opt_out_reason", ["Too many", 'a "b"\n'])
    if draw(st.booleans()):
        line["event_id"] = f"e{draw(st.integers(0, 99))}"
    return line


# No repeated deliveries, which other tests cover.
A_HISTORY = st.lists(draw_line(), min_size=1, max_size=60).map(deduplicate)


def format_time(instant: int) -> str:
    return datetime.fromtimestamp(instant / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def get_url_id(line: Line) -> str:
    if "url_id" in line:
        return str(line["url_id"])
    if "link_url" not in line:
        return "0"
    url = line["link_url"].encode()
    digest = blake2b(b"%d:%s-" % (len(url), url), digest_size=16, person=b"rapport/link").digest()
    return str(int.from_bytes(digest[:8]) >> 1)


def get_profile_field(history: list[Line], contact_id: str, field: str, until: int) -> str | None:
    """Return the contact's latest profile at a time."""
    results = [
        (line["created_time"], line[field])
        for line in history
        if line["contact_id"] == contact_id and field in line and line["created_time"] <= until
    ]
    return max(results)[1] if results else None


def make_row(history: list[Line], line: Line) -> dict[str, str]:
    contact_id, time, activity_type = line["contact_id"], line["created_time"], line["tracking_activity_type"]
    row = {
        "contact_id": contact_id,
        "campaign_activity_id": line["campaign_activity_id"],
        "tracking_activity_type": activity_type,
        "created_time": format_time(time),
        "email_address": "",
    }
    for field in ("email_address", "first_name", "last_name"):
        value = (
            line.get(field)
            or get_profile_field(history, contact_id, field, time)
            or get_profile_field(history, contact_id, field, LAST)
        )
        if value is not None:
            row[field] = value
    if activity_type.endswith(("clicks", "click")):
        row |= {"url_id": get_url_id(line), "link_url": line.get("link_url", "")}
    if activity_type == "em_bounces":
        row["bounce_code"] = line.get("bounce_code", "X")
        current = get_profile_field(history, contact_id, "email_address", LAST)
        if current is not None:
            row["current_email_address"] = current
    return row | {field: line[field] for field in ("device_type", "opt_out_reason") if field in line}


def filter_by_type(history: list[Line], activity_type: str) -> list[Line]:
    return [
        line
        for line in history
        if (line["campaign_activity_id"], line["tracking_activity_type"]) == ("m1", activity_type)
    ]


def make_rows(history: list[Line], report: str) -> list[dict[str, str]]:
    return [make_row(history, line) for line in filter_by_type(history, f"em_{report}")]


def has_latest_rows_only(rows: list[Row], all_items: list[Row], by: list[str]) -> bool:
    """Return True if the rows that share `by` are one each, and each is among the latest."""
    latest: dict[tuple[str, ...], str] = {}
    for row in all_items:
        key = tuple(row[field] for field in by)
        latest[key] = max(latest.get(key, ""), row["created_time"])
    results = {tuple(row[field] for field in by): row["created_time"] for row in rows}
    return results == latest and len(results) == len(rows) and count_rows(rows) <= count_rows(all_items)


def count_rows(rows: list[dict[str, str]]) -> Counter[tuple[tuple[str, str], ...]]:
    return Counter(tuple(sorted(row.items())) for row in rows)


def is_newest_first(rows: list[dict[str, str]]) -> bool:
    times = [row["created_time"] for row in rows]
    return times == sorted(times, reverse=True)


REAL_SERVER = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.slow
@REAL_SERVER
@given(history=A_HISTORY, limit=st.integers(1, 9), cuts=st.lists(st.integers(0, 60), max_size=3))
def test_tracking_rows_equal_recount_in_every_field(
    server: Server, history: list[Line], limit: int, cuts: list[int]
) -> None:
    with server.client(f"tracking-{uuid4().hex}") as client:
        # Makes the campaign activity known, without a row in any report.
        client.record(
            {
                "contact_id": "eve",
                "campaign_activity_id": "m1",
                "tracking_activity_type": "p_contact_add",
                "created_time": FIRST,
            }
        )
        edges = [0, *sorted(cut for cut in cuts if cut < len(history)), len(history)]
        for start, end in itertools.pairwise(edges):
            client.record(*history[start:end])
        for report in REPORTS:
            pages = list(client.walk_tracking("m1", report, f"limit={limit}"))
            walked = [row for page in pages for row in page]
            assert count_rows(walked) == count_rows(make_rows(history, report))
            assert is_newest_first(walked)
            assert all(len(page) == limit for page in pages[:-1])
            assert pages[-1] or len(pages) == 1
            # The order, also of equal times, is the same for every page size.
            (whole,) = list(client.walk_tracking("m1", report, "limit=500"))
            assert whole == walked


@pytest.mark.slow
@REAL_SERVER
@given(history=A_HISTORY, limit=st.integers(1, 5), text=st.sampled_from(["1@EXAMPLE", "f0 l2", "zzz"]))
def test_contact_lists_equal_recount(server: Server, history: list[Line], limit: int, text: str) -> None:
    """Opens, clicks and landing page reports list each contact's latest activity; didnotopens the others."""
    known: Line = {"contact_id": "eve", "campaign_activity_id": "m1", "tracking_activity_type": "em_forwards"}
    history = deduplicate([*history, {**known, "created_time": FIRST}])
    with server.client(f"contacts-{uuid4().hex}") as client:
        client.record(*history)

        def walked(walk: Any) -> list[Row]:  # noqa: ANN401 - responses of two kinds
            pages = list(walk)
            assert all(len(page) == limit for page in pages[:-1])
            rows = [row for page in pages for row in page]
            assert is_newest_first(rows)
            return rows

        unique_opens = walked(client.walk_tracking("m1", "unique_opens", f"limit={limit}"))
        assert has_latest_rows_only(unique_opens, make_rows(history, "opens"), ["contact_id"])
        responded = {
            line["contact_id"]
            for activity_type in ("em_opens", "em_bounces")
            for line in filter_by_type(history, activity_type)
        }
        unanswered = [row for row in make_rows(history, "sends") if row["contact_id"] not in responded]
        unanswered = [{**row, "tracking_activity_type": "em_didnotopens"} for row in unanswered]
        did_not_open = walked(client.walk_tracking("m1", "didnotopens", f"limit={limit}"))
        assert has_latest_rows_only(did_not_open, unanswered, ["contact_id"])
        for report, activity_type in LANDING_PAGES.items():
            all_items = [
                {**make_row(history, line), "tracking_activity_type": CALLED.get(activity_type, activity_type)}
                for line in filter_by_type(history, activity_type)
            ]
            rows = walked(client.walk_landing_page("m1", report, f"limit={limit}"))
            if report == "p_contact_opens":
                assert count_rows(rows) == count_rows(all_items)
            else:
                by = ["contact_id", "url_id", "link_url"] if activity_type == "p_contact_click" else ["contact_id"]
                assert has_latest_rows_only(rows, all_items, by)
            filtered = walked(client.walk_landing_page("m1", report, f"limit={limit}&contacts_filter={text}"))
            assert filtered == [row for row in rows if text.lower() in get_link_name(history, row["contact_id"])]
        assert walked(client.walk_landing_page("m1", "p_unique_contact_sms_optins", "")) == []
        assert_links(client, history)


def get_link_name(history: list[Line], contact_id: str) -> str:
    now = [
        get_profile_field(history, contact_id, field, LAST) for field in ("first_name", "last_name", "email_address")
    ]
    return " ".join(value for value in now if value is not None).lower()


def assert_links(client: ApiClient, history: list[Line]) -> None:
    """Check that links are grouped by URL, with one of their ids, and that each contact is counted once."""
    clickers: dict[str, set[str]] = {}
    ids: dict[str, set[str]] = {}
    for line in history:
        if line["campaign_activity_id"] == "m1" and ("link_url" in line or "url_id" in line):
            address = line.get("link_url") or f"id {line['url_id']}"
            clickers.setdefault(address, set()).add(line["contact_id"])
            ids.setdefault(address, set()).add(get_url_id(line))
    for query in ("", "?no_clicks=true"):
        response = client.get(f"/v3/reports/email_reports/m1/links{query}").json()
        assert response["campaign_activity_id"] == "m1"
        links = {link["link_url"] or f"id {link['url_id']}": link for link in response["link_click_counts"]}
        assert len(links) == len(response["link_click_counts"])
        assert {key: link["unique_clicks"] for key, link in links.items()} == {
            key: len(contacts) for key, contacts in clickers.items()
        }
        assert all(link["url_id"] in ids[key] for key, link in links.items())
        counts = [link["unique_clicks"] for link in response["link_click_counts"]]
        assert counts == sorted(counts, reverse=True)


@pytest.mark.slow
@REAL_SERVER
@given(
    history=A_HISTORY,
    limit=st.integers(1, 5),
    filters=st.tuples(
        st.sampled_from([*URL_IDS, "0", *(get_url_id({"link_url": link}) for link in LINKS), "5"]),
        st.lists(st.sampled_from(CODES), min_size=1, max_size=4),
    ),
    bounds=st.tuples(st.integers(FIRST - 1, LAST), st.integers(0, 7)),
)
def test_filtered_rows_equal_recount(
    server: Server, history: list[Line], limit: int, filters: tuple[str, list[str]], bounds: tuple[int, int]
) -> None:
    url_id, codes = filters
    after, before = bounds[0], bounds[0] + bounds[1]
    history = [{**line, "campaign_activity_id": "m1"} for line in history]
    history = deduplicate(history)
    within = f"limit={limit}&created_after={format_time(after)}&created_before={format_time(before)}"
    expected = [format_time(time) for time in range(after, before + 1)]
    with server.client(f"selected-{uuid4().hex}") as client:
        client.record(*history)
        for report, query, field, values in (
            ("clicks", f"url_id={url_id}", "url_id", {url_id}),
            ("bounces", "&".join(f"bounce_code={code}" for code in codes), "bounce_code", set(codes)),
        ):
            pages = list(client.walk_tracking("m1", report, f"{query}&{within}"))
            walked = [row for page in pages for row in page]
            kept = [
                row for row in make_rows(history, report) if row[field] in values and row["created_time"] in expected
            ]
            assert count_rows(walked) == count_rows(kept)
            assert is_newest_first(walked)
            assert all(len(page) == limit for page in pages[:-1])


@pytest.mark.slow
@REAL_SERVER
@given(
    history=st.lists(draw_line(), min_size=8, max_size=40),
    late=st.lists(draw_line(), max_size=40),
    limit=st.integers(1, 5),
)
def test_insert_between_pages_neither_repeats_nor_hides_rows(
    server: Server, history: list[Line], late: list[Line], limit: int
) -> None:
    one_report = {"campaign_activity_id": "m1", "tracking_activity_type": "em_opens"}
    lines = [
        {field: line[field] for field in ("contact_id", "created_time", "event_id") if field in line} | one_report
        for line in [*history, *late]
    ]
    first = deduplicate(lines[: len(history)])
    arriving = iter(lines[len(history) :])
    with server.client(f"late-{uuid4().hex}") as client:
        client.record(*first)
        walked: list[dict[str, str]] = []
        for page in client.walk_tracking("m1", "opens", f"limit={limit}"):
            walked += page
            client.record(*itertools.islice(arriving, 2))
    seen = Counter((row["contact_id"], row["created_time"]) for row in walked)
    before, after = (
        Counter((line["contact_id"], format_time(get_milliseconds(line))) for line in item)
        for item in (first, deduplicate(lines))
    )
    assert before <= seen <= after
    assert is_newest_first(walked)
