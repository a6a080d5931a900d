"""Reports on what was sent to a contact and how the contact engaged with it."""

from typing import Final

import msgspec

from rapport.errors import UnknownContact
from rapport.instant import Instant
from rapport.reporting.cursor_params import CursorParams
from rapport.reporting.period import Period
from rapport.store.activities import ActivityRepository, SentCampaignActivity, SentQuery

PAGE_SIZE: Final = 200
"""Campaign activities on a page: Constant Contact's number, which no parameter changes."""

_DECIMALS: Final = 4
"""Decimal places of a rate (docs/compatibility.md#rates-and-rounding)."""


class SummaryRequest(CursorParams, frozen=True):
    """The parameters of a page of the summary. The cursor of the next page contains them."""

    period: Period
    after: tuple[Instant, str]


def first_summary_request(period: Period) -> SummaryRequest:
    """Return the request for the first page of a period's summary."""
    return SummaryRequest(period, (Instant(period.end + 1), ""))


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A page of campaign activities, most recently sent first, and the request for the next page, if any."""

    campaign_activities: list[SentCampaignActivity]
    next: SummaryRequest | None


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """The number of campaign activities sent, and the fractions opened and clicked, from 0 to 1."""

    included_activities_count: int
    average_open_rate: float
    average_click_rate: float


async def get_activity_summary(
    repository: ActivityRepository, account_id: str, contact_id: str, request: SummaryRequest
) -> Summary:
    """Return the campaign activities last sent to the contact in the period, with its activities per type.

    Raises UnknownContact.
    """
    period = request.period
    sent = await repository.list_sent(
        account_id,
        contact_id,
        SentQuery(not_before=period.start, after=request.after, limit=PAGE_SIZE + 1),
    )
    if sent is None:
        raise UnknownContact(contact_id)
    page = sent[:PAGE_SIZE]
    next_request = None
    if len(sent) > PAGE_SIZE:
        next_request = SummaryRequest(period, (page[-1].start_on, page[-1].campaign_activity_id))
    return Summary(campaign_activities=page, next=next_request)


async def get_open_and_click_rates(
    repository: ActivityRepository, account_id: str, contact_id: str, period: Period
) -> Rates:
    """Return which fractions of the campaign activities last sent in the period the contact opened and clicked.

    Raises UnknownContact.
    """
    totals = await repository.count_engagement(account_id, contact_id, period.start, period.end)
    if totals is None:
        raise UnknownContact(contact_id)
    return Rates(
        included_activities_count=totals.sent,
        average_open_rate=_rate(totals.opened, totals.sent),
        average_click_rate=_rate(totals.clicked, totals.sent),
    )


def _rate(part: int, whole: int) -> float:
    return round(part / whole, _DECIMALS) if whole else 0.0
