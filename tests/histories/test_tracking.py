"""Random histories of a campaign activity: every walk through its reports equals a recount of every field."""

import itertools
from collections import Counter
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.histories.recount import milliseconds, recorded
from tests.world import Caller, Server

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
# Few instants, so that many activities share one.
FIRST, LAST = 1_767_225_600_000, 1_767_225_600_006
CODES = ["B", "D", "F", "S", "V", "X", "Z"]
LINKS = ["https://a.example", "https://b.example/ü"]
URL_IDS = ["17", "9223372036854775807"]

Line = dict[str, Any]
Row = dict[str, str]


def maybe(draw: st.DrawFn, line: Line, field: str, values: list[str]) -> None:
    if draw(st.booleans()):
        line[field] = draw(st.sampled_from(values))


@st.composite
def a_line(draw: st.DrawFn) -> Line:
    activity_type = draw(st.sampled_from([f"em_{report}" for report in REPORTS] + OTHER_TYPES))
    time = draw(st.integers(FIRST, LAST))
    line: Line = {
        "contact_id": draw(st.sampled_from(["ada", "bob", "C-1", "d_2"])),
        "campaign_activity_id": draw(st.sampled_from(["m1", "m1", "m2"])),
        "tracking_activity_type": activity_type,
        "created_time": time,
    }
    # What two say of a contact at the same time is the same: which of them holds is nobody's promise.
    maybe(draw, line, "email_address", [f"{time % 3}@example.com"])
    maybe(draw, line, "first_name", [f"F{time % 2}"])
    maybe(draw, line, "last_name", [f"L{time % 4}"])
    if activity_type in {"em_opens", "em_clicks", *OTHER_TYPES}:
        maybe(draw, line, "device_type", ["computer", "mobile", "tablet", "other"])
    if activity_type.endswith(("clicks", "click")):
        maybe(draw, line, "link_url", LINKS)
        maybe(draw, line, "url_id", URL_IDS)
    if activity_type == "em_bounces":
        maybe(draw, line, "bounce_code", CODES)
    if activity_type == "em_optouts":
        maybe(draw, line, "opt_out_reason", ["Too many", 'a "b"\n'])
    if draw(st.booleans()):
        line["event_id"] = f"e{draw(st.integers(0, 99))}"
    return line


# Each once: what a repeated delivery says besides is another test's subject.
A_HISTORY = st.lists(a_line(), min_size=1, max_size=60).map(recorded)


def get_text(instant: int) -> str:
    return datetime.fromtimestamp(instant / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def url_id_of(line: Line) -> str:
    if "url_id" in line:
        return str(line["url_id"])
    if "link_url" not in line:
        return "0"
    url = line["link_url"].encode()
    digest = blake2b(b"%d:%s-" % (len(url), url), digest_size=16, person=b"rapport/link").digest()
    return str(int.from_bytes(digest[:8]) >> 1)


def said(history: list[Line], contact_id: str, field: str, until: int) -> str | None:
    """The latest that was said of a contact until then."""
    found = [
        (line["created_time"], line[field])
        for line in history
        if line["contact_id"] == contact_id and field in line and line["created_time"] <= until
    ]
    return max(found)[1] if found else None


def row_of(history: list[Line], line: Line) -> dict[str, str]:
    contact_id, time, activity_type = line["contact_id"], line["created_time"], line["tracking_activity_type"]
    row = {
        "contact_id": contact_id,
        "campaign_activity_id": line["campaign_activity_id"],
        "tracking_activity_type": activity_type,
        "created_time": get_text(time),
        "email_address": "",
    }
    for field in ("email_address", "first_name", "last_name"):
        value = line.get(field) or said(history, contact_id, field, time) or said(history, contact_id, field, LAST)
        if value is not None:
            row[field] = value
    if activity_type.endswith(("clicks", "click")):
        row |= {"url_id": url_id_of(line), "link_url": line.get("link_url", "")}
    if activity_type == "em_bounces":
        row["bounce_code"] = line.get("bounce_code", "X")
        current = said(history, contact_id, "email_address", LAST)
        if current is not None:
            row["current_email_address"] = current
    return row | {field: line[field] for field in ("device_type", "opt_out_reason") if field in line}


def of_type(history: list[Line], activity_type: str) -> list[Line]:
    return [
        line
        for line in history
        if (line["campaign_activity_id"], line["tracking_activity_type"]) == ("m1", activity_type)
    ]


def rows_of(history: list[Line], report: str) -> list[dict[str, str]]:
    return [row_of(history, line) for line in of_type(history, f"em_{report}")]


def is_of_latest(rows: list[Row], every: list[Row], by: list[str]) -> bool:
    """Whether there is one row for each that share `by`, and it is one of its latest."""
    latest: dict[tuple[str, ...], str] = {}
    for row in every:
        key = tuple(row[field] for field in by)
        latest[key] = max(latest.get(key, ""), row["created_time"])
    found = {tuple(row[field] for field in by): row["created_time"] for row in rows}
    return found == latest and len(found) == len(rows) and counted(rows) <= counted(every)


def counted(rows: list[dict[str, str]]) -> Counter[tuple[tuple[str, str], ...]]:
    return Counter(tuple(sorted(row.items())) for row in rows)


def is_newest_first(rows: list[dict[str, str]]) -> bool:
    times = [row["created_time"] for row in rows]
    return times == sorted(times, reverse=True)


REAL_SERVER = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@REAL_SERVER
@given(history=A_HISTORY, limit=st.integers(1, 9), cuts=st.lists(st.integers(0, 60), max_size=3))
def test_tracking_rows_equal_recount_in_every_field(
    server: Server, history: list[Line], limit: int, cuts: list[int]
) -> None:
    with server.caller(f"tracking-{uuid4().hex}") as caller:
        # So that it is known, whatever is drawn; in none of the reports.
        caller.record(
            {
                "contact_id": "eve",
                "campaign_activity_id": "m1",
                "tracking_activity_type": "p_contact_add",
                "created_time": FIRST,
            }
        )
        edges = [0, *sorted(cut for cut in cuts if cut < len(history)), len(history)]
        for begin, end in itertools.pairwise(edges):
            caller.record(*history[begin:end])
        for report in REPORTS:
            pages = list(caller.walk_tracking("m1", report, f"limit={limit}"))
            walked = [row for page in pages for row in page]
            assert counted(walked) == counted(rows_of(history, report))
            assert is_newest_first(walked)
            assert all(len(page) == limit for page in pages[:-1])
            assert pages[-1] or len(pages) == 1
            # The order is one and the same for every page size, ties included.
            (whole,) = list(caller.walk_tracking("m1", report, "limit=500"))
            assert whole == walked


@REAL_SERVER
@given(history=A_HISTORY, limit=st.integers(1, 5), text=st.sampled_from(["1@EXAMPLE", "f0 l2", "zzz"]))
def test_contact_lists_equal_recount(server: Server, history: list[Line], limit: int, text: str) -> None:
    """Of opens, clicks and what happens on landing pages only each contact's last; and who has not opened."""
    known: Line = {"contact_id": "eve", "campaign_activity_id": "m1", "tracking_activity_type": "em_forwards"}
    history = recorded([*history, {**known, "created_time": FIRST}])
    with server.caller(f"contacts-{uuid4().hex}") as caller:
        caller.record(*history)

        def walked(walk: Any) -> list[Row]:  # noqa: ANN401 - the pages of either family
            pages = list(walk)
            assert all(len(page) == limit for page in pages[:-1])
            rows = [row for page in pages for row in page]
            assert is_newest_first(rows)
            return rows

        unique_opens = walked(caller.walk_tracking("m1", "unique_opens", f"limit={limit}"))
        assert is_of_latest(unique_opens, rows_of(history, "opens"), ["contact_id"])
        answered = {
            line["contact_id"]
            for activity_type in ("em_opens", "em_bounces")
            for line in of_type(history, activity_type)
        }
        unanswered = [row for row in rows_of(history, "sends") if row["contact_id"] not in answered]
        unanswered = [{**row, "tracking_activity_type": "em_didnotopens"} for row in unanswered]
        did_not_open = walked(caller.walk_tracking("m1", "didnotopens", f"limit={limit}"))
        assert is_of_latest(did_not_open, unanswered, ["contact_id"])
        for report, activity_type in LANDING_PAGES.items():
            every = [
                {**row_of(history, line), "tracking_activity_type": CALLED.get(activity_type, activity_type)}
                for line in of_type(history, activity_type)
            ]
            rows = walked(caller.walk_landing_page("m1", report, f"limit={limit}"))
            if report == "p_contact_opens":
                assert counted(rows) == counted(every)
            else:
                by = ["contact_id", "url_id", "link_url"] if activity_type == "p_contact_click" else ["contact_id"]
                assert is_of_latest(rows, every, by)
            filtered = walked(caller.walk_landing_page("m1", report, f"limit={limit}&contacts_filter={text}"))
            assert filtered == [row for row in rows if text.lower() in called(history, row["contact_id"])]
        assert walked(caller.walk_landing_page("m1", "p_unique_contact_sms_optins", "")) == []
        assert_links(caller, history)


def called(history: list[Line], contact_id: str) -> str:
    now = [said(history, contact_id, field, LAST) for field in ("first_name", "last_name", "email_address")]
    return " ".join(value for value in now if value is not None).lower()


def assert_links(caller: Caller, history: list[Line]) -> None:
    """Links with one address are one, called by one of their ids; each contact is counted once."""
    clickers: dict[str, set[str]] = {}
    ids: dict[str, set[str]] = {}
    for line in history:
        if line["campaign_activity_id"] == "m1" and ("link_url" in line or "url_id" in line):
            address = line.get("link_url") or f"id {line['url_id']}"
            clickers.setdefault(address, set()).add(line["contact_id"])
            ids.setdefault(address, set()).add(url_id_of(line))
    for query in ("", "?no_clicks=true"):
        response = caller.get(f"/v3/reports/email_reports/m1/links{query}").json()
        assert response["campaign_activity_id"] == "m1"
        links = {link["link_url"] or f"id {link['url_id']}": link for link in response["link_click_counts"]}
        assert len(links) == len(response["link_click_counts"])
        assert {key: link["unique_clicks"] for key, link in links.items()} == {
            key: len(contacts) for key, contacts in clickers.items()
        }
        assert all(link["url_id"] in ids[key] for key, link in links.items())
        counts = [link["unique_clicks"] for link in response["link_click_counts"]]
        assert counts == sorted(counts, reverse=True)


@REAL_SERVER
@given(
    history=A_HISTORY,
    limit=st.integers(1, 5),
    wanted=st.tuples(
        st.sampled_from([*URL_IDS, "0", *(url_id_of({"link_url": link}) for link in LINKS), "5"]),
        st.lists(st.sampled_from(CODES), min_size=1, max_size=4),
    ),
    bounds=st.tuples(st.integers(FIRST - 1, LAST), st.integers(0, 7)),
)
def test_filtered_rows_equal_recount(
    server: Server, history: list[Line], limit: int, wanted: tuple[str, list[str]], bounds: tuple[int, int]
) -> None:
    url_id, codes = wanted
    after, before = bounds[0], bounds[0] + bounds[1]
    history = [{**line, "campaign_activity_id": "m1"} for line in history]
    history = recorded(history)
    within = f"limit={limit}&created_after={get_text(after)}&created_before={get_text(before)}"
    expected = [get_text(time) for time in range(after, before + 1)]
    with server.caller(f"selected-{uuid4().hex}") as caller:
        caller.record(*history)
        for report, query, field, values in (
            ("clicks", f"url_id={url_id}", "url_id", {url_id}),
            ("bounces", "&".join(f"bounce_code={code}" for code in codes), "bounce_code", set(codes)),
        ):
            pages = list(caller.walk_tracking("m1", report, f"{query}&{within}"))
            walked = [row for page in pages for row in page]
            kept = [row for row in rows_of(history, report) if row[field] in values and row["created_time"] in expected]
            assert counted(walked) == counted(kept)
            assert is_newest_first(walked)
            assert all(len(page) == limit for page in pages[:-1])


@REAL_SERVER
@given(
    history=st.lists(a_line(), min_size=8, max_size=40), late=st.lists(a_line(), max_size=40), limit=st.integers(1, 5)
)
def test_insert_between_pages_neither_repeats_nor_hides_rows(
    server: Server, history: list[Line], late: list[Line], limit: int
) -> None:
    one_report = {"campaign_activity_id": "m1", "tracking_activity_type": "em_opens"}
    lines = [
        {field: line[field] for field in ("contact_id", "created_time", "event_id") if field in line} | one_report
        for line in [*history, *late]
    ]
    first = recorded(lines[: len(history)])
    arriving = iter(lines[len(history) :])
    with server.caller(f"late-{uuid4().hex}") as caller:
        caller.record(*first)
        walked: list[dict[str, str]] = []
        for page in caller.walk_tracking("m1", "opens", f"limit={limit}"):
            walked += page
            caller.record(*itertools.islice(arriving, 2))
    seen = Counter((row["contact_id"], row["created_time"]) for row in walked)
    before, after = (
        Counter((line["contact_id"], get_text(milliseconds(line))) for line in each)
        for each in (first, recorded(lines))
    )
    assert before <= seen <= after
    assert is_newest_first(walked)
