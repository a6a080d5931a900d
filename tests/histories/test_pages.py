"""Random histories: every page walk, in every encoding, equals the answer by brute force."""

import itertools
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.histories.recount import Item, items, milliseconds, recorded
from tests.world import EVERY_TYPE, Caller, Server

TYPES = EVERY_TYPE.split(",")
CONTACTS = ["ada", "bob"]

# Few instants, so that many activities share one; the offsets name the same instants in other words.
TIMES = st.sampled_from(
    [1_767_225_600_000, 1_767_225_600_001, "2026-01-01T00:00:00Z", "2026-01-01T01:00:00.001+01:00", 1_767_225_601_000]
) | st.integers(1_767_225_600_000, 1_767_225_602_000)


@st.composite
def a_line(draw: st.DrawFn) -> dict[str, Any]:
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


A_HISTORY = st.lists(a_line(), min_size=1, max_size=60)
SOME_TYPES = st.lists(st.sampled_from(TYPES), min_size=1, max_size=12)


@st.composite
def an_encoding(draw: st.DrawFn) -> str:
    """Types as a query: repeated, joined by commas, or both, with blanks, repetitions and empty segments."""
    name = draw(st.sampled_from(["tracking_activity_type", "tracking_activities_list"]))
    comma = draw(st.sampled_from([",", "%2C", "%2c", ",%20", "+,+", ",,"]))
    groups = draw(st.lists(SOME_TYPES, min_size=1, max_size=3))
    return "&".join(f"{name}={comma.join(group)}" for group in groups)


def named_in(encoding: str) -> set[str]:
    """The types that a query names; no type's name is part of another's."""
    return {activity_type for activity_type in TYPES if activity_type in encoding}


def told(page: list[dict[str, Any]]) -> list[Item]:
    return [Item(item["created_time"], item["tracking_activity_type"], item["campaign_activity_id"]) for item in page]


REAL_SERVER = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@REAL_SERVER
@given(
    history=A_HISTORY, encoding=an_encoding(), limit=st.integers(1, 7), cuts=st.lists(st.integers(0, 60), max_size=4)
)
def test_pages_equal_recount(
    server: Server, history: list[dict[str, Any]], encoding: str, limit: int, cuts: list[int]
) -> None:
    with server.caller(f"walk-{uuid4().hex}") as caller:
        receipts = _record_in_pieces(caller, history, cuts)
        assert sum(receipt["accepted"] for receipt in receipts) == len(recorded(history))
        assert sum(receipt["duplicate"] for receipt in receipts) == len(history) - len(recorded(history))
        for contact in {line["contact_id"] for line in history}:
            pages = list(caller.walk(contact, f"{encoding}&limit={limit}"))
            walked = [item for page in pages for item in told(page)]
            assert sorted(walked) == items(history, contact, named_in(encoding))
            assert [item.created_time for item in walked] == sorted((i.created_time for i in walked), reverse=True)
            assert all(len(page) == limit for page in pages[:-1])
            assert pages[-1] or len(pages) == 1
            # The order is one and the same for every page size, ties included.
            (whole,) = list(caller.walk(contact, f"{encoding}&limit=100"))
            assert told(whole) == walked


def _record_in_pieces(caller: Caller, history: list[dict[str, Any]], cuts: list[int]) -> list[dict[str, Any]]:
    edges = [0, *sorted(cut for cut in cuts if cut < len(history)), len(history)]
    return [caller.record(*history[begin:end]) for begin, end in itertools.pairwise(edges)]


@REAL_SERVER
@given(
    history=st.lists(a_line(), min_size=5, max_size=40),
    late=st.lists(a_line(), min_size=1, max_size=40),
    limit=st.integers(1, 5),
)
def test_insert_between_pages_neither_repeats_nor_hides_rows(
    server: Server, history: list[dict[str, Any]], late: list[dict[str, Any]], limit: int
) -> None:
    with server.caller(f"late-{uuid4().hex}") as caller:
        history = [{**line, "contact_id": "ada"} for line in history]
        late = [{**line, "contact_id": "ada"} for line in late]
        caller.record(*history)
        arriving = iter(late)
        walked: list[Item] = []
        for page in caller.walk("ada", f"tracking_activity_type={EVERY_TYPE}&limit={limit}"):
            walked += told(page)
            caller.record(*itertools.islice(arriving, 2))
        before = items(history, "ada", set(TYPES))
        after = items([*history, *late], "ada", set(TYPES))
        # Everything that was there when the walk began is seen once; nothing is seen that never was.
        for item in set(before):
            assert walked.count(item) >= before.count(item)
        for item in set(walked):
            assert walked.count(item) <= after.count(item)
        assert [item.created_time for item in walked] == sorted((i.created_time for i in walked), reverse=True)


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
    with server.caller(f"bounds-{uuid4().hex}") as caller:
        caller.record(*history)
        contact = history[0]["contact_id"]
        within = f"created_after={iso(after)}&created_before={iso(before)}"
        query = f"tracking_activity_type={EVERY_TYPE}&limit={limit}&{within}"
        walked = [item for page in caller.walk(contact, query) for item in told(page)]
        kept = [line for line in recorded(history) if after <= milliseconds(line) <= before]
        assert sorted(walked) == items(kept, contact, set(TYPES))


def iso(instant: int) -> str:
    return datetime.fromtimestamp(instant / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
