"""The shapes of what was sent to a contact."""

from typing import Annotated

import msgspec
from msgspec import Meta

from rapport.api.wire import Id, Links, NextLink, Time
from rapport.instant import iso
from rapport.reporting.contact_summary import Rates, Summary
from rapport.store.protocol import SentCampaignActivity

Rate = Annotated[float, Meta(ge=0, le=1, description="A fraction, 0 to 1.")]


class ContactOpenAndClickRates(msgspec.Struct, kw_only=True):
    """How much of what was sent to a contact it opened and clicked at all."""

    contact_id: Id
    included_activities_count: int
    average_open_rate: Rate
    average_click_rate: Rate


class CampaignActivitySummary(msgspec.Struct, kw_only=True):
    """A campaign activity that was sent to a contact, and how often the contact did what with it."""

    campaign_activity_id: Id
    start_on: Time
    em_sends: int
    em_opens: int
    em_clicks: int
    em_bounces: int
    em_forwards: int
    em_unsubscribes: int


class ContactCampaignActivitiesSummary(msgspec.Struct, kw_only=True):
    """A page of campaign activities, that which was sent last first."""

    contact_id: Id
    campaign_activities: list[CampaignActivitySummary]
    links: Links = msgspec.field(name="_links")


def summary_body(contact_id: str, summary: Summary, *, next_href: str | None) -> bytes:
    """The JSON of a `ContactCampaignActivitiesSummary`; `next_href` is None on the last page."""
    return msgspec.json.encode(
        ContactCampaignActivitiesSummary(
            contact_id=contact_id,
            campaign_activities=[_row(sent) for sent in summary.campaign_activities],
            links=Links() if next_href is None else Links(NextLink(next_href)),
        )
    )


def rates_body(contact_id: str, rates: Rates) -> bytes:
    """The JSON of a `ContactOpenAndClickRates`."""
    return msgspec.json.encode(
        ContactOpenAndClickRates(
            contact_id=contact_id,
            included_activities_count=rates.included_activities_count,
            average_open_rate=rates.average_open_rate,
            average_click_rate=rates.average_click_rate,
        )
    )


def _row(sent: SentCampaignActivity) -> CampaignActivitySummary:
    return CampaignActivitySummary(
        campaign_activity_id=sent.campaign_activity_id,
        start_on=iso(sent.start_on),
        em_sends=sent.em_sends,
        em_opens=sent.em_opens,
        em_clicks=sent.em_clicks,
        em_bounces=sent.em_bounces,
        em_forwards=sent.em_forwards,
        em_unsubscribes=sent.em_optouts,
    )
