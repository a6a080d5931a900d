"""A page of a contact's activities, and where the next one begins, as values. The API has them signed."""

from collections.abc import Mapping, Sequence

import msgspec

from rapport.activity import ActivityType, CampaignActivity
from rapport.instant import Instant
from rapport.store.protocol import ActivityRow, Position


class PageRequest(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Which page: all that the cursor of the next one carries."""

    types: tuple[ActivityType, ...]
    limit: int
    with_names: bool
    not_before: Instant
    behind: Position


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """The rows newest first, what their campaign activities are called, and the next page if there is one."""

    rows: Sequence[ActivityRow]
    campaign_activities: Mapping[int, CampaignActivity]
    next: PageRequest | None


def up_to(created_before: Instant) -> Position:
    """The position behind which everything lies that happened at `created_before` or earlier."""
    return Position(created_before + 1, -(2**63))
