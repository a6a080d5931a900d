"""The page of a campaign activity: its stats, links and charts, and the lists of contacts for each number."""

from typing import Any, Final, NamedTuple
from urllib.parse import unquote, urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rapport.activity import EARLIEST, ActivityType, BounceCode, DeviceType, is_id
from rapport.auth.scope import Privilege, Scope
from rapport.auth.session import Session
from rapport.errors import UnknownCampaignActivity
from rapport.reporting.campaigns import get_campaign_activity
from rapport.reporting.stats import Counts, calculate_meaningful_percents, get_campaign_activity_stats
from rapport.reporting.time_series import get_campaign_timeline
from rapport.reporting.tracking_reports import (
    LinksPage,
    LinksRequest,
    TrackingRequest,
    get_links_page,
    get_tracking_page,
)
from rapport.store.attributes import get_text
from rapport.store.campaigns import CampaignRepository
from rapport.store.links import LinkCursor
from rapport.store.reports import ReportRepository
from rapport.store.tracking import START_OF_REPORT, TRACKING_REPORTS, TrackingCursor
from rapport.url_paths import quote_id, restore_marks
from rapport.web.charts import build_chart
from rapport.web.export import DOWNLOADS
from rapport.web.labels import BOUNCE_LABELS, DEVICE_LABELS, REPORT_LABELS
from rapport.web.pagination import CURSOR, parse_identity, parse_time, reject_cursor
from rapport.web.rendering import page
from rapport.web.routing import page_route
from rapport.web.sessions import SessionManager
from rapport.web.zone import get_zone

ACTIVITY: Final = "/activities/{campaign_activity_id}"
LIST: Final = "/activities/{campaign_activity_id}/{report}"

_ROWS: Final = 100
_HOURS: Final = 72
_LINKS_CURSOR: Final = "links_cursor"
_CHART_TYPES: Final = (
    *(ActivityType.EM_OPENS, ActivityType.EM_CLICKS),
    *(ActivityType.P_CONTACT_OPEN, ActivityType.P_CONTACT_CLICK),
    *(ActivityType.P_CONTACT_ADD, ActivityType.P_CONTACT_UPDATE),
)
"""The types in the charts. Sends are left out, because the others would be too small to see next to them."""
_DEVICES: Final = ("computer", "mobile", "tablet", "other")


class FunnelStep(NamedTuple):
    """A row of the funnel: label, number of contacts, their share of a base, and the name of their report."""

    label: str
    contacts: int
    percent: float | None
    base: str
    report: str | None


class CampaignPage:
    """The page of a campaign activity, and the lists of its contacts."""

    def __init__(self, reports: ReportRepository, campaigns: CampaignRepository, sessions: SessionManager) -> None:
        self._reports = reports
        self._campaigns = campaigns
        self._sessions = sessions

    def routes(self) -> list[Route]:
        """Return the routes of the pages."""
        return [page_route(ACTIVITY, self.campaign_activity), page_route(LIST, self.list)]

    async def campaign_activity(self, request: Request) -> Response:
        """Show the campaign activity."""
        session, heading = await self._get_heading(request)
        account_id, campaign_activity_id = session.principal.account_id, heading["campaign_activity_id"]
        stats, _ = await get_campaign_activity_stats(self._reports, account_id, [campaign_activity_id])
        counts = stats[0].counts if stats else Counts(())
        email_steps = _build_funnel(counts)
        page_steps = _build_landing_page_steps(counts)
        links_request = LinksRequest(limit=_ROWS, no_clicks=True, after=_parse_links_cursor(request))
        links_page = await get_links_page(self._reports, account_id, campaign_activity_id, links_request)
        timeline = await get_campaign_timeline(
            self._reports, account_id, campaign_activity_id, _HOURS, get_zone(request)
        )
        return page(
            "campaign.html",
            session=session,
            form_token=self._sessions.make_form_token(session),
            email_steps=email_steps if any(step.contacts for step in email_steps) or not page_steps else [],
            lacks_sends=counts.lacks_sends,
            page_steps=page_steps,
            max_contacts=max([step.contacts for step in email_steps] + [1]),
            links=links_page.links,
            more_links=_format_next_links_query(links_page),
            is_first_links_page=links_request.after is None,
            bounces=[
                (code.name, BOUNCE_LABELS[code.name], counts.bounced(code))
                for code in BounceCode
                if counts.bounced(code)
            ],
            devices=_count_by_device(counts),
            charts=[
                build_chart(f"First {_HOURS} hours", timeline.first_hours, _CHART_TYPES),
                build_chart("All time, by day", timeline.lifetime, _CHART_TYPES),
            ],
            **heading,
        )

    async def list(self, request: Request) -> Response:
        """Show the contacts of a report, newest first."""
        session, heading = await self._get_heading(request)
        name: str = request.path_params["report"]
        if name not in TRACKING_REPORTS:
            raise UnknownCampaignActivity(name[:64])
        report_page = await get_tracking_page(
            self._reports,
            session.principal.account_id,
            heading["campaign_activity_id"],
            TRACKING_REPORTS[name],
            TrackingRequest(limit=_ROWS, not_before=EARLIEST, after=_parse_cursor(request)),
        )
        older = None
        if report_page.next is not None:
            time, contact_id, *rest = report_page.next.after
            parts = (time, quote_id(contact_id).replace(".", "%2E"), *rest)
            older = "?" + urlencode({CURSOR: ".".join(str(part) for part in parts if part is not None)})
        return page(
            "list.html",
            session=session,
            form_token=self._sessions.make_form_token(session),
            label=REPORT_LABELS[name],
            report=name,
            downloads=DOWNLOADS,
            zone=get_zone(request),
            rows=report_page.rows,
            devices=DEVICE_LABELS,
            bounce_codes=[code.name for code in BounceCode],
            bounce_labels=BOUNCE_LABELS,
            older=older,
            **heading,
        )

    async def _get_heading(self, request: Request) -> tuple[Session, dict[str, Any]]:
        session = self._sessions.get_session(request, Scope.CAMPAIGN_DATA, Privilege.REPORTS)
        campaign_activity_id = restore_marks(request.path_params["campaign_activity_id"])
        if not is_id(campaign_activity_id):
            raise UnknownCampaignActivity(campaign_activity_id[:64])
        record = await get_campaign_activity(self._campaigns, session.principal.account_id, campaign_activity_id)
        return session, {
            "campaign_activity_id": campaign_activity_id,
            "name": record.campaign_activity_name or campaign_activity_id,
            "subject": get_text(record.attributes, "subject"),
            "from_name": get_text(record.attributes, "from_name"),
        }


def _build_funnel(counts: Counts) -> list[FunnelStep]:
    """Return the steps of an email's funnel, without those that can't be computed because sends weren't recorded."""
    percents = calculate_meaningful_percents(counts)
    sent, bounced = counts.contacts(ActivityType.EM_SENDS), counts.contacts(ActivityType.EM_BOUNCES)
    after_delivery = [
        FunnelStep("Opened", counts.contacts(ActivityType.EM_OPENS), percents["open"], "of delivered", "unique_opens"),
        FunnelStep("Clicked", counts.contacts(ActivityType.EM_CLICKS), percents["click"], "of opened", "clicks"),
    ]
    at_the_end = [
        FunnelStep("Bounced", bounced, percents["bounce"], "of sent", "bounces"),
        FunnelStep(
            "Unsubscribed",
            counts.contacts(ActivityType.EM_OPTOUTS),
            percents["unsubscribe"],
            "of delivered",
            "optouts",
        ),
        FunnelStep("Forwarded", counts.contacts(ActivityType.EM_FORWARDS), None, "", "forwards"),
    ]
    if counts.lacks_sends:
        sends = [FunnelStep("Sent", sent, None, "", "sends")] if sent else []
        return [*sends, *after_delivery, *at_the_end]
    return [
        FunnelStep("Sent", sent, None, "", "sends"),
        FunnelStep("Delivered", sent - bounced, None, "", None),
        *after_delivery,
        FunnelStep("Did not open", counts.not_opened, percents["did_not_open"], "of delivered", "didnotopens"),
        *at_the_end,
    ]


def _build_landing_page_steps(counts: Counts) -> list[FunnelStep]:
    steps = [
        FunnelStep("Viewed", counts.contacts(ActivityType.P_CONTACT_OPEN), None, "", "p_unique_contact_opens"),
        FunnelStep("Clicked", counts.contacts(ActivityType.P_CONTACT_CLICK), None, "", "p_unique_contact_clicks"),
        FunnelStep("Signed up", counts.contacts(ActivityType.P_CONTACT_ADD), None, "", "p_unique_contact_adds"),
        FunnelStep(
            "Updated profile",
            counts.contacts(ActivityType.P_CONTACT_UPDATE),
            None,
            "",
            "p_unique_contact_updates",
        ),
    ]
    return steps if any(step.contacts for step in steps) else []


def _count_by_device(counts: Counts) -> list[tuple[str, int, int]]:
    """Return the opens and clicks of each device that has any."""
    rows = [
        (_DEVICES[device], counts.total(ActivityType.EM_OPENS, device), counts.total(ActivityType.EM_CLICKS, device))
        for device in DeviceType
    ]
    return [row for row in rows if row[1] or row[2]]


def _format_next_links_query(links_page: LinksPage) -> str | None:
    """Return the relative URL of the next page of links."""
    if links_page.next is None or links_page.next.after is None:
        return None
    unique_clicks, key = links_page.next.after
    return "?" + urlencode({_LINKS_CURSOR: f"{unique_clicks}.{key}"}) + "#links"


def _parse_links_cursor(request: Request) -> LinkCursor | None:
    text = request.query_params.get(_LINKS_CURSOR, "")
    if not text:
        return None
    try:
        unique_clicks, key = text.split(".")
        return LinkCursor(parse_identity(unique_clicks), parse_identity(key))
    except ValueError:
        reject_cursor(text)


def _parse_cursor(request: Request) -> TrackingCursor:
    text = request.query_params.get(CURSOR, "")
    if not text:
        return START_OF_REPORT
    try:
        time, contact_id, identity, *keys = text.split(".")
        if len(keys) > 1:
            reject_cursor(text)
        return TrackingCursor(
            parse_time(time), unquote(contact_id), parse_identity(identity), *map(parse_identity, keys)
        )
    except ValueError:
        reject_cursor(text)
