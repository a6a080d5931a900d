"""A contact: who it is, a year at a glance, and all that it did, newest first."""

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
from rapport.errors import InvalidField, UnknownContact
from rapport.instant import DAY, LAST, Instant, from_datetime, iso
from rapport.reporting.contact_activities import count_activities, count_activities_by_day, get_timeline
from rapport.reporting.contact_summary import get_open_and_click_rates
from rapport.reporting.contacts import get_contact
from rapport.reporting.page import PageRequest, cursor_at
from rapport.reporting.period import Period
from rapport.store.activities import START_OF_HISTORY, ActivityCursor, ActivityRepository
from rapport.store.contacts import ContactRepository
from rapport.store.erasure import Erasure
from rapport.url_paths import quote_id
from rapport.web.door import SessionManager, contact_asked, now, read_form
from rapport.web.heat import first_day, year
from rapport.web.pagination import CURSOR, identity_of, refuse, time_of
from rapport.web.rendering import day_of, page
from rapport.web.routing import shown
from rapport.web.snippets import quote_url
from rapport.web.words import ACTIVITY_LABELS, BOUNCE_WORDS, DEVICE_WORDS, PERMISSION_WORDS
from rapport.web.zone import day_asked, local, zone_of

CONTACT: Final = "/contacts/{contact_id}"
ERASE: Final = "/contacts/{contact_id}/erase"

_ROWS: Final = 100
_YEARS_OF_RATES: Final = 5 * 365 * DAY


class View(NamedTuple):
    """What of the timeline is chosen, and in which zone its days are."""

    types: tuple[ActivityType, ...]
    after: Instant | None
    before: Instant | None
    zone: ZoneInfo

    @property
    def period(self) -> Period:
        """From the first to the last instant that is shown."""
        return Period(EARLIEST if self.after is None else self.after, LAST if self.before is None else self.before)


class ContactPage:
    """The page of a contact, and the form that erases it."""

    def __init__(
        self, activities: ActivityRepository, contacts: ContactRepository, erasure: Erasure, door: SessionManager
    ) -> None:
        self._activities = activities
        self._contacts = contacts
        self._erasure = erasure
        self._door = door

    def routes(self) -> list[Route]:
        """The routes."""
        return [shown(CONTACT, self.contact), shown(ERASE, self.erase, method="POST")]

    async def contact(self, request: Request) -> Response:
        """The page; with `part` only its next activities."""
        session, contact_id = contact_asked(self._door, request, Privilege.CONTACT_REPORTS)
        account_id = session.principal.account_id
        view = _view(request)
        after = _behind(request)
        is_part = "part" in request.query_params
        found = await get_timeline(self._activities, account_id, contact_id, _page_request(view, after))
        values: dict[str, Any] = {
            "contact_id": contact_id,
            "zone": view.zone,
            "days": list(_days(found.activities, view.zone, after if is_part else None)),
            "older": None if found.next is None else _older(request, found.next.after),
            "words": ACTIVITY_LABELS,
            "names": TYPE_NAMES,
            "devices": DEVICE_WORDS,
            "bounces": BOUNCE_WORDS,
        }
        if is_part:
            return page("timeline.html", **values)
        until = now()
        return page(
            "contact.html",
            session=session,
            form_token=self._door.form_token(session),
            contact=await get_contact(self._contacts, account_id, contact_id),
            rates=await get_open_and_click_rates(
                self._activities, account_id, contact_id, Period(Instant(until - _YEARS_OF_RATES), until)
            ),
            curl=_curl(self._door.address(request), contact_id, view),
            permissions=PERMISSION_WORDS,
            may_erase=session.principal.role is Role.OWNER and _may_erase(session),
            **await self._numbers(request, account_id, contact_id, view, until),
            **values,
        )

    async def _numbers(
        self, request: Request, account_id: str, contact_id: str, view: View, until: Instant
    ) -> dict[str, Any]:
        today = local(until, view.zone).date()
        monday = first_day(today)
        since = from_datetime(datetime(monday.year, monday.month, monday.day, tzinfo=view.zone))
        days = await count_activities_by_day(self._activities, account_id, contact_id, Period(since, until), view.zone)
        counts = await count_activities(self._activities, account_id, contact_id, view.period)
        is_chosen = "type" in request.query_params
        return {
            "year": year(days, today),
            "chips": [
                (
                    TYPE_NAMES[activity_type],
                    ACTIVITY_LABELS[activity_type],
                    counts.get(activity_type, 0),
                    is_chosen and activity_type in view.types,
                )
                for activity_type in ActivityType
                if activity_type in counts or (is_chosen and activity_type in view.types)
            ],
            "shown": sum(counts.get(activity_type, 0) for activity_type in view.types),
            "is_chosen": is_chosen,
            "after": request.query_params.get("after", ""),
            "before": request.query_params.get("before", ""),
        }

    async def erase(self, request: Request) -> Response:
        """Forget the contact, once its id was typed."""
        session, contact_id = contact_asked(self._door, request, Privilege.CONTACTS_WRITE)
        form = await read_form(request)
        self._door.check_form(request, session, form.get("form_token", ""))
        if form.get("typed", "").strip() != contact_id:
            raise InvalidField("typed", form.get("typed"), f"must be {contact_id}: nothing was erased")
        if session.principal.role is not Role.OWNER or not _may_erase(session):
            raise InvalidField("role", session.principal.role.value, "must be owner, with a token for activity_write")
        if not await self._erasure.erase(session.principal.account_id, contact_id):
            raise UnknownContact(contact_id)
        return RedirectResponse("/?" + urlencode({"erased": contact_id}), status_code=303)


def _may_erase(session: Session) -> bool:
    may_write = Privilege.CONTACTS_WRITE in PRIVILEGES[session.principal.role]
    return may_write and Scope.ACTIVITY_WRITE in session.principal.scopes


def _view(request: Request) -> View:
    names = request.query_params.getlist("type")
    for name in names:
        if name not in TYPES:
            raise InvalidField("type", name, "must be one of " + ", ".join(TYPES))
    zone = zone_of(request)
    after = day_asked("after", request.query_params.get("after", ""), zone)
    before = day_asked("before", request.query_params.get("before", ""), zone)
    return View(
        types=tuple(sorted({TYPES[name] for name in names})) or tuple(ActivityType),
        after=None if after is None else after[0],
        before=None if before is None else before[1],
        zone=zone,
    )


def _page_request(view: View, after: ActivityCursor | None) -> PageRequest:
    if after is None:
        after = START_OF_HISTORY if view.before is None else cursor_at(view.before)
    return PageRequest(types=view.types, limit=_ROWS, with_names=True, not_before=view.period.start, after=after)


def _behind(request: Request) -> ActivityCursor | None:
    text = request.query_params.get(CURSOR)
    if text is None:
        return None
    try:
        time, identity = text.split(".")
        return ActivityCursor(time_of(time), identity_of(identity))
    except ValueError:
        refuse(text)


def _older(request: Request, after: ActivityCursor) -> str:
    kept = [(name, value) for name, value in request.query_params.multi_items() if name not in {CURSOR, "part"}]
    return "?" + urlencode([*kept, (CURSOR, f"{after.created_time}.{after.identity}")])


def _days(
    activities: Sequence[Activity], zone: ZoneInfo, after: ActivityCursor | None
) -> Iterator[tuple[str | None, list[Activity]]]:
    """The activities by their days; what goes on with the day of the place behind which they are has no heading."""
    begun = None if after is None else day_of(Instant(after.created_time), zone)
    for day, some in groupby(activities, lambda activity: day_of(activity.created_time, zone)):
        yield None if day == begun else day, list(some)


def _curl(base: str, contact_id: str, view: View) -> str:
    query = "tracking_activity_type=" + ",".join(TYPE_NAMES[activity_type] for activity_type in view.types)
    if view.after is not None:
        query += f"&created_after={iso(view.after)}"
    if view.before is not None:
        query += f"&created_before={iso(view.before)}"
    url = f"{quote_url(base)}/v3/reports/contact_reports/{quote_id(contact_id)}/activity_details?{query}"
    return f'curl -s -H "Authorization: Bearer $TOKEN" {shlex.quote(url)}'
