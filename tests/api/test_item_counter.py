"""The items of an array are counted as JSON has them, wherever a slice ends."""

import json
import random

import pytest

from rapport.api.track import item_counter
from rapport.api.track.item_counter import ItemCounter
from rapport.errors import TooLarge

TEXT = 'ab"\\[]{},: \né'


def value(dice: random.Random, depth: int = 0) -> object:
    """Any JSON value, with all that could mislead a counter in its texts."""
    kind = dice.randrange(7 if depth < 4 else 4)
    if kind == 0:
        return dice.randrange(1_000)
    if kind == 1:
        return None
    if kind in {2, 3}:
        return "".join(dice.choice(TEXT) for _ in range(dice.randrange(8)))
    if kind == 4:
        return {f'{number}"{{': value(dice, depth + 1) for number in range(dice.randrange(4))}
    return [value(dice, depth + 1) for _ in range(dice.randrange(5))]


def is_more_than(body: bytes, count: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(item_counter, "MAX_LINES", count)
    counter = ItemCounter(body)
    try:
        while not counter.is_done:
            counter.step()
    except TooLarge:
        return True
    return False


def test_the_count_is_that_of_json(monkeypatch: pytest.MonkeyPatch) -> None:
    # A slice has to hold the longest text.
    monkeypatch.setattr(item_counter, "_SCAN_BYTES", 60)
    monkeypatch.setattr(item_counter, "_SCAN_TOKENS", 5)
    dice = random.Random(15)
    for _ in range(3_000):
        items = [value(dice) for _ in range(dice.randrange(1, 9))]
        body = json.dumps(items, indent=dice.choice([None, 1]), ensure_ascii=dice.random() < 0.5).encode()
        assert not is_more_than(body, len(items), monkeypatch), body
        assert is_more_than(body, len(items) - 1, monkeypatch) == (len(items) > 1), body


def test_what_is_not_json_ends_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_counter, "_SCAN_BYTES", 60)
    monkeypatch.setattr(item_counter, "_SCAN_TOKENS", 5)
    dice = random.Random(16)
    for _ in range(3_000):
        body = "".join(dice.choice(TEXT) for _ in range(dice.randrange(200))).encode()
        is_more_than(body, 10, monkeypatch)
