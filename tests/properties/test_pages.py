"""Random histories: the pages of activity details, with types in every encoding, equal a recount."""

import itertools
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers.api import ALL_ACTIVITY_TYPES, ApiClient
from tests.helpers.recount import Item, deduplicate, expected_items, get_milliseconds
from tests.helpers.server import Server

TYPES = ALL_ACTIVITY_TYPES.split(",")
CONTACTS = ["ada", "bob"]

# A few times, so that many activities share one; with offsets, the same times are written differently.
TIMES = st.sampled_from(
    [1_767_225_600_000, 1_767_225_600_001, "2026-01-01T00:00:00Z", "2026-01-01T01:00:00.001+01:00", 1_767_225_601_000]
) | st.integers(1_767_225_600_000, 1_767_225_602_000)


@st.composite
def draw_line(draw: st.DrawFn) -> dict[str, Any]:
    activity_type = draw(st.sampled_from(TYPES))
    line: dict[str, Any] = {
        "contact_id": draw(st.sampled_from(CONTACTS)),
        "campaign_activity_id": draw(st.sampled_from(["m1", "m2", "m3"])),
        "tracking_activity_type": activity_type,
        "created_time": draw(TIMES),
    }
    if activity_type.endswith(("clicks", "click")) and draw(st.booleans()):
        line["link_url"] = draw(st.sampled_from(["https://a.example", "https://b.example"]))
    if draw(st.integers(0, 3)) == 0:
        line["event_id"] = f"e{draw(st.integers(0, 12))}"
    return line


A_HISTORY = st.lists(draw_line(), min_size=1, max_size=60)
SOME_TYPES = st.lists(st.sampled_from(TYPES), min_size=1, max_size=12)


@st.composite
def draw_type_query(draw: st.DrawFn) -> str:
    """Draw a query for activity types: repeated, joined by commas, or both, with blanks and empty segments."""
    name = draw(st.sampled_from(["tracking_activity_type", "tracking_activities_list"]))
    comma = draw(st.sampled_from([",", "%2C", "%2c", ",%20", "+,+", ",,"]))
    groups = draw(st.lists(SOME_TYPES, min_size=1, max_size=3))
    return "&".join(f"{name}={comma.join(group)}" for group in groups)


def parse_type_query(encoding: str) -> set[str]:
    """Return the types in a query; no type's name is part of another's."""
    return {activity_type for activity_type in TYPES if activity_type in encoding}


def to_items(page: list[dict[str, Any]]) -> list[Item]:
    return [Item(item["created_time"], item["tracking_activity_type"], item["campaign_activity_id"]) for item in page]


REAL_SERVER = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.slow
@REAL_SERVER
@given(
    history=A_HISTORY,
    encoding=draw_type_query(),
    limit=st.integers(1, 7),
    cuts=st.lists(st.integers(0, 60), max_size=4),
)
def test_pages_equal_recount(
    server: Server, history: list[dict[str, Any]], encoding: str, limit: int, cuts: list[int]
) -> None:
    with server.client(f"walk-{uuid4().hex}") as client:
        receipts = _record_in_pieces(client, history, cuts)
        assert sum(receipt["accepted"] for receipt in receipts) == len(deduplicate(history))
        assert sum(receipt["duplicate"] for receipt in receipts) == len(history) - len(deduplicate(history))
        for contact in {line["contact_id"] for line in history}:
            pages = list(client.walk(contact, f"{encoding}&limit={limit}"))
            walked = [item for page in pages for item in to_items(page)]
            assert sorted(walked) == expected_items(history, contact, parse_type_query(encoding))
            assert [item.created_time for item in walked] == sorted((i.created_time for i in walked), reverse=True)
            assert all(len(page) == limit for page in pages[:-1])
            assert pages[-1] or len(pages) == 1
            # The order, also of equal times, is the same for every page size.
            (whole,) = list(client.walk(contact, f"{encoding}&limit=100"))
            assert to_items(whole) == walked


def _record_in_pieces(client: ApiClient, history: list[dict[str, Any]], cuts: list[int]) -> list[dict[str, Any]]:
    edges = [0, *sorted(cut for cut in cuts if cut < len(history)), len(history)]
    return [client.record(*history[start:end]) for start, end in itertools.pairwise(edges)]


@pytest.mark.slow
@REAL_SERVER
@given(
    history=st.lists(draw_line(), min_size=5, max_size=40),
    late=st.lists(draw_line(), min_size=1, max_size=40),
    limit=st.integers(1, 5),
)
def test_insert_between_pages_neither_repeats_nor_hides_rows(
    server: Server, history: list[dict[str, Any]], late: list[dict[str, Any]], limit: int
) -> None:
    with server.client(f"late-{uuid4().hex}") as client:
        history = [{**line, "contact_id": "ada"} for line in history]
        late = [{**line, "contact_id": "ada"} for line in late]
        client.record(*history)
        arriving = iter(late)
        walked: list[Item] = []
        for page in client.walk("ada", f"tracking_activity_type={ALL_ACTIVITY_TYPES}&limit={limit}"):
            walked += to_items(page)
            client.record(*itertools.islice(arriving, 2))
        before = expected_items(history, "ada", set(TYPES))
        after = expected_items([*history, *late], "ada", set(TYPES))
        # Every activity recorded before the first page is returned once, and nothing else is.
        for item in set(before):
            assert walked.count(item) >= before.count(item)
        for item in set(walked):
            assert walked.count(item) <= after.count(item)
        assert [item.created_time for item in walked] == sorted((i.created_time for i in walked), reverse=True)


@pytest.mark.slow
@REAL_SERVER
@given(
    history=A_HISTORY,
    bounds=st.tuples(st.integers(1_767_225_599_999, 1_767_225_602_001), st.integers(0, 2_500)),
    limit=st.integers(1, 9),
)
def test_time_bounds_equal_recount(
    server: Server, history: list[dict[str, Any]], bounds: tuple[int, int], limit: int
) -> None:
    after, before = bounds[0], bounds[0] + bounds[1]
    with server.client(f"bounds-{uuid4().hex}") as client:
        client.record(*history)
        contact = history[0]["contact_id"]
        within = f"created_after={format_time(after)}&created_before={format_time(before)}"
        query = f"tracking_activity_type={ALL_ACTIVITY_TYPES}&limit={limit}&{within}"
        walked = [item for page in client.walk(contact, query) for item in to_items(page)]
        kept = [line for line in deduplicate(history) if after <= get_milliseconds(line) <= before]
        assert sorted(walked) == expected_items(kept, contact, set(TYPES))


def format_time(instant: int) -> str:
    return datetime.fromtimestamp(instant / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
