"""Who did what with this e-mail, or on this landing page? The reports on one campaign activity."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
from msgspec.structs import replace

from rapport.activity import ActivityType, BounceCode
from rapport.errors import UnknownCampaignActivity
from rapport.instant import Instant
from rapport.reporting.page import fitting
from rapport.store.links import LinkClicks, LinkPlace, LinksQuery
from rapport.store.protocol import Store
from rapport.store.tracking import RowSelection, TrackingCursor, TrackingQuery, TrackingRow


class TrackingReport(NamedTuple):
    """A list of what contacts did: the type of its activities, and which of them it shows."""

    type: ActivityType
    shown: RowSelection = RowSelection.EVERY


EMAIL_REPORTS: Final = {
    "sends": TrackingReport(ActivityType.EM_SENDS),
    "opens": TrackingReport(ActivityType.EM_OPENS),
    "unique_opens": TrackingReport(ActivityType.EM_OPENS, RowSelection.LATEST_PER_CONTACT),
    "didnotopens": TrackingReport(ActivityType.EM_SENDS, RowSelection.NOT_OPENED),
    "clicks": TrackingReport(ActivityType.EM_CLICKS),
    "forwards": TrackingReport(ActivityType.EM_FORWARDS),
    "optouts": TrackingReport(ActivityType.EM_OPTOUTS),
    "bounces": TrackingReport(ActivityType.EM_BOUNCES),
}
"""The lists of an e-mail, by the last segment of their paths."""

LANDING_PAGE_REPORTS: Final = {
    "p_contact_opens": TrackingReport(ActivityType.P_CONTACT_OPEN),
    "p_unique_contact_opens": TrackingReport(ActivityType.P_CONTACT_OPEN, RowSelection.LATEST_PER_CONTACT),
    "p_unique_contact_clicks": TrackingReport(ActivityType.P_CONTACT_CLICK, RowSelection.LATEST_PER_CONTACT_AND_LINK),
    "p_unique_contact_adds": TrackingReport(ActivityType.P_CONTACT_ADD, RowSelection.LATEST_PER_CONTACT),
    "p_unique_contact_updates": TrackingReport(ActivityType.P_CONTACT_UPDATE, RowSelection.LATEST_PER_CONTACT),
    "p_unique_contact_sms_optins": None,
}
"""The lists of a landing page, by the last segment of their paths. None is one of which nothing is recorded."""


class TrackingRequest(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Which page: all that the cursor of the next one carries. The report is its path's."""

    limit: int
    not_before: Instant
    after: TrackingCursor
    url_id: str | None = None
    bounce_codes: tuple[BounceCode, ...] = ()
    contacts_filter: str | None = None


class TrackingPage(msgspec.Struct, frozen=True, kw_only=True):
    """The rows newest first, and the next page if there is one."""

    rows: Sequence[TrackingRow]
    next: TrackingRequest | None


class LinksRequest(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Which page of the links: all that the cursor of the next one carries."""

    limit: int
    no_clicks: bool
    after: LinkPlace | None = None


class LinksPage(msgspec.Struct, frozen=True, kw_only=True):
    """The links, most clicked first, and the next page if there is one."""

    links: Sequence[LinkClicks]
    next: LinksRequest | None


def _text_length(row: TrackingRow) -> int:
    return len(row.link_url or "") + len(row.opt_out_reason or "")


def before_all_of(instant: Instant) -> TrackingCursor:
    """The place behind which everything lies that happened before `instant`."""
    return TrackingCursor(instant, "", -(2**63))


async def tracking(
    store: Store, account_id: str, campaign_activity_id: str, report: TrackingReport | None, request: TrackingRequest
) -> TrackingPage:
    """A page of what contacts did with the campaign activity, newest first.

    Raises UnknownCampaignActivity for one that the account doesn't have.
    """
    if report is None:
        if not await store.campaign_activity_counters(account_id, [campaign_activity_id]):
            raise UnknownCampaignActivity(campaign_activity_id)
        return TrackingPage(rows=(), next=None)
    rows = await store.tracking(
        account_id,
        campaign_activity_id,
        TrackingQuery(
            type=report.type,
            shown=report.shown,
            after=request.after,
            not_before=request.not_before,
            # One more than a page: whether there is a next one.
            limit=request.limit + 1,
            url_id=request.url_id,
            bounce_codes=request.bounce_codes,
            contacts_filter=request.contacts_filter,
        ),
    )
    if rows is None:
        raise UnknownCampaignActivity(campaign_activity_id)
    shown = rows[: fitting(request.limit, map(_text_length, rows))]
    following = None
    if len(rows) > len(shown):
        following = replace(request, after=shown[-1].place)
    return TrackingPage(rows=shown, next=following)


async def links(store: Store, account_id: str, campaign_activity_id: str, request: LinksRequest) -> LinksPage:
    """Return a page of the links of the campaign activity, most clicked first.

    Those that nobody clicked only with `no_clicks` (docs/compatibility.md#links-without-clicks).
    Raises UnknownCampaignActivity.
    """
    query = LinksQuery(limit=request.limit + 1, with_unclicked=request.no_clicks, after=request.after)
    found = await store.links(account_id, campaign_activity_id, query)
    if found is None:
        raise UnknownCampaignActivity(campaign_activity_id)
    shown = found[: fitting(request.limit, (len(link.link_url or "") for link in found))]
    following = None
    if len(found) > len(shown):
        following = replace(request, after=LinkPlace(shown[-1].unique_clicks, shown[-1].key))
    return LinksPage(links=shown, next=following)
