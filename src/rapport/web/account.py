"""The account at a glance: what happened when, how the newest campaigns did, and what happens now."""

from datetime import date, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rapport.activity import TYPE_NAMES, ActivityType, CampaignActivity
from rapport.auth.gate import may
from rapport.auth.scope import Privilege, Scope
from rapport.errors import InvalidField
from rapport.instant import Instant
from rapport.reporting.stats import Counts, calculate_meaningful_percents, get_campaign_activity_stats
from rapport.reporting.time_series import choose_day_zone, get_account_time_series
from rapport.store.reports import ReportRepository
from rapport.web.charts import chart
from rapport.web.door import SessionManager, now
from rapport.web.rendering import page
from rapport.web.routing import shown
from rapport.web.words import ACTIVITY_LABELS
from rapport.web.zone import local, zone_of

ACCOUNT: Final = "/account"

_SPANS: Final = {"7": "Week", "30": "30 days", "90": "90 days", "365": "Year"}
_USUAL_SPAN: Final = 30
_LONGEST: Final = 5 * 366
"""Days that may be asked for."""
_NEWEST: Final = 8
"""Campaign activities side by side: the stats of ten are read at once at most."""


class Span(NamedTuple):
    """The days that are looked at, both included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        """How many they are."""
        return (self.last - self.first).days + 1


class Beside(NamedTuple):
    """A campaign activity in the row of the newest."""

    campaign_activity: CampaignActivity
    last_sent: Instant
    sent: int
    percents: dict[str, float | None]


class AccountPage:
    """The page of the account."""

    def __init__(self, reports: ReportRepository, door: SessionManager) -> None:
        self._reports = reports
        self._door = door

    def routes(self) -> list[Route]:
        """The route."""
        return [shown(ACCOUNT, self.account)]

    async def account(self, request: Request) -> Response:
        """The page."""
        session = self._door.session(request, Scope.CAMPAIGN_DATA, Privilege.REPORTS)
        account_id = session.principal.account_id
        zone = zone_of(request)
        newest = await self._side_by_side(account_id)
        span = _span(request, local(now(), zone).date())
        series = await get_account_time_series(self._reports, account_id, span.first, span.last, zone)
        is_earlier = not (series.total(ActivityType.EM_SENDS) or request.query_params) and bool(newest)
        if is_earlier:
            # Who asks for no time in particular is shown one in which something was sent.
            span = _span_from(newest[0].last_sent, zone)
            series = await get_account_time_series(self._reports, account_id, span.first, span.last, zone)
        return page(
            "account.html",
            here="account",
            session=session,
            form_token=self._door.form_token(session),
            zone=zone,
            span=span,
            is_earlier=is_earlier,
            spans=_SPANS,
            totals=[
                (TYPE_NAMES[activity_type], ACTIVITY_LABELS[activity_type], series.total(activity_type))
                for activity_type in series.types
            ],
            chart=chart(f"Activities {_per(series.bucket_days)}{_in(series.zone, zone)}", series, series.types),
            newest=newest,
            lacks_sends=any(None in each.percents.values() for each in newest),
            may_listen=may(session.principal, Scope.CONTACT_DATA, Privilege.CONTACT_REPORTS),
        )

    async def _side_by_side(self, account_id: str) -> list[Beside]:
        newest = await self._reports.list_recent_sends(account_id, _NEWEST)
        if not newest:
            return []
        ids = [each.campaign_activity.campaign_activity_id for each in newest]
        found, _ = await get_campaign_activity_stats(self._reports, account_id, ids)
        counts_of = {each.campaign_activity_id: each.counts for each in found}
        return [
            Beside(
                each.campaign_activity,
                each.last_sent,
                counts.contacts(ActivityType.EM_SENDS),
                calculate_meaningful_percents(counts),
            )
            for each, counts in (
                (each, counts_of.get(id_of, Counts(()))) for id_of, each in zip(ids, newest, strict=True)
            )
        ]


def _span(request: Request, today: date) -> Span:
    params = request.query_params
    if "after" not in params and "before" not in params:
        days = params.get("days", str(_USUAL_SPAN))
        if days not in _SPANS:
            raise InvalidField("days", days, "must be one of " + ", ".join(_SPANS))
        return Span(today - timedelta(days=int(days) - 1), today)
    last = _date("before", params.get("before", ""), today)
    first = _date("after", params.get("after", ""), last - timedelta(days=_USUAL_SPAN - 1))
    if first > last:
        raise InvalidField("after", first.isoformat(), f"must not be after {last.isoformat()}")
    if (last - first).days >= _LONGEST:
        raise InvalidField("after", first.isoformat(), "must not be more than five years before the end")
    return Span(first, last)


def _span_from(moment: Instant, zone: ZoneInfo) -> Span:
    """The usual span from the day of a moment on: its day in the zone that the days are those of."""
    first = local(moment, zone).date()
    length = timedelta(days=_USUAL_SPAN - 1)
    first = local(moment, choose_day_zone(zone, first, first + length)).date()
    return Span(first, first + length)


def _date(name: str, text: str, otherwise: date) -> date:
    if not text:
        return otherwise
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise InvalidField(name, text, "must be a date: 2026-04-02") from None
    if not 1990 <= found.year < 9000:
        raise InvalidField(name, text, "must lie between 1990 and 8999")
    return found


def _per(days: int) -> str:
    return "by the week" if days > 1 else "by the day"


def _in(shown: ZoneInfo, wanted: ZoneInfo) -> str:
    return "" if shown is wanted else ", in UTC"
