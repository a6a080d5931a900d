"""Counting the items of a JSON array that arrives in slices."""

import json
import random

import pytest

from rapport.api.track import item_counter
from rapport.api.track.item_counter import ItemCounter
from rapport.errors import PayloadTooLarge

TEXT = 'ab"\\[]{},: \né'


def random_value(rng: random.Random, depth: int = 0) -> object:
    """Draw a JSON value, with brackets and quotes in its strings."""
    activity_type = rng.randrange(7 if depth < 4 else 4)
    if activity_type == 0:
        return rng.randrange(1_000)
    if activity_type == 1:
        return None
    if activity_type in {2, 3}:
        return "".join(rng.choice(TEXT) for _ in range(rng.randrange(8)))
    if activity_type == 4:
        return {f'{number}"{{': random_value(rng, depth + 1) for number in range(rng.randrange(4))}
    return [random_value(rng, depth + 1) for _ in range(rng.randrange(5))]


def is_more_than(body: bytes, count: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(item_counter, "MAX_LINES", count)
    counter = ItemCounter(body)
    try:
        while not counter.is_done:
            counter.step()
    except PayloadTooLarge:
        return True
    return False


def test_item_count_equals_json_array_length(monkeypatch: pytest.MonkeyPatch) -> None:
    # A slice must hold the longest string.
    monkeypatch.setattr(item_counter, "_SCAN_BYTES", 60)
    monkeypatch.setattr(item_counter, "_SCAN_TOKENS", 5)
    rng = random.Random(15)
    for _ in range(3_000):
        items = [random_value(rng) for _ in range(rng.randrange(1, 9))]
        body = json.dumps(items, indent=rng.choice([None, 1]), ensure_ascii=rng.random() < 0.5).encode()
        assert not is_more_than(body, len(items), monkeypatch), body
        assert is_more_than(body, len(items) - 1, monkeypatch) == (len(items) > 1), body


def test_invalid_json_is_counted_without_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_counter, "_SCAN_BYTES", 60)
    monkeypatch.setattr(item_counter, "_SCAN_TOKENS", 5)
    rng = random.Random(16)
    for _ in range(3_000):
        body = "".join(rng.choice(TEXT) for _ in range(rng.randrange(200))).encode()
        is_more_than(body, 10, monkeypatch)
