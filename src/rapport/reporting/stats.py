"""Statistics of campaigns and campaign activities, from the stored counters."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from rapport.activity import ActivityType, BounceCode, DeviceType
from rapport.errors import UnknownCampaign
from rapport.instant import Instant
from rapport.reporting.cursor_params import CursorParams
from rapport.store.reports import ReportRepository, SentCampaign, SentCampaignQuery, StatRow
from rapport.store.rollups import ALL, COMPLAINT

_ENGAGEMENT_TYPES: Final = (
    ActivityType.EM_OPENS,
    ActivityType.EM_CLICKS,
    ActivityType.EM_BOUNCES,
    ActivityType.EM_OPTOUTS,
    ActivityType.EM_FORWARDS,
)


class Counts:
    """The counts of one or more campaign activities, by activity type and detail.

    A contact counts once for each campaign activity.
    """

    def __init__(self, counters: Iterable[StatRow]) -> None:
        self._totals: dict[tuple[int, int], int] = defaultdict(int)
        self._contacts: dict[tuple[int, int], int] = defaultdict(int)
        totals, contacts_by_key = self._totals, self._contacts
        for _, _, activity_type, detail, total, contacts, _ in counters:
            if activity_type is not None:
                key = activity_type, detail
                totals[key] += total
                if contacts is not None:
                    contacts_by_key[key] += contacts

    @property
    def is_empty(self) -> bool:
        """True if nothing was counted."""
        return not self._totals

    def contacts(self, activity_type: ActivityType) -> int:
        """Return the number of contacts with activities of a type, each counted once per campaign activity."""
        return self._contacts[activity_type, ALL]

    def total(self, activity_type: ActivityType, device_type: DeviceType | None = None) -> int:
        """Return the number of activities of a type, optionally only those with a type of device."""
        return self._totals[activity_type, ALL if device_type is None else device_type]

    def total_without_device(self, activity_type: ActivityType) -> int:
        """Return the number of activities of a type whose device is unknown."""
        return self.total(activity_type) - sum(self.total(activity_type, device_type) for device_type in DeviceType)

    def bounced(self, bounce_code: BounceCode) -> int:
        """Return the number of contacts whose email bounced with this code."""
        return self._contacts[ActivityType.EM_BOUNCES, bounce_code]

    @property
    def complaints(self) -> int:
        """The number of contacts that reported the email as spam."""
        return self._contacts[ActivityType.EM_OPTOUTS, COMPLAINT]

    @property
    def not_opened(self) -> int:
        """The number of sends less opens and bounces, at least 0."""
        sends, opens, bounces = map(
            self.contacts, (ActivityType.EM_SENDS, ActivityType.EM_OPENS, ActivityType.EM_BOUNCES)
        )
        return max(0, sends - opens - bounces)

    @property
    def lacks_sends(self) -> bool:
        """True if more contacts did something with an email than it was sent to, so that sends must be missing."""
        sends = self.contacts(ActivityType.EM_SENDS)
        return any(self.contacts(activity_type) > sends for activity_type in _ENGAGEMENT_TYPES)


class StatsEntry(msgspec.Struct, frozen=True, kw_only=True):
    """The statistics of a campaign activity or of a whole campaign."""

    campaign_id: str | None
    campaign_activity_id: str | None
    counts: Counts


class SummariesRequest(CursorParams, frozen=True):
    """The parameters of a page of summaries. The cursor of the next page contains them."""

    limit: int
    not_before: Instant
    after: tuple[Instant, str]


class SummariesPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of campaigns, most recently sent first, with their counts and the total of the page."""

    campaigns: list[SentCampaign]
    counts: list[Counts]
    total: Counts
    next: SummariesRequest | None


def percent(part: int, whole: int) -> float:
    """Return `part` in percent of `whole`, 0 to 100, with one decimal, a half rounded up; 0 if `whole` isn't positive.

    A part can exceed its whole when sends or opens were not recorded: that is 100.
    See docs/compatibility.md#rates-and-rounding.
    """
    if whole <= 0:
        return 0.0
    return min((part * 2_000 + whole) // (2 * whole) / 10, 100.0)


def calculate_percents(counts: Counts) -> dict[str, float]:
    """Return the percentages by name, from 0 to 100."""
    opens, clicks = ActivityType.EM_OPENS, ActivityType.EM_CLICKS
    sends, bounces = counts.contacts(ActivityType.EM_SENDS), counts.contacts(ActivityType.EM_BOUNCES)
    delivered = sends - bounces
    percents = {
        "bounce": percent(bounces, sends),
        "open": percent(counts.contacts(opens), delivered),
        "did_not_open": percent(counts.not_opened, delivered),
        "unsubscribe": percent(counts.contacts(ActivityType.EM_OPTOUTS), delivered),
        "click": percent(counts.contacts(clicks), counts.contacts(opens)),
    }
    for name, activity_type in (("open", opens), ("click", clicks)):
        handheld = counts.total(activity_type, DeviceType.MOBILE) + counts.total(activity_type, DeviceType.TABLET)
        percents[f"desktop_{name}"] = percent(
            counts.total(activity_type, DeviceType.COMPUTER), counts.total(activity_type)
        )
        percents[f"mobile_{name}"] = percent(handheld, counts.total(activity_type))
    return percents


def calculate_meaningful_percents(counts: Counts) -> dict[str, float | None]:
    """Return the percentages by name, with None for those that are meaningless because sends or opens are missing."""
    percents: dict[str, float | None] = dict(calculate_percents(counts))
    if counts.lacks_sends:
        percents |= dict.fromkeys(("bounce", "open", "did_not_open", "unsubscribe"))
    if counts.contacts(ActivityType.EM_CLICKS) > counts.contacts(ActivityType.EM_OPENS):
        percents["click"] = None
    return percents


async def get_campaign_activity_stats(
    repository: ReportRepository, account_id: str, campaign_activity_ids: Sequence[str]
) -> tuple[list[StatsEntry], list[str]]:
    """Return the statistics of the campaign activities, and the ids of those that have none or don't exist."""
    counters: dict[str, list[StatRow]] = defaultdict(list)
    for counter in await repository.get_activity_stats(account_id, campaign_activity_ids):
        if counter.type is not None:
            counters[counter.campaign_activity_id].append(counter)
    entries = [
        StatsEntry(campaign_id=counters[key][0].campaign_id, campaign_activity_id=key, counts=Counts(counters[key]))
        for key in campaign_activity_ids
        if key in counters
    ]
    return entries, [key for key in campaign_activity_ids if key not in counters]


async def get_campaign_stats(
    repository: ReportRepository, account_id: str, campaign_ids: Sequence[str]
) -> list[StatsEntry]:
    """Return the statistics of campaigns. Raises UnknownCampaign for the first one that has none."""
    counters = await _get_counters_by_campaign(repository, account_id, campaign_ids)
    for campaign_id in campaign_ids:
        if campaign_id not in counters:
            raise UnknownCampaign(campaign_id)
    return [
        StatsEntry(campaign_id=campaign_id, campaign_activity_id=None, counts=Counts(counters[campaign_id]))
        for campaign_id in campaign_ids
    ]


async def get_campaign_summaries(
    repository: ReportRepository, account_id: str, request: SummariesRequest
) -> SummariesPage:
    """Return a page of the campaigns that were sent, with their statistics."""
    sent_campaigns = await repository.list_sent_campaigns(
        account_id, SentCampaignQuery(request.not_before, request.after, request.limit + 1)
    )
    page = sent_campaigns[: request.limit]
    counters = (
        await _get_counters_by_campaign(repository, account_id, [sent.campaign_id for sent in page]) if page else {}
    )
    next_request = None
    if len(sent_campaigns) > request.limit:
        next_request = replace(request, after=(page[-1].last_sent, page[-1].campaign_id))
    return SummariesPage(
        campaigns=page,
        counts=[Counts(counters.get(sent.campaign_id, ())) for sent in page],
        total=Counts(counter for sent in page for counter in counters.get(sent.campaign_id, ())),
        next=next_request,
    )


async def _get_counters_by_campaign(
    repository: ReportRepository, account_id: str, campaign_ids: Sequence[str]
) -> dict[str, list[StatRow]]:
    counters: dict[str, list[StatRow]] = defaultdict(list)
    for counter in await repository.get_campaign_stats(account_id, campaign_ids):
        if counter.campaign_id is not None:
            counters[counter.campaign_id].append(counter)
    return counters
