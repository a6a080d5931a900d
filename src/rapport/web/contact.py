"""The page of a contact: profile, heatmap of the past year, and timeline, newest first."""

import shlex
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from rapport.activity import EARLIEST, TYPE_NAMES, TYPES, Activity, ActivityType
from rapport.auth.scope import PRIVILEGES, Privilege, Role, Scope
from rapport.auth.session import Session
from rapport.errors import Forbidden, InvalidField, UnknownContact
from rapport.instant import DAY, MAX_INSTANT, Instant, from_datetime, iso
from rapport.reporting.contact_activities import count_activities, count_activities_by_day, get_timeline
from rapport.reporting.contact_summary import get_open_and_click_rates
from rapport.reporting.contacts import get_contact
from rapport.reporting.page import PageRequest, cursor_at
from rapport.reporting.period import Period
from rapport.store.activities import START_OF_HISTORY, ActivityCursor, ActivityRepository
from rapport.store.contacts import ContactRepository
from rapport.store.erasure import Erasure
from rapport.url_paths import quote_id
from rapport.web.export import DOWNLOADS
from rapport.web.heatmap import build_heatmap, get_first_day
from rapport.web.labels import ACTIVITY_LABELS, BOUNCE_LABELS, DEVICE_LABELS, PERMISSION_LABELS
from rapport.web.pagination import CURSOR, parse_identity, parse_time, reject_cursor
from rapport.web.rendering import format_day, page
from rapport.web.routing import page_route
from rapport.web.sessions import SessionManager, now, read_form, require_contact
from rapport.web.snippets import quote_url
from rapport.web.zone import get_zone, local, parse_day

CONTACT: Final = "/contacts/{contact_id}"
ERASE: Final = "/contacts/{contact_id}/erase"

_ROWS: Final = 100
_YEARS_OF_RATES: Final = 5 * 365 * DAY


class TimelineFilter(NamedTuple):
    """The selected types and dates of the timeline, and the time zone of its days."""

    types: tuple[ActivityType, ...]
    after: Instant | None
    before: Instant | None
    zone: ZoneInfo

    @property
    def period(self) -> Period:
        """The period from the first to the last selected instant."""
        return Period(
            EARLIEST if self.after is None else self.after, MAX_INSTANT if self.before is None else self.before
        )


class ContactPage:
    """The page of a contact, and the form that erases it."""

    def __init__(
        self, activities: ActivityRepository, contacts: ContactRepository, erasure: Erasure, sessions: SessionManager
    ) -> None:
        self._activities = activities
        self._contacts = contacts
        self._erasure = erasure
        self._sessions = sessions

    def routes(self) -> list[Route]:
        """Return the routes of the page and its form."""
        return [page_route(CONTACT, self.contact), page_route(ERASE, self.erase, method="POST")]

    async def contact(self, request: Request) -> Response:
        """Show the contact; with the parameter `part`, only a page of the timeline."""
        session, contact_id = require_contact(self._sessions, request, Privilege.CONTACT_REPORTS)
        account_id = session.principal.account_id
        timeline_filter = _parse_filter(request)
        after = _parse_cursor(request)
        is_part = "part" in request.query_params
        timeline = await get_timeline(self._activities, account_id, contact_id, _page_request(timeline_filter, after))
        values: dict[str, Any] = {
            "contact_id": contact_id,
            "zone": timeline_filter.zone,
            "days": list(_group_by_day(timeline.activities, timeline_filter.zone, after if is_part else None)),
            "older": None if timeline.next is None else _format_next_query(request, timeline.next.after),
            "labels": ACTIVITY_LABELS,
            "names": TYPE_NAMES,
            "devices": DEVICE_LABELS,
            "bounces": BOUNCE_LABELS,
        }
        if is_part:
            return page("timeline.html", **values)
        until = now()
        return page(
            "contact.html",
            session=session,
            form_token=self._sessions.make_form_token(session),
            contact=await get_contact(self._contacts, account_id, contact_id),
            rates=await get_open_and_click_rates(
                self._activities, account_id, contact_id, Period(Instant(until - _YEARS_OF_RATES), until)
            ),
            curl=_format_curl(self._sessions.get_base_url(request), contact_id, timeline_filter),
            permissions=PERMISSION_LABELS,
            downloads=DOWNLOADS,
            may_erase=session.principal.role is Role.OWNER and _may_erase(session),
            **await self._get_counts(request, account_id, contact_id, timeline_filter, until),
            **values,
        )

    async def _get_counts(
        self, request: Request, account_id: str, contact_id: str, timeline_filter: TimelineFilter, until: Instant
    ) -> dict[str, Any]:
        today = local(until, timeline_filter.zone).date()
        monday = get_first_day(today)
        since = from_datetime(datetime(monday.year, monday.month, monday.day, tzinfo=timeline_filter.zone))
        days = await count_activities_by_day(
            self._activities, account_id, contact_id, Period(since, until), timeline_filter.zone
        )
        counts = await count_activities(self._activities, account_id, contact_id, timeline_filter.period)
        is_filtered = "type" in request.query_params
        return {
            "heatmap": build_heatmap(days, today),
            "chips": [
                (
                    TYPE_NAMES[activity_type],
                    ACTIVITY_LABELS[activity_type],
                    counts.get(activity_type, 0),
                    is_filtered and activity_type in timeline_filter.types,
                )
                for activity_type in ActivityType
                if activity_type in counts or (is_filtered and activity_type in timeline_filter.types)
            ],
            "shown": sum(counts.get(activity_type, 0) for activity_type in timeline_filter.types),
            "is_filtered": is_filtered,
            "after": request.query_params.get("after", ""),
            "before": request.query_params.get("before", ""),
        }

    async def erase(self, request: Request) -> Response:
        """Erase the contact, if its id was typed to confirm."""
        session, contact_id = require_contact(self._sessions, request, Privilege.CONTACTS_WRITE)
        form = await read_form(request)
        self._sessions.check_form(request, session, form.get("form_token", ""))
        if form.get("typed", "").strip() != contact_id:
            reason = f"must be the contact's ID, {contact_id}; nothing was erased"
            raise InvalidField("confirmation", form.get("typed"), reason)
        if session.principal.role is not Role.OWNER or not _may_erase(session):
            raise Forbidden("only owners with the scope activity_write can erase contacts")
        if not await self._erasure.erase(session.principal.account_id, contact_id):
            raise UnknownContact(contact_id)
        return RedirectResponse("/?" + urlencode({"erased": contact_id}), status_code=303)


def _may_erase(session: Session) -> bool:
    may_write = Privilege.CONTACTS_WRITE in PRIVILEGES[session.principal.role]
    return may_write and Scope.ACTIVITY_WRITE in session.principal.scopes


def _parse_filter(request: Request) -> TimelineFilter:
    names = request.query_params.getlist("type")
    for name in names:
        if name not in TYPES:
            raise InvalidField("type", name, "must be one of " + ", ".join(TYPES))
    zone = get_zone(request)
    after = parse_day("after", request.query_params.get("after", ""), zone)
    before = parse_day("before", request.query_params.get("before", ""), zone)
    return TimelineFilter(
        types=tuple(sorted({TYPES[name] for name in names})) or tuple(ActivityType),
        after=None if after is None else after[0],
        before=None if before is None else before[1],
        zone=zone,
    )


def _page_request(timeline_filter: TimelineFilter, after: ActivityCursor | None) -> PageRequest:
    if after is None:
        after = START_OF_HISTORY if timeline_filter.before is None else cursor_at(timeline_filter.before)
    return PageRequest(
        types=timeline_filter.types,
        limit=_ROWS,
        with_names=True,
        not_before=timeline_filter.period.start,
        after=after,
    )


def _parse_cursor(request: Request) -> ActivityCursor | None:
    text = request.query_params.get(CURSOR)
    if text is None:
        return None
    try:
        time, identity = text.split(".")
        return ActivityCursor(parse_time(time), parse_identity(identity))
    except ValueError:
        reject_cursor(text)


def _format_next_query(request: Request, after: ActivityCursor) -> str:
    kept = [(name, value) for name, value in request.query_params.multi_items() if name not in {CURSOR, "part"}]
    return "?" + urlencode([*kept, (CURSOR, f"{after.created_time}.{after.identity}")])


def _group_by_day(
    activities: Sequence[Activity], zone: ZoneInfo, after: ActivityCursor | None
) -> Iterator[tuple[str | None, list[Activity]]]:
    """Group the activities by day. The heading is None for the rest of the day of the previous page's last activity."""
    previous = None if after is None else format_day(Instant(after.created_time), zone)
    for day, group in groupby(activities, lambda activity: format_day(activity.created_time, zone)):
        yield None if day == previous else day, list(group)


def _format_curl(base: str, contact_id: str, timeline_filter: TimelineFilter) -> str:
    query = "tracking_activity_type=" + ",".join(TYPE_NAMES[activity_type] for activity_type in timeline_filter.types)
    if timeline_filter.after is not None:
        query += f"&created_after={iso(timeline_filter.after)}"
    if timeline_filter.before is not None:
        query += f"&created_before={iso(timeline_filter.before)}"
    url = f"{quote_url(base)}/v3/reports/contact_reports/{quote_id(contact_id)}/activity_details?{query}"
    return f'curl -s -H "Authorization: Bearer $TOKEN" {shlex.quote(url)}'
