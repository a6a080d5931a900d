"""How did this campaign do? Its numbers, from what has been counted."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from rapport.activity import ActivityType, BounceCode, DeviceType
from rapport.errors import UnknownCampaign
from rapport.instant import Instant
from rapport.store.counters import ALL, Counter, SentCampaign, SentCampaignQuery
from rapport.store.protocol import Store

_AFTER_A_SEND: Final = (
    ActivityType.EM_OPENS,
    ActivityType.EM_CLICKS,
    ActivityType.EM_BOUNCES,
    ActivityType.EM_OPTOUTS,
    ActivityType.EM_FORWARDS,
)


class Counts:
    """What has been counted of one or several campaign activities, by type and detail; contacts for each of them."""

    def __init__(self, counters: Iterable[Counter]) -> None:
        self._totals: dict[tuple[int, int], int] = defaultdict(int)
        self._contacts: dict[tuple[int, int], int] = defaultdict(int)
        totals, of_contacts = self._totals, self._contacts
        for _, _, activity_type, detail, total, contacts, _ in counters:
            if activity_type is not None:
                key = activity_type, detail
                totals[key] += total
                if contacts is not None:
                    of_contacts[key] += contacts

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing at all."""
        return not self._totals

    def contacts(self, activity_type: ActivityType) -> int:
        """How many contacts did it, each counted once for each campaign activity."""
        return self._contacts[activity_type, ALL]

    def total(self, activity_type: ActivityType, device_type: DeviceType | None = None) -> int:
        """How often it was done, at all or with devices of a type."""
        return self._totals[activity_type, ALL if device_type is None else device_type]

    def total_without_device(self, activity_type: ActivityType) -> int:
        """How often it was done with a device that nobody knows."""
        return self.total(activity_type) - sum(self.total(activity_type, device_type) for device_type in DeviceType)

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

    @property
    def lacks_sends(self) -> bool:
        """True if more contacts did something with an email than it was sent to, so that sends must be missing."""
        sends = self.contacts(ActivityType.EM_SENDS)
        return any(self.contacts(activity_type) > sends for activity_type in _AFTER_A_SEND)


class StatsEntry(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of a campaign activity, or of a campaign as a whole."""

    campaign_id: str | None
    campaign_activity_id: str | None
    counts: Counts


class SummariesRequest(msgspec.Struct, frozen=True, array_like=True):
    """Which page of the summaries: all that the cursor of the next one carries."""

    limit: int
    not_before: Instant
    after: tuple[Instant, str]


class Summaries(msgspec.Struct, frozen=True, kw_only=True):
    """A page of campaigns, that which was sent last first, with their numbers; and the next page if there is one."""

    campaigns: list[SentCampaign]
    counts: list[Counts]
    together: Counts
    next: SummariesRequest | None


def percent(part: int, whole: int) -> float:
    """Return `part` in percent of `whole`, 0 to 100, with one decimal, a half rounded up; 0 if `whole` isn't positive.

    A part can exceed its whole when sends or opens were not recorded: that is 100.
    See docs/compatibility.md#rates-and-rounding.
    """
    if whole <= 0:
        return 0.0
    return min((part * 2_000 + whole) // (2 * whole) / 10, 100.0)


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
    for name, activity_type in (("open", opens), ("click", clicks)):
        handheld = counts.total(activity_type, DeviceType.MOBILE) + counts.total(activity_type, DeviceType.TABLET)
        percents[f"desktop_{name}"] = percent(
            counts.total(activity_type, DeviceType.COMPUTER), counts.total(activity_type)
        )
        percents[f"mobile_{name}"] = percent(handheld, counts.total(activity_type))
    return percents


def computable_percents(counts: Counts) -> dict[str, float | None]:
    """Return the percents by name, with None for those that missing sends or opens make meaningless."""
    percents: dict[str, float | None] = dict(percents_of(counts))
    if counts.lacks_sends:
        percents |= dict.fromkeys(("bounce", "open", "did_not_open", "unsubscribe"))
    if counts.contacts(ActivityType.EM_CLICKS) > counts.contacts(ActivityType.EM_OPENS):
        percents["click"] = None
    return percents


async def campaign_activity_stats(
    store: Store, account_id: str, campaign_activity_ids: Sequence[str]
) -> tuple[list[StatsEntry], list[str]]:
    """The numbers of the campaign activities that have any, and the ids of those that have none or aren't there."""
    counted: dict[str, list[Counter]] = defaultdict(list)
    for counter in await store.campaign_activity_counters(account_id, campaign_activity_ids):
        if counter.type is not None:
            counted[counter.campaign_activity_id].append(counter)
    found = [
        StatsEntry(campaign_id=counted[each][0].campaign_id, campaign_activity_id=each, counts=Counts(counted[each]))
        for each in campaign_activity_ids
        if each in counted
    ]
    return found, [each for each in campaign_activity_ids if each not in counted]


async def campaign_stats(store: Store, account_id: str, campaign_ids: Sequence[str]) -> list[StatsEntry]:
    """The numbers of campaigns, all campaign activities of each together. Raises UnknownCampaign for the first."""
    counted = await _by_campaign(store, account_id, campaign_ids)
    for campaign_id in campaign_ids:
        if campaign_id not in counted:
            raise UnknownCampaign(campaign_id)
    return [
        StatsEntry(campaign_id=campaign_id, campaign_activity_id=None, counts=Counts(counted[campaign_id]))
        for campaign_id in campaign_ids
    ]


async def campaign_summaries(store: Store, account_id: str, request: SummariesRequest) -> Summaries:
    """A page of the campaigns that were sent, with their numbers, and those of the page together."""
    found = await store.sent_campaigns(
        account_id, SentCampaignQuery(request.not_before, request.after, request.limit + 1)
    )
    page = found[: request.limit]
    counted = await _by_campaign(store, account_id, [sent.campaign_id for sent in page]) if page else {}
    following = None
    if len(found) > request.limit:
        following = replace(request, after=(page[-1].last_sent, page[-1].campaign_id))
    return Summaries(
        campaigns=page,
        counts=[Counts(counted.get(sent.campaign_id, ())) for sent in page],
        together=Counts(counter for sent in page for counter in counted.get(sent.campaign_id, ())),
        next=following,
    )


async def _by_campaign(store: Store, account_id: str, campaign_ids: Sequence[str]) -> dict[str, list[Counter]]:
    counted: dict[str, list[Counter]] = defaultdict(list)
    for counter in await store.campaign_counters(account_id, campaign_ids):
        if counter.campaign_id is not None:
            counted[counter.campaign_id].append(counter)
    return counted
