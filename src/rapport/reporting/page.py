"""A page of a contact's activities, and where the next one begins, as values. The API has them signed."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from rapport.activity import ActivityType, CampaignActivity
from rapport.instant import Instant
from rapport.store.protocol import ActivityCursor, ActivityRow

MAX_TEXT: Final = 500_000
"""Characters of links and reasons on a page. Beyond that it has fewer rows than its limit; a usual one has a tenth."""


class PageRequest(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Which page: all that the cursor of the next one carries."""

    types: tuple[ActivityType, ...]
    limit: int
    with_names: bool
    not_before: Instant
    after: ActivityCursor


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """The rows newest first, what their campaign activities are called, and the next page if there is one."""

    rows: Sequence[ActivityRow]
    campaign_activities: Mapping[int, CampaignActivity]
    next: PageRequest | None


def cursor_at(created_before: Instant) -> ActivityCursor:
    """The position behind which everything lies that happened at `created_before` or earlier."""
    return ActivityCursor(created_before + 1, -(2**63))


def fitting(limit: int, lengths: Iterable[int]) -> int:
    """Return how many rows, given the lengths of their long texts, fit on a page: one at least."""
    text = rows = 0
    for length in lengths:
        text += length
        if rows == limit or (rows and text > MAX_TEXT):
            break
        rows += 1
    return rows
