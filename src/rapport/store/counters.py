"""What has been counted of a campaign activity, as the stores tell it."""

from typing import NamedTuple

from rapport.activity import CampaignActivity
from rapport.instant import Instant
from rapport.store.rollups import ALL


class Counter(NamedTuple):
    """How many activities of a type there are, of how many contacts, the last when.

    The detail is ALL for all of the type, a bounce code of em_bounces, or a device type of the others, of which
    contacts are not counted. A campaign activity that nothing was counted of has one without a type.
    """

    campaign_activity_id: str
    campaign_id: str | None
    type: int | None
    detail: int
    total: int
    contacts: int | None
    last_time: int


def nothing_counted(campaign_activity_id: str, campaign_id: str | None) -> Counter:
    """The one counter of a campaign activity that nothing was counted of."""
    return Counter(campaign_activity_id, campaign_id, None, ALL, 0, None, 0)


class SentCampaign(NamedTuple):
    """A campaign, and when it was last sent to anybody."""

    campaign_id: str
    last_sent: Instant


class SentCampaignQuery(NamedTuple):
    """Up to `limit` campaigns behind (last_sent, campaign_id), both descending, last sent at `not_before` or later."""

    not_before: Instant
    after: tuple[Instant, str]
    limit: int


class RecentSend(NamedTuple):
    """A campaign activity, and when it was last sent to anybody."""

    campaign_activity: CampaignActivity
    last_sent: Instant


class HourlyCount(NamedTuple):
    """How many activities of a type there are in the hour that begins then."""

    hour: Instant
    type: int
    activities: int


__all__ = ["ALL", "Counter", "HourlyCount", "RecentSend", "SentCampaign", "SentCampaignQuery", "nothing_counted"]
