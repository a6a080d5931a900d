"""A page of a contact's activities, and the request for the next page, which the API signs into a cursor."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from rapport.activity import ActivityType, CampaignActivity
from rapport.instant import Instant
from rapport.reporting.cursor_params import CursorParams
from rapport.store.activities import ActivityCursor, ActivityRow

MAX_TEXT: Final = 500_000
"""The maximum number of characters of links and reasons on a page; a typical page has a tenth. A page with longer texts
has fewer rows than its limit."""


class PageRequest(CursorParams, frozen=True, kw_only=True):
    """The parameters of a page. The cursor of the next page contains them."""

    types: tuple[ActivityType, ...]
    limit: int
    with_names: bool
    not_before: Instant
    after: ActivityCursor


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Rows, newest first, the campaign activities that they refer to, and the request for the next page, if any."""

    rows: Sequence[ActivityRow]
    campaign_activities: Mapping[int, CampaignActivity]
    next: PageRequest | None


def cursor_at(created_before: Instant) -> ActivityCursor:
    """Return the cursor of a page that starts with the latest activity at `created_before` or earlier."""
    return ActivityCursor(created_before + 1, -(2**63))


def count_fitting_rows(limit: int, lengths: Iterable[int]) -> int:
    """Return how many rows with texts of these lengths fit on a page: at least one."""
    text = rows = 0
    for length in lengths:
        text += length
        if rows == limit or (rows and text > MAX_TEXT):
            break
        rows += 1
    return rows
