"""Statistics of campaigns and campaign activities, and the summaries of all sent campaigns."""

import time
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from rapport.activity import ActivityType, BounceCode, DeviceType, is_id
from rapport.api.endpoint import Access, Resource, Returns, endpoint
from rapport.api.pagination import Cursors
from rapport.api.params import Cursor, Limit, PathIds, TimeRange
from rapport.api.query import MAX_EXCERPT_LENGTH, get_query
from rapport.api.responses import Id, Links, Time, encode_response, page_links
from rapport.auth.scope import Privilege, Scope
from rapport.auth.token import Principal
from rapport.errors import MalformedCampaignActivityId, UnknownCampaign, UnknownCampaignActivity
from rapport.instant import MAX_INSTANT, MIN_INSTANT, Instant, iso
from rapport.reporting.stats import (
    Counts,
    StatsEntry,
    SummariesRequest,
    calculate_percents,
    get_campaign_activity_stats,
    get_campaign_stats,
    get_campaign_summaries,
)
from rapport.store.contacts import InstantRange
from rapport.store.reports import ReportRepository

SUMMARIES: Final = "/v3/reports/summary_reports/email_campaign_summaries"

_READ: Final = Access(Scope.CAMPAIGN_DATA, Privilege.REPORTS)
_TAG: Final = "Email Reporting"
_NOT_FOUND_KEY: Final = "reportingsvc.not_found.invalid_path_param.campaign_activity_ids."
_STATS_DESCRIPTION: Final = (
    "Counts are of contacts, except those with `all`, which are of activities. Each has a name with underscores and, "
    "where Constant Contact's guide has dots, one with dots."
)

# Parameters

CAMPAIGN_IDS: Final = PathIds("campaign_ids", 150, "spring,summer")
CAMPAIGN_ACTIVITY_IDS: Final = PathIds("campaign_activity_ids", 10, "spring-1,spring-2")
LIMIT: Final = Limit("campaigns", 500, 50)
SENT: Final = TimeRange("created_after", "created_before", "campaigns that were last sent")
CURSOR: Final = Cursor()


# Response types


class UniqueEmailCounts(msgspec.Struct, kw_only=True):
    """The number of contacts with each type of activity."""

    sends: int
    opens: int
    clicks: int
    forwards: int
    optouts: int
    abuse: int
    bounces: int
    not_opened: int


class BulkEmailCampaignSummary(msgspec.Struct, kw_only=True):
    """A campaign that was sent."""

    campaign_id: Id
    last_sent_date: Time
    unique_counts: UniqueEmailCounts


class AggregatePercents(msgspec.Struct, kw_only=True):
    """Percentages over all campaigns of the page, 0 to 100."""

    click: float
    open: float
    did_not_open: float
    bounce: float
    unsubscribe: float


class BulkEmailCampaignSummariesPage(msgspec.Struct, kw_only=True):
    """A page of campaigns, most recently sent first."""

    bulk_email_campaign_summaries: list[BulkEmailCampaignSummary]
    aggregate_percents: AggregatePercents
    links: Links = msgspec.field(name="_links")


class StatsError(msgspec.Struct):
    """An id without stats."""

    error_key: str
    error_message: str


class StatsResult(msgspec.Struct, kw_only=True):
    """The stats of a campaign activity, or of a campaign, which has percentages as well."""

    campaign_id: Id | UnsetType = UNSET
    campaign_activity_id: Id | UnsetType = UNSET
    stats: dict[str, int]
    percents: dict[str, float] | UnsetType = UNSET
    last_refresh_time: Time


class StatsPage(msgspec.Struct, kw_only=True):
    """The stats of several campaigns or campaign activities."""

    results: list[StatsResult]
    errors: list[StatsError]


_UNIQUE: Final = {
    "em_sends": ActivityType.EM_SENDS,
    "em_opens": ActivityType.EM_OPENS,
    "em_clicks": ActivityType.EM_CLICKS,
    "em_bounces": ActivityType.EM_BOUNCES,
    "em_forwards": ActivityType.EM_FORWARDS,
    "em_optouts": ActivityType.EM_OPTOUTS,
}
_ALL: Final = {"em_opens": ActivityType.EM_OPENS, "em_clicks": ActivityType.EM_CLICKS}
_BOUNCED: Final = {
    "em_bounces_blocked": BounceCode.Z,
    "em_bounces_mailbox_full": BounceCode.F,
    "em_bounces_nonexistent_address": BounceCode.B,
    "em_bounces_other": BounceCode.X,
    "em_bounces_suspended": BounceCode.S,
    "em_bounces_undeliverable": BounceCode.D,
    "em_bounces_vacation": BounceCode.V,
}


def _stats(counts: Counts, *, with_bounce_codes: bool) -> dict[str, int]:
    """Return the stats by both names of each. See docs/compatibility.md#dotted-stat-names."""
    stats = {name: counts.contacts(activity_type) for name, activity_type in _UNIQUE.items()}
    stats["em_not_opened"] = counts.not_opened
    for name, activity_type in _ALL.items():
        by_device = {"": counts.total(activity_type), "none": counts.total_without_device(activity_type)}
        by_device |= {device.name.lower(): counts.total(activity_type, device) for device in DeviceType}
        for device_name, total in by_device.items():
            for separator in ("_", "."):
                stats[separator.join(filter(None, (name, "all", device_name)))] = total
    if with_bounce_codes:
        stats["em_abuse"] = counts.complaints
        stats |= {name: counts.bounced(bounce_code) for name, bounce_code in _BOUNCED.items()}
    return stats


def _result(stats: StatsEntry, now: Instant) -> StatsResult:
    is_campaign = stats.campaign_activity_id is None
    return StatsResult(
        campaign_id=stats.campaign_id or UNSET,
        campaign_activity_id=stats.campaign_activity_id or UNSET,
        stats=_stats(stats.counts, with_bounce_codes=not is_campaign),
        percents=calculate_percents(stats.counts) if is_campaign else UNSET,
        last_refresh_time=iso(now),
    )


def _example_stats(campaign_activity_id: str | None) -> Any:  # noqa: ANN401 - JSON
    empty = StatsEntry(campaign_id="spring", campaign_activity_id=campaign_activity_id, counts=Counts(()))
    page = StatsPage(results=[_result(empty, Instant(1_600_964_786_000))], errors=[])
    return msgspec.json.decode(msgspec.json.encode(page))


class CampaignStats(Resource):
    """The reports on whole campaigns."""

    def __init__(self, reports: ReportRepository, cursors: Cursors) -> None:
        self._reports = reports
        self._cursors = cursors

    @endpoint(
        "GET",
        "/v3/reports/stats/email_campaigns/{campaign_ids:any}",
        operation_id="getEmailSummary",
        tag=_TAG,
        summary="Get campaign stats",
        description=f"{_STATS_DESCRIPTION} A contact counts once for each campaign activity. One unknown id fails the "
        "whole request.",
        access=_READ,
        params=(CAMPAIGN_IDS,),
        returns=Returns(description="The stats.", schema=StatsPage, example=_example_stats(None)),
        errors=(UnknownCampaign,),
    )
    async def get_campaign_stats(self, request: Request, principal: Principal) -> Response:
        campaign_ids = CAMPAIGN_IDS.get(request)
        try:
            stats = await self._campaign_stats(principal, campaign_ids)
        except UnknownCampaign:
            split = CAMPAIGN_IDS.get_split(request)
            if split == campaign_ids:
                raise
            stats = await self._campaign_stats(principal, split)
        return _stats_response(stats, ())

    async def _campaign_stats(self, principal: Principal, campaign_ids: list[str]) -> list[StatsEntry]:
        for campaign_id in campaign_ids:
            if not is_id(campaign_id):
                raise UnknownCampaign(campaign_id[:MAX_EXCERPT_LENGTH])
        return await get_campaign_stats(self._reports, principal.account_id, campaign_ids)

    @endpoint(
        "GET",
        "/v3/reports/stats/email_campaign_activities/{campaign_activity_ids:any}",
        operation_id="getEmailCampaignActivitySummary",
        tag=_TAG,
        summary="Get campaign activity stats",
        description=f"{_STATS_DESCRIPTION} Ids without stats are listed in `errors`.",
        access=_READ,
        params=(CAMPAIGN_ACTIVITY_IDS,),
        returns=Returns(description="The stats.", schema=StatsPage, example=_example_stats("spring-1")),
        errors=(UnknownCampaignActivity,),
    )
    async def get_campaign_activity_stats(self, request: Request, principal: Principal) -> Response:
        campaign_activity_ids = CAMPAIGN_ACTIVITY_IDS.get(request)
        stats, unknown = await self._campaign_activity_stats(principal, campaign_activity_ids)
        if unknown:
            split = CAMPAIGN_ACTIVITY_IDS.get_split(request)
            if split != campaign_activity_ids:
                stats, unknown = await self._campaign_activity_stats(principal, split)
        return _stats_response(stats, unknown)

    async def _campaign_activity_stats(
        self, principal: Principal, campaign_activity_ids: list[str]
    ) -> tuple[list[StatsEntry], list[str]]:
        for campaign_activity_id in campaign_activity_ids:
            if not is_id(campaign_activity_id):
                raise MalformedCampaignActivityId(campaign_activity_id[:MAX_EXCERPT_LENGTH])
        return await get_campaign_activity_stats(self._reports, principal.account_id, campaign_activity_ids)

    @endpoint(
        "GET",
        SUMMARIES,
        operation_id="getAllBulkEmailCampaignSummaries",
        tag=_TAG,
        summary="List campaign summaries",
        description="The campaigns that were sent, most recently sent first. The percentages are over the page.",
        access=_READ,
        params=(LIMIT, SENT, CURSOR),
        returns=Returns(
            description="A page of summaries.",
            schema=BulkEmailCampaignSummariesPage,
            example={
                "bulk_email_campaign_summaries": [
                    {
                        "campaign_id": "spring",
                        "last_sent_date": "2017-04-02T04:08:00.000Z",
                        "unique_counts": {
                            "sends": 100,
                            "opens": 40,
                            "clicks": 10,
                            "forwards": 1,
                            "optouts": 2,
                            "abuse": 0,
                            "bounces": 4,
                            "not_opened": 56,
                        },
                    }
                ],
                "aggregate_percents": {
                    "click": 25.0,
                    "open": 41.7,
                    "did_not_open": 58.3,
                    "bounce": 4.0,
                    "unsubscribe": 2.1,
                },
                "_links": {},
            },
        ),
    )
    async def list_campaign_summaries(self, request: Request, principal: Principal) -> Response:
        query = get_query(request)
        page_request = self._cursors.decode_optional(CURSOR.get(query), principal, SUMMARIES, SummariesRequest)
        if page_request is None:
            sent = SENT.get(query) or InstantRange(MIN_INSTANT, MAX_INSTANT)
            page_request = SummariesRequest(LIMIT.get(query), sent.start, (Instant(sent.end + 1), ""))
        page = await get_campaign_summaries(self._reports, principal.account_id, page_request)
        percents = calculate_percents(page.total)
        return encode_response(
            BulkEmailCampaignSummariesPage(
                bulk_email_campaign_summaries=[
                    BulkEmailCampaignSummary(
                        campaign_id=campaign.campaign_id,
                        last_sent_date=iso(campaign.last_sent),
                        unique_counts=_unique_counts(counts),
                    )
                    for campaign, counts in zip(page.campaigns, page.counts, strict=True)
                ],
                aggregate_percents=AggregatePercents(
                    **{name: percents[name] for name in ("click", "open", "did_not_open", "bounce", "unsubscribe")}
                ),
                links=page_links(self._cursors.next_href(principal, SUMMARIES, page.next)),
            )
        )


def _stats_response(stats: Sequence[StatsEntry], unknown: Sequence[str]) -> Response:
    now = Instant(time.time_ns() // 1_000_000)
    errors = [
        StatsError(_NOT_FOUND_KEY, f"no stats found for campaign activity {campaign_activity_id}")
        for campaign_activity_id in unknown
    ]
    return encode_response(StatsPage(results=[_result(entry, now) for entry in stats], errors=errors))


def _unique_counts(counts: Counts) -> UniqueEmailCounts:
    return UniqueEmailCounts(
        sends=counts.contacts(ActivityType.EM_SENDS),
        opens=counts.contacts(ActivityType.EM_OPENS),
        clicks=counts.contacts(ActivityType.EM_CLICKS),
        forwards=counts.contacts(ActivityType.EM_FORWARDS),
        optouts=counts.contacts(ActivityType.EM_OPTOUTS),
        abuse=counts.complaints,
        bounces=counts.contacts(ActivityType.EM_BOUNCES),
        not_opened=counts.not_opened,
    )
