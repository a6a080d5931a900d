"""A contact: who it is, a year at a glance, and all that it did, newest first."""

from collections import Counter
from itertools import groupby
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from rapport.activity import EARLIEST, TYPE_NAMES, TYPES, Activity, ActivityType, is_id
from rapport.auth.scope import PRIVILEGES, Privilege, Role, Scope
from rapport.auth.session import Session
from rapport.errors import InvalidField, UnknownContact
from rapport.instant import DAY, Instant, parse_bound
from rapport.reporting.contact import activity_days, timeline
from rapport.reporting.contact_summary import open_and_click_rates
from rapport.reporting.contacts import contact
from rapport.reporting.page import PageRequest, up_to
from rapport.reporting.period import Period
from rapport.store.protocol import BEFORE_THE_NEWEST, Position, Store
from rapport.web.door import Door, now, read_form
from rapport.web.heat import squares
from rapport.web.rendering import day_of, page
from rapport.web.routing import shown
from rapport.web.words import TYPE_WORDS

CONTACT: Final = "/contacts/{contact_id}"
ERASE: Final = "/contacts/{contact_id}/erase"

_ROWS: Final = 50
_YEARS_OF_RATES: Final = 5 * 365 * DAY


class ContactPage:
    """The page of a contact, and the form that erases it."""

    def __init__(self, store: Store, door: Door) -> None:
        self._store = store
        self._door = door

    def routes(self) -> list[Route]:
        """The routes."""
        return [shown(CONTACT, self.contact), shown(ERASE, self.erase, method="POST")]

    async def contact(self, request: Request) -> Response:
        """The page; with `part` only its next activities."""
        session, contact_id = self._asked(request, Privilege.CONTACT_REPORTS)
        account_id = session.principal.account_id
        chosen = _chosen(request)
        found = await timeline(self._store, account_id, contact_id, _page_request(request, chosen))
        older = None if found.next is None else _older(request, found.next.behind)
        values: dict[str, Any] = {
            "contact_id": contact_id,
            "days": [(day, list(some)) for day, some in groupby(found.activities, _day)],
            "older": older,
            "words": TYPE_WORDS,
        }
        if "part" in request.query_params:
            return page("timeline.html", **values)
        until = now()
        days = await activity_days(self._store, account_id, contact_id)
        counts = Counter[int]()
        for each in days:
            counts[each.type] += each.activities
        period = Period(Instant(until - _YEARS_OF_RATES), until)
        return page(
            "contact.html",
            session=session,
            form_token=self._door.form_token(session),
            contact=await contact(self._store, account_id, contact_id),
            rates=await open_and_click_rates(self._store, account_id, contact_id, period),
            squares=squares(days, until),
            chips=[
                (name, TYPE_WORDS[number], counts[number], ActivityType(number) in chosen)
                for number, name in enumerate(TYPE_NAMES)
                if counts[number]
            ],
            total=sum(counts.values()),
            is_chosen="type" in request.query_params,
            after=request.query_params.get("after", ""),
            before=request.query_params.get("before", ""),
            curl=_curl(request, contact_id, chosen),
            may_erase=session.principal.role is Role.OWNER and _may_erase(session),
            **values,
        )

    async def erase(self, request: Request) -> Response:
        """Forget the contact, once its id was typed."""
        session, contact_id = self._asked(request, Privilege.CONTACTS_WRITE)
        form = await read_form(request)
        self._door.check_form(request, session, form.get("form_token", ""))
        if form.get("typed", "").strip() != contact_id:
            raise InvalidField("typed", form.get("typed"), f"must be {contact_id}: nothing was erased")
        if session.principal.role is not Role.OWNER or not _may_erase(session):
            raise InvalidField("role", session.principal.role.value, "must be owner, with a token for activity_write")
        if not await self._store.erase(session.principal.account_id, contact_id):
            raise UnknownContact(contact_id)
        return RedirectResponse("/", status_code=303)

    def _asked(self, request: Request, privilege: Privilege) -> tuple[Session, str]:
        session = self._door.session(request, Scope.CONTACT_DATA, privilege)
        contact_id: str = request.path_params["contact_id"]
        if not is_id(contact_id):
            raise UnknownContact(contact_id[:64])
        return session, contact_id


def _may_erase(session: Session) -> bool:
    may_write = Privilege.CONTACTS_WRITE in PRIVILEGES[session.principal.role]
    return may_write and Scope.ACTIVITY_WRITE in session.principal.scopes


def _chosen(request: Request) -> tuple[ActivityType, ...]:
    names = request.query_params.getlist("type")
    for name in names:
        if name not in TYPES:
            raise InvalidField("type", name, "must be one of " + ", ".join(TYPES))
    return tuple(sorted({TYPES[name] for name in names})) or tuple(ActivityType)


def _page_request(request: Request, chosen: tuple[ActivityType, ...]) -> PageRequest:
    after, before = _bound(request, "after"), _bound(request, "before")
    behind = BEFORE_THE_NEWEST if before is None else up_to(Instant(before + DAY - 1))
    if "behind" in request.query_params:
        behind = _position(request.query_params["behind"])
    return PageRequest(
        types=chosen, limit=_ROWS, with_names=True, not_before=EARLIEST if after is None else after, behind=behind
    )


def _bound(request: Request, name: str) -> Instant | None:
    text = request.query_params.get(name, "")
    if not text:
        return None
    try:
        return parse_bound(text)
    except ValueError:
        raise InvalidField(name, text, "must be a date: 2026-04-02") from None


def _position(text: str) -> Position:
    try:
        created_time, identity = map(int, text.split("."))
        return Position(created_time, identity)
    except ValueError:
        raise InvalidField("behind", text, "must be a place that a page gave: begin with its first page") from None


def _older(request: Request, behind: Position) -> str:
    kept = [(name, value) for name, value in request.query_params.multi_items() if name not in {"behind", "part"}]
    return "?" + urlencode([*kept, ("behind", f"{behind.created_time}.{behind.identity}")])


def _day(activity: Activity) -> str:
    return day_of(activity.created_time)


def _curl(request: Request, contact_id: str, chosen: tuple[ActivityType, ...]) -> str:
    base = str(request.base_url).rstrip("/")
    query = "tracking_activity_type=" + ",".join(TYPE_NAMES[kind] for kind in chosen)
    for name, parameter in (("after", "created_after"), ("before", "created_before")):
        if request.query_params.get(name):
            query += f"&{parameter}={request.query_params[name]}"
    return (
        f'curl -s -H "Authorization: Bearer $TOKEN" '
        f"'{base}/v3/reports/contact_reports/{contact_id}/activity_details?{query}'"
    )
