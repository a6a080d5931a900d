"""A campaign activity: how it did, its links, and who stands behind each number."""

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
    EMAIL_REPORTS,
    LANDING_PAGE_REPORTS,
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
from rapport.store.tracking import START_OF_REPORT, TrackingCursor
from rapport.url_paths import quote_id, restore_marks
from rapport.web.charts import chart
from rapport.web.door import SessionManager
from rapport.web.pagination import CURSOR, identity_of, refuse, time_of
from rapport.web.rendering import page
from rapport.web.routing import shown
from rapport.web.words import BOUNCE_WORDS, DEVICE_WORDS, REPORT_WORDS
from rapport.web.zone import zone_of

ACTIVITY: Final = "/activities/{campaign_activity_id}"
LIST: Final = "/activities/{campaign_activity_id}/{report}"

_ROWS: Final = 100
_REPORTS: Final = {name: report for name, report in {**EMAIL_REPORTS, **LANDING_PAGE_REPORTS}.items() if report}
_HOURS: Final = 72
_LINKS_AFTER: Final = "links_after"
_DRAWN: Final = (
    *(ActivityType.EM_OPENS, ActivityType.EM_CLICKS),
    *(ActivityType.P_CONTACT_OPEN, ActivityType.P_CONTACT_CLICK),
    *(ActivityType.P_CONTACT_ADD, ActivityType.P_CONTACT_UPDATE),
)
"""What people did: what was sent to them would dwarf it."""
_DEVICES: Final = ("computer", "mobile", "tablet", "other")


class Stage(NamedTuple):
    """A number of the funnel: what it is, how many contacts, which part of what, and the list behind it."""

    word: str
    contacts: int
    percent: float | None
    of: str
    report: str | None


class CampaignPage:
    """The page of a campaign activity, and of the lists behind its numbers."""

    def __init__(self, reports: ReportRepository, campaigns: CampaignRepository, door: SessionManager) -> None:
        self._reports = reports
        self._campaigns = campaigns
        self._door = door

    def routes(self) -> list[Route]:
        """The routes."""
        return [shown(ACTIVITY, self.campaign_activity), shown(LIST, self.list)]

    async def campaign_activity(self, request: Request) -> Response:
        """The page."""
        session, known = await self._asked(request)
        account_id = session.principal.account_id
        found, _ = await get_campaign_activity_stats(self._reports, account_id, [known["campaign_activity_id"]])
        counts = found[0].counts if found else Counts(())
        stages = _funnel(counts)
        pages = _landing_page(counts)
        asked_links = LinksRequest(limit=_ROWS, no_clicks=True, after=_link_place(request))
        found_links = await get_links_page(self._reports, account_id, known["campaign_activity_id"], asked_links)
        time_series = await get_campaign_timeline(
            self._reports, account_id, known["campaign_activity_id"], _HOURS, zone_of(request)
        )
        return page(
            "campaign.html",
            session=session,
            form_token=self._door.form_token(session),
            stages=stages if any(stage.contacts for stage in stages) or not pages else [],
            lacks_sends=counts.lacks_sends,
            pages=pages,
            most=max([stage.contacts for stage in stages] + [1]),
            links=found_links.links,
            more_links=_more_links(found_links),
            is_first_links_page=asked_links.after is None,
            bounces=[
                (code.name, BOUNCE_WORDS[code.name], counts.bounced(code))
                for code in BounceCode
                if counts.bounced(code)
            ],
            devices=_devices(counts),
            charts=[
                chart(f"The first {_HOURS} hours", time_series.first_hours, _DRAWN),
                chart("From the first day to the last", time_series.lifetime, _DRAWN),
            ],
            **known,
        )

    async def list(self, request: Request) -> Response:
        """Who stands behind a number, newest first."""
        session, known = await self._asked(request)
        name: str = request.path_params["report"]
        if name not in _REPORTS:
            raise UnknownCampaignActivity(name[:64])
        found = await get_tracking_page(
            self._reports,
            session.principal.account_id,
            known["campaign_activity_id"],
            _REPORTS[name],
            TrackingRequest(limit=_ROWS, not_before=EARLIEST, after=_place(request)),
        )
        older = None
        if found.next is not None:
            time, contact_id, *rest = found.next.after
            parts = (time, quote_id(contact_id).replace(".", "%2E"), *rest)
            older = "?" + urlencode({CURSOR: ".".join(str(part) for part in parts if part is not None)})
        return page(
            "list.html",
            session=session,
            form_token=self._door.form_token(session),
            word=REPORT_WORDS[name],
            zone=zone_of(request),
            rows=found.rows,
            devices=DEVICE_WORDS,
            bounce_codes=[code.name for code in BounceCode],
            bounce_words=BOUNCE_WORDS,
            older=older,
            **known,
        )

    async def _asked(self, request: Request) -> tuple[Session, dict[str, Any]]:
        session = self._door.session(request, Scope.CAMPAIGN_DATA, Privilege.REPORTS)
        campaign_activity_id = restore_marks(request.path_params["campaign_activity_id"])
        if not is_id(campaign_activity_id):
            raise UnknownCampaignActivity(campaign_activity_id[:64])
        known = await get_campaign_activity(self._campaigns, session.principal.account_id, campaign_activity_id)
        return session, {
            "campaign_activity_id": campaign_activity_id,
            "name": known.campaign_activity_name or campaign_activity_id,
            "subject": get_text(known.attributes, "subject"),
            "from_name": get_text(known.attributes, "from_name"),
        }


def _funnel(counts: Counts) -> list[Stage]:
    """Return the stages of an email, without those that can't be computed because sends were not recorded."""
    percents = calculate_meaningful_percents(counts)
    sent, bounced = counts.contacts(ActivityType.EM_SENDS), counts.contacts(ActivityType.EM_BOUNCES)
    after_delivery = [
        Stage("Opened", counts.contacts(ActivityType.EM_OPENS), percents["open"], "of delivered", "unique_opens"),
        Stage("Clicked", counts.contacts(ActivityType.EM_CLICKS), percents["click"], "of opened", "clicks"),
    ]
    at_the_end = [
        Stage("Bounced", bounced, percents["bounce"], "of sent", "bounces"),
        Stage(
            "Opted out",
            counts.contacts(ActivityType.EM_OPTOUTS),
            percents["unsubscribe"],
            "of delivered",
            "optouts",
        ),
        Stage("Forwarded", counts.contacts(ActivityType.EM_FORWARDS), None, "", "forwards"),
    ]
    if counts.lacks_sends:
        sends = [Stage("Sent", sent, None, "", "sends")] if sent else []
        return [*sends, *after_delivery, *at_the_end]
    return [
        Stage("Sent", sent, None, "", "sends"),
        Stage("Delivered", sent - bounced, None, "", None),
        *after_delivery,
        Stage("Did not open", counts.not_opened, percents["did_not_open"], "of delivered", "didnotopens"),
        *at_the_end,
    ]


def _landing_page(counts: Counts) -> list[Stage]:
    stages = [
        Stage("Opened", counts.contacts(ActivityType.P_CONTACT_OPEN), None, "", "p_unique_contact_opens"),
        Stage("Clicked", counts.contacts(ActivityType.P_CONTACT_CLICK), None, "", "p_unique_contact_clicks"),
        Stage("Joined", counts.contacts(ActivityType.P_CONTACT_ADD), None, "", "p_unique_contact_adds"),
        Stage(
            "Updated their details",
            counts.contacts(ActivityType.P_CONTACT_UPDATE),
            None,
            "",
            "p_unique_contact_updates",
        ),
    ]
    return stages if any(stage.contacts for stage in stages) else []


def _devices(counts: Counts) -> list[tuple[str, int, int]]:
    """Of each device how many opens and clicks there were on it, those that are known."""
    rows = [
        (_DEVICES[device], counts.total(ActivityType.EM_OPENS, device), counts.total(ActivityType.EM_CLICKS, device))
        for device in DeviceType
    ]
    return [row for row in rows if row[1] or row[2]]


def _more_links(found: LinksPage) -> str | None:
    """Return the address of the next page of links."""
    if found.next is None or found.next.after is None:
        return None
    unique_clicks, key = found.next.after
    return "?" + urlencode({_LINKS_AFTER: f"{unique_clicks}.{key}"}) + "#links"


def _link_place(request: Request) -> LinkCursor | None:
    text = request.query_params.get(_LINKS_AFTER, "")
    if not text:
        return None
    try:
        unique_clicks, key = text.split(".")
        return LinkCursor(identity_of(unique_clicks), identity_of(key))
    except ValueError:
        refuse(text)


def _place(request: Request) -> TrackingCursor:
    text = request.query_params.get(CURSOR, "")
    if not text:
        return START_OF_REPORT
    try:
        time, contact_id, identity, *keys = text.split(".")
        if len(keys) > 1:
            refuse(text)
        return TrackingCursor(time_of(time), unquote(contact_id), identity_of(identity), *map(identity_of, keys))
    except ValueError:
        refuse(text)
