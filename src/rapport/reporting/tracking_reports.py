"""Reports on one campaign activity, an email or a landing page: what contacts did, and which links they clicked."""

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from rapport.activity import BounceCode
from rapport.errors import UnknownCampaignActivity
from rapport.instant import Instant
from rapport.reporting.cursor_params import CursorParams
from rapport.reporting.page import count_fitting_rows
from rapport.store.links import LinkClicks, LinkCursor, LinksQuery
from rapport.store.reports import ReportRepository
from rapport.store.tracking import TrackingCursor, TrackingQuery, TrackingReport, TrackingRow


class TrackingRequest(CursorParams, frozen=True, kw_only=True):
    """The parameters of a page. The cursor of the next page contains them; the path names the report."""

    limit: int
    not_before: Instant
    after: TrackingCursor
    url_id: str | None = None
    bounce_codes: tuple[BounceCode, ...] = ()
    contacts_filter: str | None = None


class TrackingPage(msgspec.Struct, frozen=True, kw_only=True):
    """Rows, newest first, and the request for the next page, if any."""

    rows: Sequence[TrackingRow]
    next: TrackingRequest | None


class LinksRequest(CursorParams, frozen=True, kw_only=True):
    """The parameters of a page of links. The cursor of the next page contains them."""

    limit: int
    no_clicks: bool
    after: LinkCursor | None = None


class LinksPage(msgspec.Struct, frozen=True, kw_only=True):
    """Links, most clicked first, and the request for the next page, if any."""

    links: Sequence[LinkClicks]
    next: LinksRequest | None


def _text_length(row: TrackingRow) -> int:
    return len(row.link_url or "") + len(row.opt_out_reason or "")


def tracking_cursor_before(instant: Instant) -> TrackingCursor:
    """Return the cursor of a page that starts with the latest activity before `instant`."""
    return TrackingCursor(instant, "", -(2**63))


async def get_tracking_page(
    repository: ReportRepository,
    account_id: str,
    campaign_activity_id: str,
    report: TrackingReport | None,
    request: TrackingRequest,
) -> TrackingPage:
    """Return a page of a report on a campaign activity, newest first. Raises UnknownCampaignActivity."""
    if report is None:
        if not await repository.get_activity_stats(account_id, [campaign_activity_id]):
            raise UnknownCampaignActivity(campaign_activity_id)
        return TrackingPage(rows=(), next=None)
    rows = await repository.list_tracking(
        account_id,
        campaign_activity_id,
        TrackingQuery(
            type=report.type,
            selection=report.selection,
            after=request.after,
            not_before=request.not_before,
            # One more than the page has, to tell whether there is a next page.
            limit=request.limit + 1,
            url_id=request.url_id,
            bounce_codes=request.bounce_codes,
            contacts_filter=request.contacts_filter,
        ),
    )
    if rows is None:
        raise UnknownCampaignActivity(campaign_activity_id)
    page_rows = rows[: count_fitting_rows(request.limit, map(_text_length, rows))]
    next_request = None
    if len(rows) > len(page_rows):
        next_request = replace(request, after=page_rows[-1].cursor)
    return TrackingPage(rows=page_rows, next=next_request)


async def get_links_page(
    repository: ReportRepository, account_id: str, campaign_activity_id: str, request: LinksRequest
) -> LinksPage:
    """Return a page of the links of the campaign activity, most clicked first.

    Links without clicks are included only with `no_clicks` (docs/compatibility.md#links-without-clicks).
    Raises UnknownCampaignActivity.
    """
    query = LinksQuery(limit=request.limit + 1, with_unclicked=request.no_clicks, after=request.after)
    rows = await repository.list_links(account_id, campaign_activity_id, query)
    if rows is None:
        raise UnknownCampaignActivity(campaign_activity_id)
    page_rows = rows[: count_fitting_rows(request.limit, (len(link.link_url or "") for link in rows))]
    next_request = None
    if len(rows) > len(page_rows):
        next_request = replace(request, after=LinkCursor(page_rows[-1].unique_clicks, page_rows[-1].key))
    return LinksPage(links=page_rows, next=next_request)
