"""How did this campaign do? Its numbers, from what has been counted."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec
from msgspec.structs import replace

from rapport.activity import ActivityType, BounceCode, DeviceType
from rapport.errors import UnknownCampaign
from rapport.instant import Instant
from rapport.store.counters import ALL, Counter, SentCampaign, SentCampaignQuery
from rapport.store.protocol import Store


class Counts:
    """What has been counted of one or several campaign activities, by type and detail; contacts for each of them."""

    def __init__(self, counters: Iterable[Counter]) -> None:
        self._totals: dict[tuple[int, int], int] = defaultdict(int)
        self._contacts: dict[tuple[int, int], int] = defaultdict(int)
        totals, of_contacts = self._totals, self._contacts
        for _, _, kind, detail, total, contacts, _ in counters:
            if kind is not None:
                key = kind, detail
                totals[key] += total
                if contacts is not None:
                    of_contacts[key] += contacts

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing at all."""
        return not self._totals

    def contacts(self, kind: ActivityType) -> int:
        """How many contacts did it, each counted once for each campaign activity."""
        return self._contacts[kind, ALL]

    def total(self, kind: ActivityType, device_type: DeviceType | None = None) -> int:
        """How often it was done, at all or with devices of a type."""
        return self._totals[kind, ALL if device_type is None else device_type]

    def total_without_device(self, kind: ActivityType) -> int:
        """How often it was done with a device that nobody knows."""
        return self.total(kind) - sum(self.total(kind, device_type) for device_type in DeviceType)

    def bounced(self, bounce_code: BounceCode) -> int:
        """How many contacts the mail came back from with this code."""
        return self._contacts[ActivityType.EM_BOUNCES, bounce_code]

    @property
    def not_opened(self) -> int:
        """Sends without opens and bounces, not below 0."""
        sends, opens, bounces = map(
            self.contacts, (ActivityType.EM_SENDS, ActivityType.EM_OPENS, ActivityType.EM_BOUNCES)
        )
        return max(0, sends - opens - bounces)


class StatsOf(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of a campaign activity, or of a campaign as a whole."""

    campaign_id: str | None
    campaign_activity_id: str | None
    counts: Counts


class SummariesRequest(msgspec.Struct, frozen=True, array_like=True):
    """Which page of the summaries: all that the cursor of the next one carries."""

    limit: int
    not_before: Instant
    behind: tuple[Instant, str]


class Summaries(msgspec.Struct, frozen=True, kw_only=True):
    """A page of campaigns, that which was sent last first, with their numbers; and the next page if there is one."""

    campaigns: list[SentCampaign]
    counts: list[Counts]
    together: Counts
    next: SummariesRequest | None


def percent(some: int, all_of_them: int) -> float:
    """How many of a hundred, with one decimal, a half rounded up; 0 of nothing.

    See docs/compatibility.md#rates-and-rounding.
    """
    if all_of_them <= 0:
        return 0.0
    return (some * 2_000 + all_of_them) // (2 * all_of_them) / 10


def percents_of(counts: Counts) -> dict[str, float]:
    """The percents by their names, 0 to 100."""
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
    for name, kind in (("open", opens), ("click", clicks)):
        handheld = counts.total(kind, DeviceType.MOBILE) + counts.total(kind, DeviceType.TABLET)
        percents[f"desktop_{name}"] = percent(counts.total(kind, DeviceType.COMPUTER), counts.total(kind))
        percents[f"mobile_{name}"] = percent(handheld, counts.total(kind))
    return percents


async def campaign_activity_stats(
    store: Store, account_id: str, campaign_activity_ids: Sequence[str]
) -> tuple[list[StatsOf], list[str]]:
    """The numbers of the campaign activities that have any, and the ids of those that have none or aren't there."""
    counted: dict[str, list[Counter]] = defaultdict(list)
    for counter in await store.counters_of_campaign_activities(account_id, campaign_activity_ids):
        if counter.type is not None:
            counted[counter.campaign_activity_id].append(counter)
    found = [
        StatsOf(campaign_id=counted[each][0].campaign_id, campaign_activity_id=each, counts=Counts(counted[each]))
        for each in campaign_activity_ids
        if each in counted
    ]
    return found, [each for each in campaign_activity_ids if each not in counted]


async def campaign_stats(store: Store, account_id: str, campaign_ids: Sequence[str]) -> list[StatsOf]:
    """The numbers of campaigns, all campaign activities of each together. Raises UnknownCampaign for the first."""
    counted = await _by_campaign(store, account_id, campaign_ids)
    for campaign_id in campaign_ids:
        if campaign_id not in counted:
            raise UnknownCampaign(campaign_id)
    return [
        StatsOf(campaign_id=campaign_id, campaign_activity_id=None, counts=Counts(counted[campaign_id]))
        for campaign_id in campaign_ids
    ]


async def campaign_summaries(store: Store, account_id: str, request: SummariesRequest) -> Summaries:
    """A page of the campaigns that were sent, with their numbers, and those of the page together."""
    found = await store.sent_campaigns(
        account_id, SentCampaignQuery(request.not_before, request.behind, request.limit + 1)
    )
    page = found[: request.limit]
    counted = await _by_campaign(store, account_id, [sent.campaign_id for sent in page]) if page else {}
    following = None
    if len(found) > request.limit:
        following = replace(request, behind=(page[-1].last_sent, page[-1].campaign_id))
    return Summaries(
        campaigns=page,
        counts=[Counts(counted.get(sent.campaign_id, ())) for sent in page],
        together=Counts(counter for sent in page for counter in counted.get(sent.campaign_id, ())),
        next=following,
    )


async def _by_campaign(store: Store, account_id: str, campaign_ids: Sequence[str]) -> dict[str, list[Counter]]:
    counted: dict[str, list[Counter]] = defaultdict(list)
    for counter in await store.counters_of_campaigns(account_id, campaign_ids):
        if counter.campaign_id is not None:
            counted[counter.campaign_id].append(counter)
    return counted
