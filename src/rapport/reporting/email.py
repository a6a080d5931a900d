"""Who did what with this e-mail? The reports on one campaign activity."""

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from rapport.activity import ActivityType, BounceCode
from rapport.errors import UnknownCampaignActivity
from rapport.instant import Instant
from rapport.store.protocol import Store
from rapport.store.tracking import Place, TrackingQuery, TrackingRow


class TrackingRequest(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Which page: all that the cursor of the next one carries. The type is its path's (contract 1.5, 3.1)."""

    limit: int
    not_before: Instant
    behind: Place
    url_id: str | None = None
    bounce_codes: tuple[BounceCode, ...] = ()


class TrackingPage(msgspec.Struct, frozen=True, kw_only=True):
    """The rows newest first, and the next page if there is one."""

    rows: Sequence[TrackingRow]
    next: TrackingRequest | None


def before_all_of(instant: Instant) -> Place:
    """The place behind which everything lies that happened before `instant`."""
    return Place(instant, "", -(2**63))


async def tracking(
    store: Store, account_id: str, campaign_activity_id: str, kind: ActivityType, request: TrackingRequest
) -> TrackingPage:
    """A page of what contacts did with the campaign activity, one row an activity, newest first (contract 3.2).

    Raises UnknownCampaignActivity for one that the account doesn't have.
    """
    rows = await store.tracking(
        account_id,
        campaign_activity_id,
        TrackingQuery(
            type=kind,
            behind=request.behind,
            not_before=request.not_before,
            # One more than a page: whether there is a next one.
            limit=request.limit + 1,
            url_id=request.url_id,
            bounce_codes=request.bounce_codes,
        ),
    )
    if rows is None:
        raise UnknownCampaignActivity(campaign_activity_id)
    shown = rows[: request.limit]
    following = None
    if len(rows) > request.limit:
        last = shown[-1]
        following = replace(request, behind=Place(last.created_time, last.contact_id, last.identity))
    return TrackingPage(rows=shown, next=following)
