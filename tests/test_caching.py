"""Caches of texts sent by clients are bounded in bytes."""

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from rapport.activity import check_id, content_identity
from rapport.api.v3 import contact_reports, tracking_reports
from rapport.api.v3.email_reports import REPORTS, EmailReports
from rapport.caching import WeighedDict
from rapport.errors import InvalidField
from rapport.instant import Instant
from rapport.recording.activity_codec import Context
from rapport.recording.decoding import decode_activity
from rapport.store.hashing import profile_key
from rapport.store.links import make_url_id
from rapport.web.zone import _zone_named

COUNT = 2_000
LONG = 8_000


def reject(field: str, text: str) -> None:
    with pytest.raises(InvalidField):
        check_id(field, text)


def read_line(link_url: str) -> None:
    line = (
        f'{{"contact_id": "c", "campaign_activity_id": "a", "tracking_activity_type": "em_clicks", '
        f'"created_time": 1767225600000, "link_url": "{link_url}"}}'
    )
    assert decode_activity(line.encode(), Context(Instant(1_767_225_600_000))).identity


CALLS: dict[str, Callable[[str], Any]] = {
    "identity_of_content": lambda text: content_identity("em_clicks", "a", text, None),
    "check_id": lambda text: reject("contact_id", text),
    "activity_of_json": read_line,
    "profile_key": lambda text: profile_key((text, None, None)),
    "make_url_id": make_url_id,
    "contact_reports.parse_page": lambda text: contact_reports.parse_page(f"next={text}".encode(), ()),
    "tracking_reports.parse_page": lambda text: tracking_reports.parse_page(
        f"next={text}".encode(), REPORTS[0], EmailReports.limit
    ),
    "zone": _zone_named,
}


@pytest.mark.parametrize("name", CALLS)
def test_long_texts_are_not_cached(name: str) -> None:
    call = CALLS[name]
    call("x" * LONG)
    tracemalloc.start()
    try:
        for number in range(COUNT):
            call(f"{number:0{LONG}}")
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < COUNT * LONG / 10


def test_weighted_cache_is_limited_by_bytes() -> None:
    remembered = WeighedDict[int, str](1_000_000)
    for number in range(1_000_000):
        if remembered.weight.is_full:
            break
        remembered.remember(number, "x" * LONG, ("x" * LONG, None))
    assert 90 < len(remembered) < 130
    remembered.clear()
    assert not remembered
    assert not remembered.weight.is_full
