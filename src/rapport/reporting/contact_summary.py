"""What was sent to a contact, and what came of it: the siblings of activity_details."""

from typing import Final

import msgspec

from rapport.errors import UnknownContact
from rapport.instant import Instant
from rapport.reporting.period import Period
from rapport.store.protocol import SentCampaignActivity, SentQuery, Store

SUMMARIES: Final = 200
"""Campaign activities on a page: the vendor's number, which no parameter changes."""

_DECIMALS: Final = 4
"""Of a rate (docs/compatibility.md#rates-and-rounding)."""


class SummaryRequest(msgspec.Struct, frozen=True, array_like=True):
    """Which page of a summary: all that the cursor of the next one carries."""

    period: Period
    after: tuple[Instant, str]


def first_summary(period: Period) -> SummaryRequest:
    """The first page of a period's summary."""
    return SummaryRequest(period, (Instant(period.end + 1), ""))


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A page of campaign activities, that which was sent last first, and the next page if there is one."""

    campaign_activities: list[SentCampaignActivity]
    next: SummaryRequest | None


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """Of what was sent: how much, and the fractions that were opened and clicked, 0 to 1."""

    included_activities_count: int
    average_open_rate: float
    average_click_rate: float


async def activity_summary(store: Store, account_id: str, contact_id: str, request: SummaryRequest) -> Summary:
    """The campaign activities that were last sent to the contact in the period, each with all that came of it.

    Raises UnknownContact for a contact that the account doesn't have.
    """
    period = request.period
    found = await store.sent_campaign_activities(
        account_id,
        contact_id,
        SentQuery(not_before=period.start, after=request.after, limit=SUMMARIES + 1),
    )
    if found is None:
        raise UnknownContact(contact_id)
    page = found[:SUMMARIES]
    following = None
    if len(found) > SUMMARIES:
        following = SummaryRequest(period, (page[-1].start_on, page[-1].campaign_activity_id))
    return Summary(campaign_activities=page, next=following)


async def open_and_click_rates(store: Store, account_id: str, contact_id: str, period: Period) -> Rates:
    """How much of what was last sent to the contact in the period it has opened and clicked at all.

    Raises UnknownContact for a contact that the account doesn't have.
    """
    reached = await store.reached(account_id, contact_id, period.start, period.end)
    if reached is None:
        raise UnknownContact(contact_id)
    return Rates(
        included_activities_count=reached.sent,
        average_open_rate=_rate(reached.opened, reached.sent),
        average_click_rate=_rate(reached.clicked, reached.sent),
    )


def _rate(some: int, all_of_them: int) -> float:
    return round(some / all_of_them, _DECIMALS) if all_of_them else 0.0
