"""Hours in which a hook's events may have been missed."""

from hypothesis import given
from hypothesis import strategies as st

from rapport.recording.missed_hours import DAYS, find_missed_hours

NOW = 490_000


def constant(count: int) -> dict[int, int]:
    return dict.fromkeys(range(NOW - DAYS * 24, NOW + 1), count)


def test_gap_in_steady_traffic_is_found() -> None:
    events = constant(20)
    for hour in (NOW - 30, NOW - 31, NOW - 100):
        del events[hour]
    assert find_missed_hours(events, 0, NOW) == [NOW - 30, NOW - 31, NOW - 100]


def test_sparse_traffic_has_no_gaps() -> None:
    events = constant(4)
    del events[NOW - 30]
    assert find_missed_hours(events, 0, NOW) == []


def test_daily_pause_is_not_a_gap() -> None:
    events = {hour: count for hour, count in constant(50).items() if hour % 24 not in {1, 2, 3}}
    assert find_missed_hours(events, 0, NOW) == []


def test_hours_before_creation_and_the_latest_are_left_out() -> None:
    events = {hour: count for hour, count in constant(50).items() if NOW - 200 < hour < NOW - 1}
    assert find_missed_hours(events, NOW - 200, NOW) == []


@given(
    events=st.dictionaries(st.integers(NOW - DAYS * 24, NOW), st.integers(0, 20)),
    created=st.integers(NOW - 400, NOW),
)
def test_missed_hours_equal_brute_force(events: dict[int, int], created: int) -> None:
    first = max(created + 1, NOW - DAYS * 24)
    closed = [hour for hour in range(first, NOW + 1) if hour <= NOW - 2]
    expected = []
    for hour in closed:
        others = [events.get(other, 0) for other in closed if other != hour and (other - hour) % 24 == 0]
        is_busy = len(others) >= 4 and sum(count >= 5 for count in others) >= 0.75 * len(others)
        if not events.get(hour, 0) and is_busy:
            expected.append(hour)
    assert find_missed_hours(events, created, NOW) == expected[::-1]
