"""The shapes of what has been counted of campaigns."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from rapport.activity import ActivityType, BounceCode, DeviceType
from rapport.api.wire import Id, Links, NextLink, Time
from rapport.instant import Instant, iso
from rapport.reporting.stats import Counts, StatsOf, Summaries, percents_of

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


class UniqueEmailCounts(msgspec.Struct, kw_only=True):
    """How many contacts did what."""

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
    """Of the campaigns on the page together, 0 to 100."""

    click: float
    open: float
    did_not_open: float
    bounce: float
    unsubscribe: float


class BulkEmailCampaignSummariesPage(msgspec.Struct, kw_only=True):
    """A page of campaigns, that which was sent last first."""

    bulk_email_campaign_summaries: list[BulkEmailCampaignSummary]
    aggregate_percents: AggregatePercents
    links: Links = msgspec.field(name="_links")


class StatsError(msgspec.Struct):
    """An id of which there is nothing to tell."""

    error_key: str
    error_message: str


class StatsResult(msgspec.Struct, kw_only=True):
    """The numbers of a campaign activity, or of a campaign, which has percents besides."""

    campaign_id: Id | UnsetType = UNSET
    campaign_activity_id: Id | UnsetType = UNSET
    stats: dict[str, int]
    percents: dict[str, float] | UnsetType = UNSET
    last_refresh_time: Time


class StatsPage(msgspec.Struct, kw_only=True):
    """The numbers of several."""

    results: list[StatsResult]
    errors: list[StatsError]


def summaries_body(summaries: Summaries, *, next_href: str | None) -> bytes:
    """The JSON of a `BulkEmailCampaignSummariesPage`; `next_href` is None on the last page."""
    percents = percents_of(summaries.together)
    page = BulkEmailCampaignSummariesPage(
        bulk_email_campaign_summaries=[
            BulkEmailCampaignSummary(
                campaign_id=sent.campaign_id, last_sent_date=iso(sent.last_sent), unique_counts=_unique_counts(counts)
            )
            for sent, counts in zip(summaries.campaigns, summaries.counts, strict=True)
        ],
        aggregate_percents=AggregatePercents(
            **{name: percents[name] for name in ("click", "open", "did_not_open", "bounce", "unsubscribe")}
        ),
        links=Links() if next_href is None else Links(NextLink(next_href)),
    )
    return msgspec.json.encode(page)


def stats_body(
    found: Sequence[StatsOf], unknown: Sequence[str], now: Instant, *, error_key: str, of_campaigns: bool
) -> bytes:
    """The JSON of a `StatsPage`: what was found as of now, and an error for each id of which there is nothing."""
    results = [
        StatsResult(
            campaign_id=each.campaign_id or UNSET,
            campaign_activity_id=each.campaign_activity_id or UNSET,
            stats=_stats(each.counts, with_bounce_codes=not of_campaigns),
            percents=percents_of(each.counts) if of_campaigns else UNSET,
            last_refresh_time=iso(now),
        )
        for each in found
    ]
    errors = [StatsError(error_key, f"{each}: there are no stats of such a campaign activity") for each in unknown]
    return msgspec.json.encode(StatsPage(results=results, errors=errors))


def _unique_counts(counts: Counts) -> UniqueEmailCounts:
    return UniqueEmailCounts(
        sends=counts.contacts(ActivityType.EM_SENDS),
        opens=counts.contacts(ActivityType.EM_OPENS),
        clicks=counts.contacts(ActivityType.EM_CLICKS),
        forwards=counts.contacts(ActivityType.EM_FORWARDS),
        optouts=counts.contacts(ActivityType.EM_OPTOUTS),
        abuse=0,
        bounces=counts.contacts(ActivityType.EM_BOUNCES),
        not_opened=counts.not_opened,
    )


def _stats(counts: Counts, *, with_bounce_codes: bool) -> dict[str, int]:
    """By the names of the schema, with underscores, and by those of the guide, with dots.

    See docs/compatibility.md#dotted-stat-names.
    """
    stats = {name: counts.contacts(kind) for name, kind in _UNIQUE.items()}
    stats["em_not_opened"] = counts.not_opened
    for name, kind in _ALL.items():
        of_devices = {"": counts.total(kind), "none": counts.total_without_device(kind)}
        of_devices |= {device_type.name.lower(): counts.total(kind, device_type) for device_type in DeviceType}
        for device, total in of_devices.items():
            for separator in ("_", "."):
                stats[separator.join(filter(None, (name, "all", device)))] = total
    if with_bounce_codes:
        stats["em_abuse"] = 0
        stats |= {name: counts.bounced(bounce_code) for name, bounce_code in _BOUNCED.items()}
    return stats


def example_stats(*, of_campaigns: bool) -> dict[str, Any]:
    """A `StatsPage` of nothing, for the description."""
    nothing = StatsOf(
        campaign_id="spring", campaign_activity_id=None if of_campaigns else "spring-1", counts=Counts(())
    )
    now = Instant(1_600_964_786_000)
    body = stats_body([nothing], [], now, error_key="", of_campaigns=of_campaigns)
    example: dict[str, Any] = msgspec.json.decode(body)
    return example
