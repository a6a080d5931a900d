"""The overview of an account: activity over time, recent campaigns, and live activity."""

from datetime import date, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rapport.activity import TYPE_NAMES, ActivityType, CampaignActivity
from rapport.auth.authorization import has_permission
from rapport.auth.scope import Privilege, Scope
from rapport.errors import InvalidField
from rapport.instant import Instant
from rapport.reporting.stats import Counts, calculate_meaningful_percents, get_campaign_activity_stats
from rapport.reporting.time_series import choose_day_zone, get_account_time_series
from rapport.store.reports import ReportRepository
from rapport.web.charts import build_chart
from rapport.web.labels import ACTIVITY_LABELS
from rapport.web.rendering import page
from rapport.web.routing import page_route
from rapport.web.sessions import SessionManager, now
from rapport.web.zone import get_zone, local

ACCOUNT: Final = "/account"

_SPANS: Final = {"7": "Week", "30": "30 days", "90": "90 days", "365": "Year"}
_DEFAULT_DAYS: Final = 30
_MAX_DAYS: Final = 5 * 366
_MAX_RECENT: Final = 8
"""The number of recent campaigns. At most ten can be read at once."""


class Span(NamedTuple):
    """A range of days, both included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        """The number of days."""
        return (self.last - self.first).days + 1


class RecentCampaign(NamedTuple):
    """A row of the table of recent campaigns."""

    campaign_activity: CampaignActivity
    last_sent: Instant
    sent: int
    percents: dict[str, float | None]


class AccountPage:
    """The overview page."""

    def __init__(self, reports: ReportRepository, sessions: SessionManager) -> None:
        self._reports = reports
        self._sessions = sessions

    def routes(self) -> list[Route]:
        """Return the page's route."""
        return [page_route(ACCOUNT, self.account)]

    async def account(self, request: Request) -> Response:
        """Show the overview."""
        session = self._sessions.get_session(request, Scope.CAMPAIGN_DATA, Privilege.REPORTS)
        account_id = session.principal.account_id
        zone = get_zone(request)
        recent = await self._get_recent_campaigns(account_id)
        span = _parse_span(request, local(now(), zone).date())
        series = await get_account_time_series(self._reports, account_id, span.first, span.last, zone)
        is_earlier = not (series.total(ActivityType.EM_SENDS) or request.query_params) and bool(recent)
        if is_earlier:
            # Without requested dates, show a period in which something was sent.
            span = _span_from(recent[0].last_sent, zone)
            series = await get_account_time_series(self._reports, account_id, span.first, span.last, zone)
        caption = f"Activity {_per(series.bucket_days)}{_format_zone(series.zone, zone)}"
        return page(
            "account.html",
            nav_id="account",
            session=session,
            form_token=self._sessions.make_form_token(session),
            zone=zone,
            span=span,
            is_earlier=is_earlier,
            spans=_SPANS,
            totals=[
                (TYPE_NAMES[activity_type], ACTIVITY_LABELS[activity_type], series.total(activity_type))
                for activity_type in series.types
            ],
            chart=build_chart(caption, series, series.types),
            recent=recent,
            lacks_sends=any(None in campaign.percents.values() for campaign in recent),
            shows_live=has_permission(session.principal, Scope.CONTACT_DATA, Privilege.CONTACT_REPORTS),
        )

    async def _get_recent_campaigns(self, account_id: str) -> list[RecentCampaign]:
        sends = await self._reports.list_recent_sends(account_id, _MAX_RECENT)
        if not sends:
            return []
        ids = [send.campaign_activity.campaign_activity_id for send in sends]
        stats, _ = await get_campaign_activity_stats(self._reports, account_id, ids)
        counts_by_id = {entry.campaign_activity_id: entry.counts for entry in stats}
        campaigns = []
        for campaign_activity_id, send in zip(ids, sends, strict=True):
            counts = counts_by_id.get(campaign_activity_id, Counts(()))
            sent, percents = counts.contacts(ActivityType.EM_SENDS), calculate_meaningful_percents(counts)
            campaigns.append(RecentCampaign(send.campaign_activity, send.last_sent, sent, percents))
        return campaigns


def _parse_span(request: Request, today: date) -> Span:
    params = request.query_params
    if "after" not in params and "before" not in params:
        days = params.get("days", str(_DEFAULT_DAYS))
        if days not in _SPANS:
            raise InvalidField("days", days, "must be one of " + ", ".join(_SPANS))
        return Span(today - timedelta(days=int(days) - 1), today)
    last = _parse_date("before", params.get("before", ""), today)
    first = _parse_date("after", params.get("after", ""), last - timedelta(days=_DEFAULT_DAYS - 1))
    if first > last:
        raise InvalidField("after", first.isoformat(), f"must not be after {last.isoformat()}")
    if (last - first).days >= _MAX_DAYS:
        raise InvalidField("after", first.isoformat(), "must not be more than five years before the end date")
    return Span(first, last)


def _span_from(instant: Instant, zone: ZoneInfo) -> Span:
    """Return the default number of days, starting with the day of an instant in the zone of the series."""
    first = local(instant, zone).date()
    length = timedelta(days=_DEFAULT_DAYS - 1)
    first = local(instant, choose_day_zone(zone, first, first + length)).date()
    return Span(first, first + length)


def _parse_date(name: str, text: str, default: date) -> date:
    if not text:
        return default
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise InvalidField(name, text, "must be a date like 2026-04-02") from None
    if not 1990 <= day.year < 9000:
        raise InvalidField(name, text, "must be between 1990 and 8999")
    return day


def _per(days: int) -> str:
    return "per week" if days > 1 else "per day"


def _format_zone(zone: ZoneInfo, requested: ZoneInfo) -> str:
    return "" if zone is requested else ", in UTC"
